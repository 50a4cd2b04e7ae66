"""The outbox in the store: what is accepted, what is due, each step of a delivery."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.delivery import Attempt, Delivery, Recipient, RecipientState, SentCopy, Signal, State
from postroom.core.events import Event, EventType, delivery_data
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import HealthChange, IdempotencyConflict, Lease, LeaseLost, Settlement, Store
from postroom.store import eventlog, open_store
from tests.store.make import KEY, NOON, World, acceptance, add_mailbox, diagnosis, health, own

HOUR = timedelta(hours=1)


@pytest.fixture
async def mailbox(store: Store, world: World) -> Mailbox:
    return await add_mailbox(store, world)


@pytest.fixture
async def lease(store: Store, world: World, mailbox: Mailbox) -> Lease:
    return (await own(store, world))[mailbox.id]


async def accept(store: Store, world: World, lease: Lease, **changes: object) -> Delivery:
    return (await store.accept(acceptance(world, lease.mailbox_id, **changes))).delivery


async def put(store: Store, delivery: Delivery, **changes: object) -> Delivery:
    """The delivery changed as a person's act would."""
    changed = replace(delivery, **changes)
    assert await store.settle(None, Settlement(changed, delivery.state))
    return changed


async def test_what_is_accepted_is_read_back(store: Store, world: World, lease: Lease) -> None:
    wished = NOON + HOUR
    made = acceptance(world, lease.mailbox_id, send_at=wished, next_attempt_at=wished)
    accepted = await store.accept(made)
    assert accepted.delivery == made.delivery
    assert not accepted.repeated
    assert await store.delivery(made.delivery.id) == made.delivery
    assert await store.message(made.message.id) == made.message
    assert await store.raw(made.message.id) == made.raw
    assert (await store.conversation(made.message.conversation_id)).message_count == 1  # type: ignore[union-attr]
    assert await store.events(0) == []
    assert await store.attempts(made.delivery.id) == []
    assert await store.delivery("junk") is None


async def test_a_message_accepted_while_sending_is_down_is_held_and_that_is_told(
    store: Store, world: World, lease: Lease
) -> None:
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.NEEDS_REAUTH, diagnosis=diagnosis())
    await store.save_health(HealthChange(down, Signal.HOLD), HealthState.CONNECTED)
    made = acceptance(world, lease.mailbox_id)
    accepted = await store.accept(made)
    assert (accepted.delivery.state, accepted.delivery.diagnosis) == (State.HELD, diagnosis())
    assert await store.delivery(made.delivery.id) == accepted.delivery
    (recorded,) = await store.events(0)
    assert recorded.event.type == EventType.DELIVERY_HELD
    assert (recorded.event.data["id"], recorded.event.data["state"]) == (made.delivery.id, "held")
    assert recorded.event.data["message_id"] == made.delivery.rfc_message_id


async def test_an_idempotency_key_brings_one_delivery(store: Store, world: World, lease: Lease) -> None:
    key = ("key", "digest")
    first = await store.accept(acceptance(world, lease.mailbox_id, idempotency=key))
    again = await store.accept(acceptance(world, lease.mailbox_id, idempotency=key))
    assert again.repeated
    assert again.delivery == first.delivery
    assert await store.repeated(lease.mailbox_id, *key) == first.delivery
    assert await store.repeated(lease.mailbox_id, "other", "digest") is None
    with pytest.raises(IdempotencyConflict):
        await store.accept(acceptance(world, lease.mailbox_id, idempotency=("key", "another digest")))
    with pytest.raises(IdempotencyConflict):
        await store.repeated(lease.mailbox_id, "key", "another digest")
    assert len((await store.deliveries()).items) == 1
    other = await add_mailbox(store, world, "other@example.org")
    assert not (await store.accept(acceptance(world, other.id, idempotency=key))).repeated


async def test_one_request_that_comes_many_times_at_once_is_accepted_once(database_url: str, world: World) -> None:
    stores = [await open_store(database_url, secret_key=KEY, world=World(n * 1000)) for n in range(2)]
    mailbox = await add_mailbox(stores[0], world)
    key = ("key", "digest")
    requests = [(stores[n % 2], acceptance(world, mailbox.id, idempotency=key)) for n in range(20)]
    accepted = await asyncio.gather(*(store.accept(one) for store, one in requests))
    assert len({one.delivery.id for one in accepted}) == 1
    assert sorted(one.repeated for one in accepted) == [False] + [True] * 19
    assert len((await stores[0].conversations()).items) == 1
    for store in stores:
        await store.close()


