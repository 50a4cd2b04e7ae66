"""What grows for ever is removed in time, a little at a time; nothing that anybody still needs goes with it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Cursor, Outcome, gone
from postroom.core.delivery import Signal, State
from postroom.core.events import Webhook
from postroom.core.ports.store import Lease, Settlement, Store
from postroom.core.retention import Retention
from postroom.core.uids import Uids
from postroom.store import pruning
from tests.store.make import NOON, World, acceptance, add_mailbox, arrival, own

KEPT = Retention(events=timedelta(days=30), stories=timedelta(days=365))


@pytest.fixture
async def lease(store: Store, world: World) -> Lease:
    mailbox = await add_mailbox(store, world)
    return (await own(store, world))[mailbox.id]


async def takes(store: Store, world: World, lease: Lease, first: int, last: int) -> None:
    came = [arrival(world, lease.mailbox_id, uid) for uid in range(first, last + 1)]
    await store.record(lease, Cursor(lease.mailbox_id, "INBOX", 7, last), came)


async def positions(store: Store) -> list[int]:
    return [one.position for one in await store.events(0)]


async def pruned(store: Store, world: World) -> int:
    """How many steps it took."""
    for steps in range(1, 100):
        if not (await store.prune(KEPT, world.now())).more:
            return steps
    raise AssertionError("there is no end")


async def test_events_go_after_their_time_and_the_stream_knows_from_where(
    store: Store, world: World, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 4)
    await takes(store, world, lease, 1, 10)
    world.at += timedelta(days=29)
    await takes(store, world, lease, 11, 12)
    every = await positions(store)
    await pruned(store, world)
    assert await positions(store) == every
    assert await store.pruned_position() == 0
    world.at += timedelta(days=2)
    assert await pruned(store, world) == 3
    assert await positions(store) == every[-2:]
    assert await store.pruned_position() == every[-3]
    assert len((await store.conversations()).items) > 0


async def test_no_event_goes_before_its_webhooks_have_it(store: Store, world: World, lease: Lease) -> None:
    await store.add_webhook(Webhook("whk_1", "https://example.org/hook", "whsec_secret", (), NOON))
    await takes(store, world, lease, 1, 3)
    world.at += timedelta(days=40)
    await pruned(store, world)
    assert len(await positions(store)) == 3
    await store.fan_out(world.now())
    (call, *_) = await store.calls_due(world.now(), timedelta(seconds=60))
    await store.called(call, done=False, next_attempt_at=None, error="given up")
    await pruned(store, world)
    assert await positions(store) == []
    world.at += timedelta(days=1)
    assert await store.calls_due(world.now(), timedelta(seconds=60)) == []


async def test_the_story_of_a_delivery_goes_and_the_delivery_stays(store: Store, world: World, lease: Lease) -> None:
    async def sent():
        taken = (await store.accept(acceptance(world, lease.mailbox_id, accepted_at=world.now()))).delivery
        await store.begin(lease, taken, world.now())
        done = replace(taken, state=State.SENT, updated_at=world.now())
        await store.settle(lease, Settlement(done, State.SENDING, signal=Signal.ACCEPTED))
        return taken

    old = await sent()
    world.at += timedelta(days=300)
    young = await sent()
    assert await store.transitions(old.id)
    world.at += timedelta(days=66)
    await pruned(store, world)
    assert await store.transitions(old.id) == []
    assert await store.transitions(young.id)
    kept = await store.delivery(old.id)
    assert kept is not None
    assert kept.state is State.SENT
    assert await store.message(old.message_id) is not None


async def test_uids_that_were_gone_are_forgotten_and_what_was_skipped_is_not(
    store: Store, world: World, lease: Lease
) -> None:
    await store.record(lease, Cursor(lease.mailbox_id, "INBOX", 7, 9), [], gone(Uids.between(2, 5)))
    skipped = [replace(one, outcome=Outcome.SKIPPED) for one in gone(Uids.between(7, 9))]
    await store.record(lease, Cursor(lease.mailbox_id, "INBOX", 7, 9), [], skipped)
    world.at += timedelta(days=89)
    await pruned(store, world)
    assert [one.first_uid for one in (await store.ledger(lease.mailbox_id)).items] == [2, 7]
    world.at += timedelta(days=2)
    await pruned(store, world)
    assert [one.first_uid for one in (await store.ledger(lease.mailbox_id)).items] == [7]
