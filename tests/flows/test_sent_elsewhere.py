"""Replies that an agent sends from the mailbox's own webmail show in the conversation: with a real Dovecot."""

import asyncio
import contextlib
import imaplib

import pytest

from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security
from postroom.core.message import Flow
from postroom.flows import elsewhere
from postroom.flows.recover import Recover
from postroom.flows.watch import Watch
from postroom.store import open_store
from postroom.wire.imap import Imap
from postroom.wire.resolve import Guard
from postroom.world import RealWorld
from tests.flows.house import until
from tests.flows.inbox import Inbox, connected
from tests.walks.letters import letter

ANSWER = (
    b"From: team@rig.test\r\nTo: customer@customer.test\r\nSubject: Re: subject\r\nMessage-ID: <%s@webmail.test>\r\n"
    b"Date: Mon, 06 Jul 2026 10:00:00 +0000\r\nIn-Reply-To: <%s@customer.test>\r\n\r\nHere it is.\r\n"
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(elsewhere, "SPREAD", 0.0)


@pytest.fixture
async def inbox(sqlite_url) -> Inbox:
    world = RealWorld()
    store = await open_store(sqlite_url, secret_key=bytes(32), world=world)
    yield await connected(store, world)
    await store.close()


class Sessions:
    """Real ones, to one user's account."""

    def __init__(self, dovecot, user, inbox):
        end = Endpoint("localhost", dovecot.imap_port, Security.NONE, user.name)
        self.account = Account(Direction.IMAP, end, Credential(password=user.password))
        self.imap = Imap(Guard(allow_private=True), now=inbox.world.now)
        self.opened = 0

    async def receiving(self, mailbox):
        self.opened += 1
        return await self.imap.open(self.account)

    async def renewed(self, *_):
        return False


@contextlib.asynccontextmanager
async def watched(inbox, sessions, **settings):
    recover = Recover(inbox.store, inbox.world)
    watch = Watch(inbox.store, sessions, inbox.sync, recover, inbox.world, **settings)
    running = asyncio.create_task(watch.run(inbox.lease))
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def filed(dovecot, user, raw):
    """As webmail does it: the message is put into Sent."""

    def drive():
        with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as client:
            client.login(user.name, user.password)
            client.create("Sent")
            assert client.append("Sent", "\\Seen", None, raw)[0] == "OK"

    await asyncio.to_thread(drive)


async def flows_of(inbox, count):
    """(Message-ID, flow) of all messages, once there are so many."""
    found = await until(inbox.messages, lambda all_: len(all_) == count, 60)
    return sorted((one.parsed.message_id, one.flow) for one in found)


async def test_answers_of_before_and_of_now_show_in_their_conversation(inbox, dovecot, user, monkeypatch):
    monkeypatch.setattr(elsewhere, "SOON", 0.1)
    monkeypatch.setattr(elsewhere, "OFTEN", 0.5)
    dovecot.drop(user.name, letter("asked"))
    await filed(dovecot, user, ANSWER % (b"first", b"asked"))
    sessions = Sessions(dovecot, user, inbox)
    async with watched(inbox, sessions):
        before = await flows_of(inbox, 2)
        assert before == [("asked@customer.test", Flow.INBOUND), ("first@webmail.test", Flow.OUTBOUND)]
        await filed(dovecot, user, ANSWER % (b"second", b"asked"))
        dovecot.drop(user.name, letter("again"))  # what tells that something goes on
        after = await flows_of(inbox, 4)
        assert ("second@webmail.test", Flow.OUTBOUND) in after
        answers = [one for one in await inbox.messages() if one.flow is Flow.OUTBOUND]
        asked = await inbox.store.message_by_rfc_id(inbox.mailbox.id, "asked@customer.test")
        assert {one.conversation_id for one in answers} == {asked.conversation_id}
        assert all(one.sent_elsewhere for one in answers)
        assert len(await inbox.events("message.sent_elsewhere")) == 2
        assert len(await inbox.events("message.received")) == 2
        assert await inbox.ledger(folder="Sent") == [(1, 1, "fetched", 1), (2, 2, "fetched", 1)]
    assert sessions.opened == 1


async def test_an_answer_that_only_marks_the_message_as_answered_shows(inbox, dovecot, user):
    await filed(dovecot, user, ANSWER % (b"before", b"nobody"))
    dovecot.drop(user.name, letter("asked"))
    async with watched(inbox, Sessions(dovecot, user, inbox)):
        await flows_of(inbox, 2)
        await filed(dovecot, user, ANSWER % (b"answer", b"asked"))

        async def answered():
            # Again, should it have been before the folder was idled on.
            await dovecot.doveadm("flags", "remove", "-u", user.name, "\\Answered", "mailbox", "INBOX", "all")
            await dovecot.doveadm("flags", "add", "-u", user.name, "\\Answered", "mailbox", "INBOX", "all")
            return await inbox.messages()

        await until(answered, lambda found: len(found) == 3, 60)


async def test_a_mailbox_that_does_not_want_it_leaves_sent_alone(inbox, dovecot, user):
    await inbox.change(read_sent=False)
    await filed(dovecot, user, ANSWER % (b"answer", b"asked"))
    dovecot.drop(user.name, letter("asked"))
    async with watched(inbox, Sessions(dovecot, user, inbox)):
        await flows_of(inbox, 1)
        dovecot.drop(user.name, letter("again"))
        await flows_of(inbox, 2)
    assert await inbox.cursor("Sent") is None
