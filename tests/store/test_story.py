"""Each transition is written with its time and its cause, in the transaction that makes it."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert

from postroom.core.delivery import Attempt, Delivery, Signal, State
from postroom.core.delivery import Transition as Line
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import HealthChange, Lease, Settlement, Store
from postroom.store.rows import delivery_values
from postroom.store.schema import delivery as table
from tests.store.make import NOON, World, acceptance, add_mailbox, diagnosis, health, own

SECOND = timedelta(seconds=1)


@pytest.fixture
async def mailbox(store: Store, world: World) -> Mailbox:
    return await add_mailbox(store, world)


@pytest.fixture
async def lease(store: Store, world: World, mailbox: Mailbox) -> Lease:
    return (await own(store, world))[mailbox.id]


async def accept(store: Store, world: World, lease: Lease, **changes: object) -> Delivery:
    return (await store.accept(acceptance(world, lease.mailbox_id, **changes))).delivery


async def told(store: Store, delivery: Delivery) -> list[tuple[State, Signal]]:
    return [(one.state, one.cause) for one in await store.transitions(delivery.id)]


def down(mailbox_id: str, state: HealthState = HealthState.NEEDS_REAUTH, by: str | None = None) -> HealthChange:
    why = None if state is HealthState.PAUSED else diagnosis()
    return HealthChange(health(mailbox_id, Direction.SMTP, state, diagnosis=why), Signal.HOLD, by=by)


def up(mailbox_id: str, by: str | None = None) -> HealthChange:
    return HealthChange(health(mailbox_id, Direction.SMTP, HealthState.CONNECTED), Signal.RELEASE, by=by)


async def test_a_way_out_is_told_step_by_step_with_the_answer_of_each_attempt(
    store: Store, world: World, lease: Lease
) -> None:
    one = await accept(store, world, lease)
    assert await store.transitions(one.id) == []
    assert await store.begin(lease, one, NOON)
    world.at += SECOND
    attempt = Attempt(one.id, 1, NOON, world.at, Signal.PUT_OFF, reply="451 later", diagnosis=diagnosis())
    put_off = replace(one, state=State.DEFERRED, attempts=1)
    assert await store.settle(lease, Settlement(put_off, State.SENDING, attempt))
    world.at += SECOND
    cancelled = replace(put_off, state=State.CANCELLED)
    by_hand = Settlement(cancelled, State.DEFERRED, signal=Signal.CANCELLED, by="key crm")
    assert await store.settle(None, by_hand)
    assert await store.transitions(one.id) == [
        Line(one.id, 1, NOON, State.SENDING, Signal.BEGUN),
        Line(
            *(one.id, 2, NOON + SECOND, State.DEFERRED, Signal.PUT_OFF),
            attempt=1,
            because="smtp.invalid_credentials",
            note="451 later",
        ),
        Line(one.id, 3, NOON + 2 * SECOND, State.CANCELLED, Signal.CANCELLED, by="key crm"),
    ]
    assert not await store.settle(None, by_hand)
    assert len(await store.transitions(one.id)) == 3


async def test_what_only_moves_a_time_tells_nothing(store: Store, world: World, lease: Lease) -> None:
    one = await accept(store, world, lease)
    assert await store.settle(lease, Settlement(replace(one, next_attempt_at=NOON + SECOND), State.QUEUED))
    assert await store.transitions(one.id) == []


async def test_a_pause_and_its_end_tell_who_did_it_at_every_delivery_that_waits(
    store: Store, world: World, lease: Lease
) -> None:
    waiting = [await accept(store, world, lease) for _ in range(3)]
    gone = await accept(store, world, lease)
    await store.begin(lease, gone, NOON)
    await store.save_health(down(lease.mailbox_id, HealthState.PAUSED, by="key crm"), HealthState.CONNECTED)
    late = await accept(store, world, lease)
    world.at += SECOND
    await store.save_health(up(lease.mailbox_id, by="command line (ann)"), HealthState.PAUSED)
    for one in waiting:
        assert await store.transitions(one.id) == [
            Line(one.id, 1, NOON, State.HELD, Signal.HOLD, by="key crm", because="paused"),
            Line(one.id, 2, NOON + SECOND, State.QUEUED, Signal.RELEASE, by="command line (ann)"),
        ]
    assert await told(store, late) == [(State.HELD, Signal.HOLD), (State.QUEUED, Signal.RELEASE)]
    assert await told(store, gone) == [(State.SENDING, Signal.BEGUN)]


async def test_what_is_held_though_the_mailbox_sends_again_meanwhile_goes_on_in_the_queue(
    store: Store, world: World, lease: Lease
) -> None:
    one = await accept(store, world, lease)
    await store.begin(lease, one, NOON)
    attempt = Attempt(one.id, 1, NOON, NOON, Signal.MAILBOX_REFUSED, reply="535 no", diagnosis=diagnosis())
    refused = replace(one, state=State.HELD, attempts=1, diagnosis=diagnosis())
    assert await store.settle(lease, Settlement(refused, State.SENDING, attempt))
    found = await store.delivery(one.id)
    assert found is not None
    assert (found.state, found.diagnosis) == (State.QUEUED, None)
    assert (await told(store, one))[-1] == (State.QUEUED, Signal.RELEASE)


async def test_a_delivery_whose_worker_died_says_so(store: Store, world: World, lease: Lease) -> None:
    one = await accept(store, world, lease)
    await store.begin(lease, one, NOON)
    world.at += timedelta(hours=1)
    await own(store, world, "wrk_two")
    last = (await store.transitions(one.id))[-1]
    assert (last.state, last.cause, last.because) == (State.UNCONFIRMED, Signal.UNANSWERED, "worker_lost")


async def test_ten_thousand_are_held_and_released_in_a_few_statements(store: Store, world: World, lease: Lease) -> None:
    made = [acceptance(world, lease.mailbox_id).delivery for _ in range(10_000)]

    def fill(connection) -> None:  # type: ignore[no-untyped-def]
        connection.execute(insert(table), [{**delivery_values(one), "idempotency_key": None} for one in made])

    await store._database.write(fill)  # type: ignore[attr-defined]
    began = time.process_time()
    await store.save_health(down(lease.mailbox_id), HealthState.CONNECTED)
    await store.save_health(up(lease.mailbox_id), HealthState.NEEDS_REAUTH)
    assert time.process_time() - began < 5  # a statement for each would take several times as long
    for one in (made[0], made[-1]):
        assert await told(store, one) == [(State.HELD, Signal.HOLD), (State.QUEUED, Signal.RELEASE)]
