"""The database is locked or full at each moment of a message's way out: no answer is lost, nothing is sent twice."""

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import time
from contextlib import asynccontextmanager

import pytest

from postroom.core.mailbox import UnconfirmedPolicy
from postroom.core.ports.store import StoreUnavailable
from postroom.store.sqlite import SQLiteDatabase
from tests.flows.house import running
from tests.flows.test_odd_servers import Odd
from tests.wire.peer import served

LASTS = 1.0
"""Seconds for which the database does not serve: several times what we wait for a lock in these tests."""


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr("postroom.store.SQLiteDatabase", lambda file, **_: SQLiteDatabase(file, patience=0.2))


@pytest.fixture
def disk(tmp_path):
    """A disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def locked(folder):
    other = sqlite3.connect(folder / "data" / "postroom.db", isolation_level=None, timeout=10)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextlib.contextmanager
def full(folder):
    """Not a byte is left, and what the database had set aside for its log is used up."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while shutil.disk_usage(folder).free:
            file.write(bytes(4096))
    other = sqlite3.connect(folder / "data" / "postroom.db", isolation_level=None, timeout=10)
    with contextlib.suppress(sqlite3.OperationalError):  # full
        for _ in range(5_000):
            other.execute("UPDATE secret_key SET created_at = created_at")
    other.close()
    try:
        yield
    finally:
        filler.unlink()


TROUBLES = {"locked": locked, "full": full}


def in_trouble(trouble, folder, *said):
    """Answers, while the database cannot be written and for a while after."""

    async def oddity(peer):
        with trouble(folder):
            await peer.say(*said)
            await asyncio.sleep(LASTS)

    return oddity


@asynccontextmanager
async def standing(folder, server):
    async with served(server) as port, running(folder) as house:
        yield house, await house.connect(smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK)


async def sent(house, mailbox, subject):
    """As clients do: asked again where the answer was 503."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            return await house.send(mailbox, subject)
        await asyncio.sleep(0.1)


async def outcomes(house, delivery):
    return [one.outcome.name for one in await house.store.attempts(delivery.id)]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize(
    ("stage", "said"),
    [("MAIL", b"250 2.1.0 ok"), ("RCPT", b"250 2.1.5 ok"), ("TAKEN", b"250 2.0.0 ok")],
)
async def test_a_database_that_fails_at_any_moment_costs_nothing_but_time(disk, stage, said, trouble):
    server = Odd(stage, in_trouble(TROUBLES[trouble], disk, said))
    async with standing(disk, server) as (house, mailbox):
        deliveries = [await sent(house, mailbox, f"Answer {number}") for number in range(3)]
        for one in deliveries:
            await house.delivery_in(one.id, "sent")
        assert server.subjects() == {f"Answer {number}": 1 for number in range(3)}
        assert server.times == 0
        if stage == "TAKEN":  # what the server said was kept until it could be written
            assert [await outcomes(house, one) for one in deliveries] == [["ACCEPTED"]] * 3


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("said", [b"550 5.1.1 No such user", b"451 4.7.1 Later", b"535 5.7.8 no more"])
async def test_a_refusal_that_cannot_be_written_is_written_when_it_can_be(disk, said, trouble):
    server = Odd("RCPT", in_trouble(TROUBLES[trouble], disk, said))
    async with standing(disk, server) as (house, mailbox):
        first, second = [await sent(house, mailbox, f"Answer {number}") for number in range(2)]
        state = {b"5": "failed", b"4": "deferred"}[said[:1]] if not said.startswith(b"535") else "held"
        seen = await house.delivery_in(first.id, state)
        assert seen.attempts == 1
        assert said[4:].decode() in seen.recipients[0].reply
        if state != "held":
            await house.delivery_in(second.id, "sent")
            assert server.subjects() == {"Answer 1": 1}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_cannot_be_written_is_not_accepted(disk, trouble):
    server = Odd()
    async with standing(disk, server) as (house, mailbox):
        with TROUBLES[trouble](disk), pytest.raises(StoreUnavailable, match=r"locked|full"):
            await house.send(mailbox, "Refused")
        await house.delivery_in((await house.send(mailbox, "Taken")).id, "sent")
        assert server.subjects() == {"Taken": 1}
        assert len((await house.store.deliveries()).items) == 1


async def test_a_stop_ends_though_an_answer_cannot_be_written_and_a_person_is_asked(tmp_path):
    """The database is locked for longer than anybody who stops Postroom waits: what the server said is lost then, and
    nothing is guessed."""
    gate = asyncio.Event()

    async def oddity(peer):
        gate.set()
        await peer.say(b"250 2.0.0 ok")

    server = Odd("TAKEN", oddity)
    async with served(server) as port:
        async with running(tmp_path) as house:
            mailbox = await house.connect(smtp_port=port, unconfirmed=UnconfirmedPolicy.ASK)
            with contextlib.ExitStack() as stack:
                lock = locked(tmp_path)

                async def lock_first(peer):
                    stack.enter_context(lock)
                    await oddity(peer)

                server.oddity = lock_first
                one = await house.send(mailbox)
                await asyncio.wait_for(gate.wait(), 90)
                began = time.monotonic()
                house.engine.cancel()
                await asyncio.wait_for(asyncio.gather(house.engine, return_exceptions=True), 12)
                assert time.monotonic() - began < 12
        async with running(tmp_path, world=house.world, simulator=house.simulator) as again:
            await again.delivery_in(one.id, "unconfirmed")
            assert len(server.taken) == 1
