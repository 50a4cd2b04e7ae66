"""A mailbox is never silent while its server has mail, whatever the server tells."""

import asyncio
import contextlib
import re
from dataclasses import replace

import pytest

from postroom.core.mailbox import Direction
from postroom.flows import watch as flow
from postroom.flows.recover import Recover
from postroom.flows.watch import Watch
from postroom.store import open_store
from postroom.world import RealWorld
from tests.flows.house import until
from tests.flows.inbox import Inbox, connected
from tests.walks.letters import letter
from tests.wire.imap_peer import client, sign_in
from tests.wire.peer import Peer, account, served


@pytest.fixture
async def inbox(sqlite_url) -> Inbox:
    world = RealWorld()
    store = await open_store(sqlite_url, secret_key=bytes(32), world=world)
    yield await connected(store, world)
    await store.close()


class Deaf:
    """An IMAP server that takes IDLE and NOOP and never tells of anything. Only who opens the folder anew sees more."""

    def __init__(self):
        self.letters = {1: letter("uid-1")}
        self.commands = []

    async def story(self, peer: Peer) -> None:
        await sign_in(peer)
        while True:
            tag, _, words = (await peer.line()).partition(b" ")
            if not words:
                return  # the client has left
            self.commands.append(words.partition(b" ")[0])
            await self.answer(peer, tag, words)

    async def answer(self, peer: Peer, tag: bytes, words: bytes) -> None:
        last = max(self.letters)
        if words.startswith(b"EXAMINE"):
            head = (
                b"* %d EXISTS" % len(self.letters),
                b"* OK [UIDVALIDITY 42] fine",
                b"* OK [UIDNEXT %d] next" % (last + 1),
            )
            await peer.say(*head, tag + b" OK [READ-ONLY] done")
        elif words == b"IDLE":
            await peer.say(b"+ idling")
            if await peer.line() == b"DONE":
                await peer.say(tag + b" OK done")
        elif words.startswith(b"UID SEARCH"):
            await peer.say(b"* SEARCH " + b" ".join(b"%d" % uid for uid in self.letters), tag + b" OK done")
        elif words.startswith(b"UID FETCH"):
            await peer.send(b"".join(self.fetched(uid, words) for uid in self.wanted(words)))
            await peer.say(tag + b" OK done")
        else:
            await peer.say(tag + b" OK done")

    def wanted(self, words: bytes) -> list[int]:
        first, colon, end = re.match(rb"UID FETCH (\d+)(:?)(\d+|\*)?", words).groups()
        highest = max(self.letters) if end == b"*" else int(end or first)
        return [uid for uid in self.letters if int(first) <= uid <= (highest if colon else int(first))]

    def fetched(self, uid: int, words: bytes) -> bytes:
        raw = self.letters[uid]
        if b"BODY" not in words:
            return b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, uid, len(raw))
        return b"* %d FETCH (UID %d FLAGS () BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(raw), raw)


class Shut(Deaf):
    """One that shows a Sent folder, with something in it, and lets nobody in."""

    async def answer(self, peer: Peer, tag: bytes, words: bytes) -> None:
        if words.startswith(b"LIST"):
            await peer.say(b'* LIST (\\Sent) "/" "Sent"', tag + b" OK done")
        elif words.startswith(b"STATUS"):
            await peer.say(b'* STATUS "Sent" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1)', tag + b" OK done")
        elif words == b'EXAMINE "Sent"':
            await peer.say(tag + b" NO [NOPERM] Permission denied")
        else:
            await super().answer(peer, tag, words)


class OneSession:
    def __init__(self, port):
        self.port = port
        self.opened = 0

    async def receiving(self, mailbox):
        self.opened += 1
        return await client().open(account(self.port))

    async def renewed(self, *_):
        return False


@contextlib.asynccontextmanager
async def watched(inbox, server, **settings):
    async with served(server.story) as port:
        recover = Recover(inbox.store, inbox.world)
        sessions = OneSession(port)
        watch = Watch(inbox.store, sessions, inbox.sync, recover, inbox.world, **settings)
        running = asyncio.create_task(watch.run(inbox.lease))
        try:
            yield sessions
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def has(inbox, *numbers):
    await until(inbox.numbers, lambda found: found == list(numbers), 60)


async def test_mail_at_a_server_that_idles_deaf_comes_with_the_next_check(inbox):
    server = Deaf()
    async with watched(inbox, server, check_seconds=0.3):
        await has(inbox, 1)
        for uid in (2, 3):
            server.letters[uid] = letter(f"uid-{uid}")
            await has(inbox, *range(1, uid + 1))
    assert b"IDLE" in server.commands


async def test_settings_that_change_while_a_session_is_opened_are_followed(inbox, monkeypatch):
    server = Deaf()
    works, changed = Recover.works, []

    async def changed_just_before(recover, mailbox, direction):
        if not changed:
            changed.append(replace(mailbox, folders=("INBOX", "Returns")))
            await inbox.store.update_mailbox(changed[0])
        return await works(recover, mailbox, direction)

    monkeypatch.setattr(Recover, "works", changed_just_before)
    async with watched(inbox, server):
        await until(lambda: inbox.store.cursor(inbox.lease.mailbox_id, "Returns"), lambda found: found is not None)


async def test_a_sent_folder_that_may_not_be_opened_keeps_nothing_from_us(inbox):
    server = Shut()
    async with watched(inbox, server, check_seconds=0.3) as sessions:
        await has(inbox, 1)
        server.letters[2] = letter("uid-2")
        await has(inbox, 1, 2)
        await until(lambda: _of(sessions), lambda opened: opened == 2, 60)
        server.letters[3] = letter("uid-3")
        await has(inbox, 1, 2, 3)
    health = await inbox.store.health(inbox.mailbox.id, Direction.IMAP)
    assert (str(health.state), health.failures, sessions.opened) == ("connected", 0, 2)


async def _of(sessions):
    return sessions.opened


def test_no_mailbox_is_silent_for_more_than_five_minutes():
    assert flow.CHECK < 300
    assert flow.OTHER_FOLDERS < 300
