"""Who owns which mailbox: leases, claims and the fence."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Cursor
from postroom.core.delivery import State
from postroom.core.ports.store import Lease, LeaseLost, Store
from postroom.store import open_store
from tests.store.make import KEY, NOON, TTL, World, acceptance, add_mailbox, arrival, own


async def test_free_mailboxes_are_claimed_up_to_the_limit(store: Store, world: World) -> None:
    made = sorted([(await add_mailbox(store, world, f"{n}@example.org")).id for n in range(3)])
    await store.heartbeat("wrk_one", "host", NOON, TTL)
    first = await store.claim("wrk_one", NOON, limit=2)
    assert first == [Lease(one, "wrk_one", 1) for one in made[:2]]
    assert await store.claim("wrk_one", NOON) == [Lease(made[2], "wrk_one", 1)]
    assert await store.claim("wrk_one", NOON) == []
    assert await store.leases("wrk_one") == [Lease(one, "wrk_one", 1) for one in made]
    assert await store.alive(NOON) == 1
    assert await store.alive(NOON + TTL + TTL) == 0


async def test_a_living_owner_keeps_its_mailboxes_and_a_dead_one_loses_them(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    await own(store, world)
    await store.heartbeat("wrk_two", "host", NOON, 3 * TTL)
    assert await store.claim("wrk_two", NOON + TTL) == []
    await store.heartbeat("wrk_one", "host", NOON + TTL, TTL)
    assert await store.claim("wrk_two", NOON + 2 * TTL) == []
    late = NOON + 2 * TTL + timedelta(microseconds=1)
    assert await store.claim("wrk_two", late) == [Lease(new.id, "wrk_two", 2)]
    assert await store.leases("wrk_one") == []


async def test_what_was_on_its_way_when_its_owner_died_is_unconfirmed(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    leases = await own(store, world)
    sending, queued = [(await store.accept(acceptance(world, new.id))).delivery for _ in range(2)]
    await store.begin(leases[new.id], sending, NOON)
    world.at += timedelta(hours=1)
    await own(store, world, "wrk_two")
    found = {one.id: one for one in (await store.deliveries()).items}
    assert found[sending.id].state is State.UNCONFIRMED
    assert found[sending.id].next_attempt_at == world.at
    assert found[queued.id] == queued


async def test_what_is_given_back_is_free_at_once(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    lease = (await own(store, world))[new.id]
    await store.resign("wrk_one")
    assert await store.leases("wrk_one") == []
    assert await store.alive(NOON) == 0
    with pytest.raises(LeaseLost):
        await store.record(lease, Cursor(new.id, "INBOX", 1), [])
    assert (await own(store, world, "wrk_two"))[new.id].epoch == 2


async def test_a_worker_that_joins_gets_its_share_but_nothing_from_which_a_message_is_on_its_way(
    store: Store, world: World
) -> None:
    made = sorted([(await add_mailbox(store, world, f"{n}@example.org")).id for n in range(5)])
    leases = await own(store, world)
    assert await store.give_back("wrk_one", NOON, 50) == 0  # there is nobody else
    sending = (await store.accept(acceptance(world, made[0]))).delivery
    await store.begin(leases[made[0]], sending, NOON)
    await store.heartbeat("wrk_two", "host", NOON, TTL)
    assert await store.claim("wrk_two", NOON) == []
    assert await store.give_back("wrk_one", NOON, 1) == 1
    assert await store.give_back("wrk_one", NOON, 50) == 1
    assert await store.give_back("wrk_one", NOON, 50) == 0
    assert [one.mailbox_id for one in await store.claim("wrk_two", NOON)] == made[1:3]
    assert await store.claim("wrk_one", NOON) == await store.claim("wrk_two", NOON) == []
    assert [one.mailbox_id for one in await store.leases("wrk_one")] == [made[0], *made[3:]]
    with pytest.raises(LeaseLost):
        await store.record(leases[made[1]], Cursor(made[1], "INBOX", 1), [])
    found = await store.delivery(sending.id)
    assert found is not None
    assert found.state is State.SENDING
    late = NOON + TTL + timedelta(microseconds=1)
    await store.heartbeat("wrk_two", "host", late, TTL)
    assert len(await store.claim("wrk_two", late)) == 3  # the first has died: all are for the other


async def test_two_workers_never_claim_the_same_mailbox(database_url: str) -> None:
    stores = [await open_store(database_url, secret_key=KEY, world=World(n * 1000)) for n in range(3)]
    for n in range(30):
        await add_mailbox(stores[0], World(9000 + n), f"{n}@example.org")
    now = NOON
    for turn in range(1, 6):
        now += timedelta(hours=1)  # all earlier owners are dead
        names = [f"wrk_{turn}_{n}" for n in range(3)]
        for name in names:
            await stores[0].heartbeat(name, "host", now, TTL)

        async def greedy(store: Store, name: str, now=now) -> list[Lease]:
            taken: list[Lease] = []
            while more := await store.claim(name, now, limit=3):
                taken += more
            return taken

        claimed = await asyncio.gather(*map(greedy, stores, names))
        everything = [lease for leases in claimed for lease in leases]
        assert len({lease.mailbox_id for lease in everything}) == len(everything)
        # One who was passed over because its row was being written is free still.
        everything += await stores[0].claim(names[0], now)
        assert len(everything) == 30
        assert {lease.epoch for lease in everything} == {turn}
    for store in stores:
        await store.close()


async def test_a_late_owner_writes_nothing_however_the_race_ends(database_url: str, world: World) -> None:
    """Two processes write for the same mailbox at the same time: each message that is kept was written under the lease
    of its time."""
    one = await open_store(database_url, secret_key=KEY, world=world)
    two = await open_store(database_url, secret_key=KEY, world=World(5000))
    new = await add_mailbox(one, world)
    lease = (await own(one, world))[new.id]
    lost, under_way = asyncio.Event(), asyncio.Event()
    kept: list[str] = []

    async def work() -> None:
        for uid in range(1, 100_000):
            try:
                (taken,) = await one.record(lease, Cursor(new.id, "INBOX", 1, uid), [arrival(world, new.id, uid)])
            except LeaseLost:
                lost.set()
                return
            kept.append(taken.id)
            if len(kept) == 5:
                under_way.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        await under_way.wait()
        later = world.at + timedelta(hours=1)
        await two.heartbeat("wrk_two", "host", later, TTL)
        taken: list[Lease] = []
        while not taken:  # a mailbox that is being written to is passed over
            taken = await two.claim("wrk_two", later)
    assert lost.is_set()
    cursor = await two.cursor(new.id, "INBOX")
    assert cursor is not None
    assert cursor.last_uid == len(kept) == len(await two.events(0, limit=100_000))
    with pytest.raises(LeaseLost):
        await one.record(replace(lease, epoch=2), cursor, [])
    await one.close()
    await two.close()


async def test_what_a_dead_worker_left_in_a_file_is_not_waited_for(sqlite_url: str) -> None:
    dead = await open_store(sqlite_url, secret_key=KEY, world=World())
    made = await add_mailbox(dead, World())
    await dead.heartbeat("wrk_dead", "here", NOON, TTL)
    assert await dead.claim("wrk_dead", NOON) == [Lease(made.id, "wrk_dead", 1)]
    beside = await open_store(sqlite_url, secret_key=KEY, world=World())
    assert await beside.claim("wrk_beside", NOON) == []
    await beside.close()
    await dead.close()  # as at its death: the lock goes, the lease stays
    after = await open_store(sqlite_url, secret_key=KEY, world=World())
    assert await after.claim("wrk_after", NOON) == [Lease(made.id, "wrk_after", 2)]
    await after.close()


async def test_a_dead_owner_whose_heartbeat_is_from_the_future_keeps_its_mailboxes_for_its_time_and_no_longer(
    store: Store, world: World
) -> None:
    """The clock was ahead by three days, the owner died, the clock was set right."""
    new = await add_mailbox(store, world)
    world.at += timedelta(days=3)
    await own(store, world)
    world.at = NOON
    await store.heartbeat("wrk_two", "host", NOON, TTL)
    assert await store.claim("wrk_two", NOON) == []  # it may live, with its clock ahead
    await store.heartbeat("wrk_two", "host", NOON + TTL, TTL)
    assert await store.claim("wrk_two", NOON + TTL) == []
    (taken,) = await store.claim("wrk_two", NOON + TTL + timedelta(microseconds=1))
    assert taken.mailbox_id == new.id


async def test_a_living_owner_whose_clock_is_ahead_keeps_its_mailboxes(store: Store, world: World) -> None:
    await add_mailbox(store, world)
    for minute in range(3):
        for second in range(0, 60, 5):
            now = NOON + timedelta(minutes=minute, seconds=second)
            await store.heartbeat("wrk_ahead", "host", now + timedelta(hours=1), TTL)
            await store.claim("wrk_ahead", now + timedelta(hours=1))
            await store.heartbeat("wrk_two", "host", now, TTL)
            assert await store.claim("wrk_two", now) == []


async def test_who_slept_gives_the_others_as_long_again(store: Store, world: World) -> None:
    await add_mailbox(store, world)
    await own(store, world)
    await store.heartbeat("wrk_two", "host", NOON, TTL)
    now = NOON + timedelta(hours=1)
    await store.heartbeat("wrk_two", "host", now, TTL)
    assert await store.claim("wrk_two", now, patience=timedelta(hours=1)) == []
    assert len(await store.claim("wrk_two", now)) == 1


async def test_a_heartbeat_that_comes_after_its_worker_ended_does_not_let_it_live_on(
    store: Store, world: World
) -> None:
    await own(store, world, "wrk_one")
    await store.resign("wrk_one")
    await store.heartbeat("wrk_one", "host", world.now(), TTL)
    assert await store.alive(world.now()) == 0