async def test_of_many_that_are_held_at_once_as_much_is_told_as_of_one(
    store: Store, world: World, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventlog, "AT_ONCE", 2)  # so that these three are many
    for author in (None, "Ann", "Ben"):
        await store.accept(acceptance(world, lease.mailbox_id, author=author))
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.NEEDS_REAUTH, diagnosis=diagnosis())
    assert await store.save_health(HealthChange(down, deliveries=Signal.HOLD), HealthState.CONNECTED)
    told = [one.event for one in await store.events(0) if one.event.type is EventType.DELIVERY_HELD]
    assert [one.data["author"] for one in told] == [None, "Ann", "Ben"]
    assert [one.id for one in told] == sorted({one.id for one in told})
    assert {one.mailbox_id for one in told} == {lease.mailbox_id}
    for one in told:
        held = await store.delivery(one.data["id"])
        assert held is not None
        assert held.state is State.HELD
        assert one.data == delivery_data(held)


async def test_a_hold_and_an_acceptance_at_once_leave_nothing_queued(database_url: str, world: World) -> None:
    """Whichever comes first, a message accepted while sending stops is held, and told of once."""
    stores = [await open_store(database_url, secret_key=KEY, world=World(n * 1000)) for n in range(2)]
    mailbox = await add_mailbox(stores[0], world)
    down = HealthChange(health(mailbox.id, Direction.SMTP, HealthState.NEEDS_REAUTH), Signal.HOLD)
    accepts = [stores[n % 2].accept(acceptance(world, mailbox.id)) for n in range(30)]
    await asyncio.gather(*accepts[:15], stores[1].save_health(down, HealthState.CONNECTED), *accepts[15:])
    found = (await stores[0].deliveries(limit=100)).items
    assert [one.state for one in found] == [State.HELD] * 30
    told = [one.event.data["id"] for one in await stores[0].events(0)]
    assert sorted(told) == sorted(one.id for one in found)
    for store in stores:
        await store.close()


async def test_what_is_due_comes_in_the_order_of_acceptance(store: Store, world: World, lease: Lease) -> None:
    first, second, third = [await accept(store, world, lease) for _ in range(3)]
    later = await accept(store, world, lease, next_attempt_at=NOON + HOUR)
    deferred = await put(store, first, state=State.DEFERRED, next_attempt_at=NOON + timedelta(seconds=9))
    assert [one.id for one in await store.due(lease, NOON)] == [second.id, third.id]
    assert [one.id for one in await store.due(lease, NOON + HOUR)] == [deferred.id, second.id, third.id, later.id]
    assert [one.id for one in await store.due(lease, NOON + HOUR, limit=2)] == [deferred.id, second.id]


async def test_mailboxes_are_due_where_sending_is_connected_and_something_is_due(
    store: Store, world: World, lease: Lease
) -> None:
    assert await store.mailboxes_due("wrk_one", NOON) == []
    assert await store.next_due("wrk_one") is None
    await accept(store, world, lease, next_attempt_at=NOON + HOUR)
    await accept(store, world, lease, next_attempt_at=NOON + 2 * HOUR)
    assert await store.mailboxes_due("wrk_one", NOON) == []
    assert await store.next_due("wrk_one") == NOON + HOUR
    assert await store.mailboxes_due("wrk_one", NOON + HOUR) == [lease.mailbox_id]
    assert await store.mailboxes_due("wrk_two", NOON + HOUR) == []
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.FALTERING)
    await store.save_health(HealthChange(down), HealthState.CONNECTED)
    assert await store.mailboxes_due("wrk_one", NOON + HOUR) == []
    assert await store.next_due("wrk_one") is None


async def test_a_delivery_begins_once(store: Store, world: World, lease: Lease) -> None:
    one = await accept(store, world, lease)
    assert await store.begin(lease, one, NOON)
    assert (await store.delivery(one.id)).state is State.SENDING  # type: ignore[union-attr]
    assert not await store.begin(lease, one, NOON)
    assert await store.due(lease, NOON) == []


async def test_a_delivery_does_not_begin_where_sending_is_down_or_the_lease_is_lost(
    store: Store, world: World, lease: Lease
) -> None:
    one = await accept(store, world, lease)
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.SUSPECTED)
    await store.save_health(HealthChange(down), HealthState.CONNECTED)  # the hold is yet to come
    assert not await store.begin(lease, one, NOON)
    with pytest.raises(LeaseLost):
        await store.begin(replace(lease, epoch=99), one, NOON)


