"""What happens when the database cannot serve: it is said in plain words, nothing is half written, and it goes on."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from postroom.core.apikey import ApiKey
from postroom.core.cursor import Cursor
from postroom.core.ports.store import Store, StoreUnavailable
from postroom.store import open_store
from postroom.store.sqlite import SQLiteDatabase
from tests.rig.postgres import Postgres
from tests.store.make import KEY, World, acceptance, add_mailbox, arrival, own

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 3 MB."""
    if os.geteuid() != 0:
        pytest.fail("a disk can only be mounted by root: run the tests as root, for instance in a container")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def test_a_full_disk_is_named_and_when_there_is_space_again_it_goes_on(small_disk: Path, world: World) -> None:
    store = await open_store(f"sqlite:///{small_disk / 'postroom.db'}", secret_key=KEY, world=world)
    mailbox = await add_mailbox(store, world)
    lease = (await own(store, world))[mailbox.id]
    await store.record(lease, Cursor(mailbox.id, "INBOX", 1, 1), [arrival(world, mailbox.id, 1)])
    ballast = small_disk / "ballast"
    _fill(ballast)
    full = "The disk that holds .*postroom.db is full: free some space; nothing was lost"
    big = [arrival(world, mailbox.id, uid, raw=os.urandom(200_000)) for uid in (2, 3)]
    with pytest.raises(StoreUnavailable, match=full):
        await store.record(lease, Cursor(mailbox.id, "INBOX", 1, 3), big)
    together = await asyncio.gather(
        *(store.accept(acceptance(world, mailbox.id)) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(one, StoreUnavailable) for one in together)
    assert await store.cursor(mailbox.id, "INBOX") == Cursor(mailbox.id, "INBOX", 1, 1)  # reading goes on
    assert len(await store.events(0)) == 1
    assert (await store.deliveries()).items == ()
    ballast.unlink()
    await store.ping()
    assert len(await store.record(lease, Cursor(mailbox.id, "INBOX", 1, 3), big)) == 2
    assert (await store.accept(acceptance(world, mailbox.id))).delivery.mailbox_id == mailbox.id
    await store.close()


async def test_one_job_that_finds_the_database_full_does_not_stop_the_others_of_its_commit(
    tmp_path: Path, world: World
) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'postroom.db'}", secret_key=KEY, world=world)
    mailbox = await add_mailbox(store, world)
    lease = (await own(store, world))[mailbox.id]

    def limit(connection, pages: int) -> None:
        count = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {count + pages}")

    await store._database.write(limit, 200)  # type: ignore[attr-defined]
    giant = arrival(world, mailbox.id, 1, raw=os.urandom(4_000_000))
    results = await asyncio.gather(
        store.accept(acceptance(world, mailbox.id)),
        store.record(lease, Cursor(mailbox.id, "INBOX", 1, 1), [giant]),
        store.accept(acceptance(world, mailbox.id)),
        return_exceptions=True,
    )
    assert isinstance(results[1], StoreUnavailable)
    written = len((await store.deliveries()).items)
    assert written == sum(not isinstance(one, BaseException) for one in results)
    assert await store.events(0) == []
    await store._database.write(limit, 2000)  # type: ignore[attr-defined]
    assert len(await store.record(lease, Cursor(mailbox.id, "INBOX", 1, 1), [giant])) == 1
    await store.close()


async def test_a_database_that_another_program_locks_is_named_and_served_afterwards(
    tmp_path: Path, world: World
) -> None:
    file = tmp_path / "postroom.db"
    store = await open_store(f"sqlite:///{file}", secret_key=KEY, world=world)
    mailbox = await add_mailbox(store, world)
    await store._database.close()  # type: ignore[attr-defined]
    impatient = SQLiteDatabase(file, patience=0.2)
    store = type(store)(impatient, store._vault, world)  # type: ignore[attr-defined]
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(
        *(store.accept(acceptance(world, mailbox.id)) for _ in range(5)), return_exceptions=True
    )
    assert {type(one) for one in results} == {StoreUnavailable}
    assert "Another program has locked" in str(results[0])
    assert "close it" in str(results[0])
    assert await store.mailbox(mailbox.id) is not None
    other.execute("ROLLBACK")
    other.close()
    await store.accept(acceptance(world, mailbox.id))
    assert len((await store.deliveries()).items) == 1
    await store.close()


