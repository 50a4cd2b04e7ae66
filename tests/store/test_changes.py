"""Waking those who wait for a write, in this process and in others."""

import asyncio
from pathlib import Path

import pytest

from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.core.ports.store import HealthChange, Store
from postroom.store import open_store
from tests.store.make import KEY, NOON, TTL, World, acceptance, add_mailbox, health, own

LONG = 60.0
"""Seconds: a waiter that is not woken fails the test by its time limit."""


async def is_quiet(waiter: object) -> bool:
    """Whether a watcher has nothing to tell within a moment."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await waiter.changed(0.1)  # type: ignore[attr-defined]
    return loop.time() - before >= 0.1


async def test_a_write_wakes_everyone_who_waits(store: Store, world: World) -> None:
    watchers = [store.watcher() for _ in range(50)]
    waits = [asyncio.create_task(watcher.changed(LONG)) for watcher in watchers]
    await asyncio.sleep(0)
    await add_mailbox(store, world)
    async with asyncio.timeout(5):
        await asyncio.gather(*waits)


async def test_a_write_between_a_look_and_a_wait_is_not_missed(store: Store, world: World) -> None:
    watcher = store.watcher()
    await add_mailbox(store, world)
    async with asyncio.timeout(5):
        await watcher.changed(LONG)
    await add_mailbox(store, world, "other@example.org")
    async with asyncio.timeout(5):
        await watcher.changed(LONG)


@pytest.fixture
async def calm(store: Store) -> Store:
    """A store that has told what there was to tell at its start."""
    while not await is_quiet(store.watcher()):
        pass
    return store


async def test_what_changes_nothing_and_what_nobody_waits_for_wakes_no_one(calm: Store, world: World) -> None:
    mailbox = await add_mailbox(calm, world)
    lease = (await own(calm, world))[mailbox.id]
    watcher = calm.watcher()
    await calm.heartbeat("wrk_one", "host", NOON, TTL)
    await calm.key_used("key_1", NOON)
    await calm.ping()
    assert await calm.claim("wrk_one", NOON) == []
    assert await calm.fan_out(NOON) == 0
    assert await calm.calls_due(NOON, TTL) == []
    assert not await calm.begin(lease, acceptance(world, mailbox.id).delivery, NOON)
    change = HealthChange(health(mailbox.id, Direction.SMTP, HealthState.PAUSED))
    assert not await calm.save_health(change, HealthState.DEGRADED)
    assert await calm.events(0) == []
    assert await is_quiet(watcher)


async def test_a_wait_ends_when_its_time_is_over(calm: Store) -> None:
    assert await is_quiet(calm.watcher())


async def test_another_process_wakes_us(database_url: str, world: World) -> None:
    """Two stores on one database know of each other only through it, as two processes do."""
    here = await open_store(database_url, secret_key=KEY, world=world)
    there = await open_store(database_url, secret_key=KEY, world=World(5000))
    mailbox = await add_mailbox(here, world)
    for _ in range(3):
        watcher = here.watcher()
        while not await is_quiet(watcher):
            pass
        waiting = asyncio.create_task(watcher.changed(LONG))
        await there.accept(acceptance(there._world, mailbox.id))  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await waiting
    await here.close()
    await there.close()


async def test_our_own_writes_do_not_wake_us_again_as_if_they_were_anothers(tmp_path: Path, world: World) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'x.db'}", secret_key=KEY, world=world)
    watcher = store.watcher()
    await add_mailbox(store, world)
    await watcher.changed(LONG)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await watcher.changed(1.2)  # twice as long as between two looks for other processes
    assert loop.time() - before >= 1.2
    await store.close()
