"""Over a line that is late, cut and garbled, with mail that comes meanwhile, the ledger is what the server has."""

import os
import secrets
import sys
import time

import pytest

from postroom.core.diagnosis import Failure
from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security
from postroom.flows import reading
from postroom.store import open_store
from postroom.wire.imap import Imap
from postroom.wire.resolve import Guard
from postroom.world import RealWorld
from tests.flows.inbox import Inbox, connected
from tests.walks.letters import letter, many, names

SECONDS = float(os.environ.get("POSTROOM_TEST_SECONDS", "8"))
SHARE = float(os.environ.get("POSTROOM_TEST_SHARE", "0.15"))
BEFORE = 400


@pytest.fixture
async def inbox(sqlite_url) -> Inbox:
    world = RealWorld()
    store = await open_store(sqlite_url, secret_key=bytes(32), world=world)
    yield await connected(store, world)
    await store.close()


async def looked(inbox, imap, account):
    """One session: opens the folder, reads, compares; whether it held."""
    held = True
    try:
        session = await imap.open(account)
        try:
            await inbox.read(session, selected=await session.select("INBOX"), reconnected=True)
            for _ in range(5):
                await session.idle(0.1)
                await inbox.sync.news(inbox.lease, session, inbox.mailbox, "INBOX")
        finally:
            session.abort()
    except* Failure:
        held = False
    return held


async def test_every_message_comes_once_over_a_line_that_is_late_cut_and_garbled(
    inbox, dovecot, user, proxy, monkeypatch
):
    monkeypatch.setattr(reading, "MOST", 40)  # many answers, so that many can be spoilt
    dovecot.fill(user.name, many("old", BEFORE))
    front = await proxy(dovecot.imap_port)
    seed = os.environ.get("POSTROOM_TEST_SEED", secrets.token_hex(4))
    sys.stdout.write(f"POSTROOM_TEST_SEED={seed}\n")  # shown with a failure
    end = Endpoint("localhost", front.port, Security.NONE, user.name)
    account = Account(Direction.IMAP, end, Credential(password=user.password))
    imap = Imap(Guard(allow_private=True), now=inbox.world.now, timeout=5, patience=5)
    front.trouble(SHARE, seed)
    came, held, ends = 0, [], time.monotonic() + SECONDS
    while time.monotonic() < ends:
        for _ in range(3):
            came += 1
            dovecot.drop(user.name, letter(f"new-{came}"))
        held.append(await looked(inbox, imap, account))
    await front.heal()
    patient = Imap(Guard(allow_private=True), now=inbox.world.now)
    assert await looked(inbox, patient, account)
    sys.stdout.write(f"{front.troubles}, {len(held)} sessions, {held.count(False)} broke, {BEFORE + came} messages\n")
    assert not all(held)
    shown = [{"message_id": one.parsed.message_id} for one in await inbox.messages()]
    expected = [f"old-{number}" for number in range(1, BEFORE + 1)] + [f"new-{number}" for number in range(1, came + 1)]
    assert names(shown) == sorted(expected)
    assert await inbox.ledger() == [(uid, uid, "fetched", 1) for uid in range(1, BEFORE + came + 1)]
    assert len(await inbox.events()) == BEFORE + came
    found = (await inbox.cursor()).reconciled
    assert (found.server, found.ledger) == (BEFORE + came, BEFORE + came)


async def test_a_first_reading_comes_to_its_end_over_a_line_that_dies_every_few_hundred_kilobytes(
    inbox, dovecot, user, proxy
):
    """Some messages are larger than what any connection carries."""
    await inbox.change(sync_days=None)
    inbox.sync = inbox.new_sync(max_message_bytes=10_000_000)
    sizes = {number: 400_000 if number % 20 == 3 else 900_000 if number == 41 else 20_000 for number in range(1, 61)}
    dovecot.fill(user.name, (letter(f"uid-{number}", "All of it. " * (size // 11)) for number, size in sizes.items()))
    front = await proxy(dovecot.imap_port)
    end = Endpoint("localhost", front.port, Security.NONE, user.name)
    imap = Imap(Guard(allow_private=True), now=inbox.world.now)
    account = Account(Direction.IMAP, end, Credential(password=user.password))
    sessions, held = 0, False
    while not held:
        sessions += 1
        assert sessions < 60, (await inbox.cursor(), front.passed)
        front.cut_after(300_000, "to_client")
        held = await looked(inbox, imap, account)
    assert await inbox.numbers() == list(range(1, 61))
    assert await inbox.ledger() == [(uid, uid, "fetched", 1) for uid in range(1, 61)]
    found = [len(await inbox.store.raw(one.id)) for one in await inbox.messages()]
    assert sorted(found) == sorted(len(letter(f"uid-{n}", "All of it. " * (s // 11))) for n, s in sizes.items())
    total = sum(sizes.values())
    assert front.passed["to_client"] < 3 * total  # little is asked for again, how little is the machine's pace