async def test_a_writer_that_always_has_more_to_do_leaves_the_lock_to_others(tmp_path: Path, world: World) -> None:
    url = f"sqlite:///{tmp_path / 'postroom.db'}"
    store = await open_store(url, secret_key=KEY, world=world)
    mailbox = await add_mailbox(store, world)
    stopping = False

    async def write_on() -> None:
        while not stopping:
            await store.accept(acceptance(world, mailbox.id))

    busy = [asyncio.create_task(write_on()) for _ in range(20)]
    for number in range(5):  # each opens, writes and closes, as a command does
        beside = await open_store(url, secret_key=KEY, world=World(1_000_000 + number), patience=60)
        await beside.add_key(ApiKey(f"key_{number}", "by hand", world.now()), f"digest {number}")
        await beside.close()
    assert not any(task.done() for task in busy)
    stopping = True
    await asyncio.gather(*busy)
    assert len(await store.keys()) == 5
    await store.close()


async def test_what_needs_no_lock_waits_for_none(tmp_path: Path, world: World) -> None:
    file = tmp_path / "postroom.db"
    url = f"sqlite:///{file}"
    await (await open_store(url, secret_key=KEY, world=world)).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = await open_store(url, secret_key=KEY, world=world, patience=0.1)
    assert (await store.mailboxes()).items == ()
    await store.close()
    other.close()


async def test_a_failing_job_does_not_undo_the_others_of_its_commit(store: Store, world: World) -> None:
    mailbox = await add_mailbox(store, world)
    good = [acceptance(world, mailbox.id) for _ in range(30)]
    bad = [acceptance(world, "mbx_0000000000000") for _ in range(30)]
    mixed = [one for pair in zip(good, bad, strict=True) for one in pair]
    results = await asyncio.gather(*map(store.accept, mixed), return_exceptions=True)
    assert [isinstance(one, BaseException) for one in results] == [False, True] * 30
    assert len((await store.deliveries(limit=100)).items) == 30


async def test_a_cancelled_wait_stops_nobody_else(store: Store, world: World) -> None:
    mailbox = await add_mailbox(store, world)
    tasks = [asyncio.create_task(store.accept(acceptance(world, mailbox.id))) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(isinstance(one, BaseException) for one in results[1::2])
    found = {one.id for one in (await store.deliveries(limit=100)).items}
    assert {one.delivery.id for one in results[1::2]} <= found  # type: ignore[union-attr]


async def test_after_it_is_closed_the_store_says_so(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="is stopping"):
        await store.mailboxes()
    with pytest.raises(StoreUnavailable, match="is stopping"):
        await store.fan_out(World().now())


_WRITER = """
import asyncio, sys
from tests.store.make import *
from postroom.core.cursor import Cursor
from postroom.store import open_store

async def main():
    world = World()
    store = await open_store(sys.argv[1], secret_key=KEY, world=world)
    mailbox = await add_mailbox(store, world)
    lease = (await own(store, world))[mailbox.id]
    print(mailbox.id, flush=True)

    async def accept():
        while True:
            one = await store.accept(acceptance(world, mailbox.id))
            print("accepted", one.delivery.id, flush=True)

    async def record():
        last = 0
        while True:
            batch = [arrival(world, mailbox.id, last + n) for n in range(1, 6)]
            last += 5
            await store.record(lease, Cursor(mailbox.id, "INBOX", 1, last), batch)
            print("recorded", last, flush=True)

    await asyncio.gather(record(), *(accept() for _ in range(10)))

asyncio.run(main())
"""


async def test_what_was_answered_is_there_after_the_process_was_killed(database_url: str, world: World) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, database_url, stdout=subprocess.PIPE, cwd=PROJECT
    )
    assert child.stdout is not None
    mailbox_id = (await child.stdout.readline()).decode().strip()
    lines = [await child.stdout.readline() for _ in range(100)]
    child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    told = [line.decode().split() for line in lines if line.endswith(b"\n")]
    store = await open_store(database_url, secret_key=KEY, world=world)
    for kind, value in told:
        if kind == "accepted":
            delivery = await store.delivery(value)
            assert delivery is not None
            assert await store.raw(delivery.message_id) is not None
    recorded = max(int(value) for kind, value in told if kind == "recorded")
    cursor = await store.cursor(mailbox_id, "INBOX")
    assert cursor is not None
    assert cursor.last_uid >= recorded
    events = await store.events(0, limit=100_000)
    assert len(events) == cursor.last_uid  # the cursor, the messages and their events came together or not at all
    for one in events:
        assert await store.message(one.event.data["id"]) is not None
    await store.close()