async def test_the_oldest_held_one_can_be_tried_while_sending_is_down(store: Store, world: World, lease: Lease) -> None:
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.NEEDS_ATTENTION)
    await store.save_health(HealthChange(down), HealthState.CONNECTED)
    await accept(store, world, lease, send_at=NOON + HOUR)
    first = await accept(store, world, lease)
    await accept(store, world, lease)
    assert await store.oldest_held(lease) == first
    assert not await store.begin(lease, first, NOON)
    assert await store.try_held(lease, first, NOON)
    assert not await store.try_held(lease, first, NOON)
    assert (await store.oldest_held(lease)).id != first.id  # type: ignore[union-attr]


async def test_a_settlement_writes_state_attempt_and_events_at_once(store: Store, world: World, lease: Lease) -> None:
    one = await accept(store, world, lease)
    await store.begin(lease, one, NOON)
    recipients = (
        Recipient("ann@example.com", RecipientState.ACCEPTED, "250 ok"),
        Recipient("ben@example.com", RecipientState.REFUSED, "550 nö", diagnosis("recipient_unknown")),
    )
    failed = replace(
        one,
        state=State.FAILED,
        recipients=recipients,
        attempts=1,
        diagnosis=diagnosis(),
        sent_copy=SentCopy.DUE,
        updated_at=NOON + HOUR,
    )
    attempt = Attempt(one.id, 1, NOON, NOON + HOUR, Signal.REFUSED, "rcpt", "550 nö", diagnosis(), recipients)
    event = Event("evt_1", EventType.DELIVERY_FAILED, NOON, one.mailbox_id, {"id": one.id})
    settlement = Settlement(failed, State.SENDING, attempt, (event,))
    assert await store.settle(lease, settlement)
    assert await store.delivery(one.id) == failed
    assert await store.attempts(one.id) == [attempt]
    assert [recorded.event for recorded in await store.events(0)] == [event]
    assert not await store.settle(lease, settlement)  # it is no longer sending
    assert len(await store.events(0)) == 1


async def test_a_delivery_that_was_tried_or_changed_since_it_was_read_is_read_again(
    store: Store, world: World, lease: Lease
) -> None:
    """Its recipients are others now: sent from what was read before, those who have it would get it twice."""
    read = await accept(store, world, lease)
    assert await store.begin(lease, read, NOON)
    recipients = (Recipient("ann@example.com", RecipientState.ACCEPTED), Recipient("ben@example.com"))
    put_off = replace(read, state=State.DEFERRED, attempts=1, recipients=recipients)
    attempt = Attempt(read.id, 1, NOON, NOON, Signal.PUT_OFF, recipients=recipients)
    assert await store.settle(lease, Settlement(put_off, State.SENDING, attempt))
    assert not await store.begin(lease, read, NOON)
    late = replace(read, state=State.QUEUED)  # a person's "send now", decided on what was read before the try
    assert not await store.settle(None, Settlement(late, State.DEFERRED))
    assert await store.delivery(read.id) == put_off
    again = replace(put_off, state=State.QUEUED, updated_at=NOON + HOUR)
    assert await store.settle(None, Settlement(again, State.DEFERRED))
    assert not await store.begin(lease, put_off, NOON)
    assert await store.begin(lease, again, NOON)


async def test_a_held_delivery_that_was_tried_since_it_was_read_is_not_tried_from_that(
    store: Store, world: World, lease: Lease
) -> None:
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.FALTERING, diagnosis=diagnosis("timeout"))
    await store.save_health(HealthChange(down, Signal.HOLD), HealthState.CONNECTED)
    read = await accept(store, world, lease)
    assert await store.try_held(lease, read, NOON)
    back = replace(read, state=State.HELD, attempts=1)
    attempt = Attempt(read.id, 1, NOON, NOON, Signal.MAILBOX_REFUSED, recipients=read.recipients)
    assert await store.settle(lease, Settlement(back, State.SENDING, attempt))
    assert not await store.try_held(lease, read, NOON)
    assert await store.try_held(lease, back, NOON)


async def test_a_settlement_of_a_late_owner_is_refused(store: Store, world: World, lease: Lease) -> None:
    one = await accept(store, world, lease)
    await store.begin(lease, one, NOON)
    world.at += HOUR
    taken = (await own(store, world, "wrk_two"))[lease.mailbox_id]
    assert taken.epoch == lease.epoch + 1
    with pytest.raises(LeaseLost):
        await store.settle(lease, Settlement(replace(one, state=State.SENT), State.SENDING))
    found = await store.delivery(one.id)
    assert found is not None
    assert (found.state, found.next_attempt_at) == (State.UNCONFIRMED, world.at)
    assert await store.unconfirmed(taken, world.at) == [found]