async def test_postgresql_may_restart_and_we_go_on(world: World) -> None:
    """Its own cluster: restarting the shared one would disturb other tests."""
    async with Postgres(fsync=False) as cluster:
        name = await cluster.create_database()
        store = await open_store(cluster.url(name), secret_key=KEY, world=world)
        mailbox = await add_mailbox(store, world)
        await asyncio.gather(*(store.accept(acceptance(world, mailbox.id)) for _ in range(10)))
        await cluster.restart()
        # Every connection of the pool is dead; each is found out before anything is written with it.
        await asyncio.gather(*(store.accept(acceptance(world, mailbox.id)) for _ in range(10)))
        assert len((await store.deliveries()).items) == 20
        await cluster.stop()
        with pytest.raises(StoreUnavailable, match="cannot be reached: is it running"):
            await store.accept(acceptance(world, mailbox.id))
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await store.mailboxes()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await store.ping()
        await cluster.start()
        await store.ping()
        assert len((await store.deliveries()).items) == 20
        other = await open_store(cluster.url(name), secret_key=KEY, world=World(5000))
        watcher = store.watcher()
        async with asyncio.timeout(20):  # the listening connection comes back by itself
            while True:
                await other.accept(acceptance(world, mailbox.id))
                before = asyncio.get_running_loop().time()
                await watcher.changed(0.5)
                if asyncio.get_running_loop().time() - before < 0.5:
                    break
        await other.close()
        await store.close()


async def test_a_deadlock_is_resolved_by_repeating(postgresql_url: str, world: World) -> None:
    store = await open_store(postgresql_url, secret_key=KEY, world=world)
    one, two = await add_mailbox(store, world, "a@example.org"), await add_mailbox(store, world, "b@example.org")
    tries = 0

    def crossing(connection, first: str, second: str) -> str:
        nonlocal tries
        tries += 1
        for mailbox_id in (first, second):
            statement = "UPDATE mailbox SET hold_hours = hold_hours + 1 WHERE id = :id"
            connection.execute(text(statement), {"id": mailbox_id})
            connection.execute(text("SELECT pg_sleep(0.2)"))
        return "done"

    database = store._database  # type: ignore[attr-defined]
    both = await asyncio.gather(database.write(crossing, one.id, two.id), database.write(crossing, two.id, one.id))
    assert both == ["done", "done"]
    assert tries >= 3
    view = await store.mailbox(one.id)
    assert view is not None
    assert view.mailbox.hold_hours == 74
    await store.close()


async def test_a_defect_of_ours_is_told_without_repeating_anyones_mail(store: Store, world: World) -> None:
    mailbox = await add_mailbox(store, world)
    made = acceptance(world, mailbox.id)
    await store.accept(made)

    def again(connection) -> None:
        statement = "INSERT INTO raw (mailbox_id, message_id, body) VALUES (:box, :message, :body)"
        values = {"box": mailbox.id, "message": made.message.id, "body": b"private words"}
        connection.execute(text(statement), values)

    with pytest.raises(Exception, match=r"IntegrityError|UniqueViolationError") as raised:
        await store._database.write(again)  # type: ignore[attr-defined]
    assert "private" not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert made.message.id not in repr(raised.value)


async def test_a_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'mail.db'}", secret_key=KEY, world=World())
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in os.scandir(tmp_path)}
    await store.close()
    assert "mail.db-wal" in modes
    assert set(modes.values()) == {0o600}