async def test_what_comes_back_to_a_queue_that_stopped_is_held(store: Store, world: World, lease: Lease) -> None:
    one = await accept(store, world, lease)
    await store.begin(lease, one, NOON)
    down = health(lease.mailbox_id, Direction.SMTP, HealthState.FALTERING, diagnosis=diagnosis("timeout"))
    await store.save_health(HealthChange(down, Signal.HOLD), HealthState.CONNECTED)
    assert await store.events(0) == []  # it was on its way
    assert await store.settle(lease, Settlement(one, State.SENDING))
    found = await store.delivery(one.id)
    assert found is not None
    assert (found.state, found.diagnosis) == (State.HELD, diagnosis("timeout"))
    assert [recorded.event.type for recorded in await store.events(0)] == [EventType.DELIVERY_HELD]


async def test_looks_into_sent_and_copies_are_errands_of_mailboxes_that_receive(
    store: Store, world: World, lease: Lease
) -> None:
    sent, lost = await accept(store, world, lease), await accept(store, world, lease)
    assert await store.errands_due("wrk_one", NOON + HOUR) == []
    await put(store, lost, state=State.UNCONFIRMED, next_attempt_at=NOON + HOUR)
    assert await store.errands_due("wrk_one", NOON) == []
    assert await store.errands_due("wrk_one", NOON + HOUR) == [lease.mailbox_id]
    assert await store.unconfirmed(lease, NOON) == []
    assert [one.id for one in await store.unconfirmed(lease, NOON + HOUR)] == [lost.id]
    await put(store, sent, state=State.SENT, sent_copy=SentCopy.DUE)
    assert await store.errands_due("wrk_one", NOON) == [lease.mailbox_id]
    assert [one.id for one in await store.copies_due(lease)] == [sent.id]
    down = health(lease.mailbox_id, Direction.IMAP, HealthState.FALTERING)
    await store.save_health(HealthChange(down), HealthState.CONNECTED)
    assert await store.errands_due("wrk_one", NOON + HOUR) == []
    with pytest.raises(LeaseLost):
        await store.copied(replace(lease, epoch=99), sent.id, SentCopy.DONE)
    await store.copied(lease, sent.id, SentCopy.DONE)
    assert await store.copies_due(lease) == []
    assert (await store.delivery(sent.id)).sent_copy is SentCopy.DONE  # type: ignore[union-attr]


async def test_every_waiting_state_is_overdue_when_its_time_is_over(store: Store, world: World, lease: Lease) -> None:
    states = {state: await accept(store, world, lease) for state in State}
    for state, one in states.items():
        if state is not State.QUEUED:
            await put(store, one, state=state)
    end = NOON + timedelta(hours=72)
    assert await store.overdue(end - timedelta(microseconds=1)) == []
    found = {one.state for one in await store.overdue(end)}
    assert found == {State.QUEUED, State.DEFERRED, State.HELD, State.UNCONFIRMED}


async def test_deliveries_are_listed_latest_first_by_mailbox_state_and_conversation(
    store: Store, world: World, lease: Lease
) -> None:
    other = await add_mailbox(store, world, "other@example.org")
    made = []
    for number in range(6):
        world.at += timedelta(seconds=1)
        mailbox_id = other.id if number % 3 == 2 else lease.mailbox_id
        made.insert(0, (await store.accept(acceptance(world, mailbox_id))).delivery)
    failed = await put(store, made[1], state=State.FAILED)

    async def listed(**conditions: object) -> list[str]:
        found, page = [], None
        while page is None or page.next_cursor:
            page = await store.deliveries(limit=2, cursor=page.next_cursor if page else None, **conditions)
            found += [one.id for one in page.items]
        return found

    assert await listed() == [one.id for one in made]
    ours = [one.id for one in made if one.mailbox_id == lease.mailbox_id]
    assert await listed(mailbox_id=lease.mailbox_id) == ours
    assert await listed(mailbox_id=lease.mailbox_id, state=State.QUEUED) == [one for one in ours if one != failed.id]
    assert await listed(state=State.FAILED) == [failed.id]
    assert await listed(conversation_id=made[2].conversation_id) == [made[2].id]
    assert await listed(conversation_id="junk") == []
