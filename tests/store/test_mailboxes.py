"""Mailboxes, credentials and health in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Cursor
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.delivery import State as DeliveryState
from postroom.core.events import Event, EventType
from postroom.core.health import UNTOLD, Notices
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Credential, Direction, UnconfirmedPolicy
from postroom.core.ports.store import AddressTaken, HealthChange, MailboxGone, Store
from tests.store.make import NOON, World, acceptance, add_mailbox, arrival, diagnosis, health, mailbox, own

MINUTE = timedelta(minutes=1)


async def test_a_mailbox_is_read_back_as_it_was_added(store: Store, world: World) -> None:
    new = await add_mailbox(
        store,
        world,
        ca_certificate="PEM",
        hold_hours=5,
        folders=("INBOX", "Entwürfe"),
        reference="crm-7",
        unconfirmed=UnconfirmedPolicy.ASK,
    )
    view = await store.mailbox(new.id)
    assert view is not None
    assert view.mailbox == new
    assert view.receiving == health(new.id, Direction.IMAP, HealthState.CONNECTED)
    assert view.sending == health(new.id, Direction.SMTP, HealthState.CONNECTED)
    assert (view.held, view.oldest_held_expires_at, view.cursors) == (0, None, ())
    assert await store.mailbox_by_address("HELP@Example.org") == view
    assert await store.mailbox("mbx_none") is None
    assert await store.mailbox_by_address("none@example.org") is None


async def test_an_address_is_connected_only_once_whatever_its_case(store: Store, world: World) -> None:
    await add_mailbox(store, world)
    other = await add_mailbox(store, world, "other@example.org")
    with pytest.raises(AddressTaken):
        await add_mailbox(store, world, "Help@EXAMPLE.org")
    with pytest.raises(AddressTaken):
        await store.update_mailbox(replace(other, address="help@example.org"))
    assert len((await store.mailboxes()).items) == 2


async def test_the_events_of_a_new_mailbox_are_written_with_it(store: Store, world: World) -> None:
    new = mailbox(world)
    event = Event("evt_1", EventType.MAILBOX_CONNECTED, NOON, new.id, {"id": new.id, "é": [1, None]})
    changes = [
        HealthChange(health(new.id, Direction.IMAP, HealthState.CONNECTED), events=(event,)),
        HealthChange(health(new.id, Direction.SMTP, HealthState.CONNECTING)),
    ]
    await store.add_mailbox(new, Credential(password="x"), changes)
    assert [one.event for one in await store.events(0)] == [event]


async def test_mailboxes_are_listed_by_address_page_by_page(store: Store, world: World) -> None:
    for letter in "cabed":
        await add_mailbox(store, world, f"{letter}@example.org", reference="x" if letter in "ad" else None)
    first = await store.mailboxes(limit=2)
    second = await store.mailboxes(limit=2, cursor=first.next_cursor)
    third = await store.mailboxes(limit=2, cursor=second.next_cursor)
    found = [view.mailbox.address[0] for page in (first, second, third) for view in page.items]
    assert found == list("abcde")
    assert third.next_cursor is None
    assert [view.mailbox.address[0] for view in (await store.mailboxes(reference="x")).items] == ["a", "d"]


async def test_a_foreign_cursor_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="begin again without it"):
        await store.mailboxes(cursor="nonsense")
    with pytest.raises(ValueError, match="begin again without it"):
        await store.conversations(cursor=(await _cursor_of_mailboxes()))


async def _cursor_of_mailboxes() -> str:
    from postroom.store import paging

    return paging.encode("a@example.org")


async def test_a_change_of_a_mailbox_keeps_its_lease(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    leases = await own(store, world)
    await store.update_mailbox(replace(new, name="Neu", hold_hours=1))
    view = await store.mailbox(new.id)
    assert view is not None
    assert (view.mailbox.name, view.mailbox.hold_hours) == ("Neu", 1)
    assert await store.leases("wrk_one") == list(leases.values())


async def test_what_needs_a_mailbox_that_is_gone_says_so(store: Store, world: World) -> None:
    gone = mailbox(world)
    with pytest.raises(MailboxGone):
        await store.update_mailbox(gone)
    with pytest.raises(MailboxGone):
        await store.credential(gone.id)
    with pytest.raises(MailboxGone):
        await store.set_credential(gone.id, Credential())
    with pytest.raises(MailboxGone):
        await store.health(gone.id, Direction.IMAP)
    with pytest.raises(MailboxGone):
        await store.accept(acceptance(world, gone.id))
    assert not await store.save_health(
        HealthChange(health(gone.id, Direction.SMTP, HealthState.PAUSED)), HealthState.CONNECTED
    )
    assert not await store.delete_mailbox(gone.id)


async def test_a_deleted_mailbox_leaves_no_row(store: Store, world: World) -> None:
    keep, drop = await add_mailbox(store, world, "a@example.org"), await add_mailbox(store, world, "b@example.org")
    leases = await own(store, world)
    for one in (keep, drop):
        await store.record(leases[one.id], Cursor(one.id, "INBOX", 1), [arrival(world, one.id, 1)])
        await store.accept(acceptance(world, one.id))
    assert await store.delete_mailbox(drop.id)
    assert await store.mailbox(drop.id) is None
    assert {one.mailbox_id for one in (await store.deliveries()).items} == {keep.id}
    assert {one.mailbox_id for one in (await store.conversations()).items} == {keep.id}
    assert {one.event.mailbox_id for one in await store.events(0)} == {keep.id}
    assert [lease.mailbox_id for lease in await store.leases("wrk_one")] == [keep.id]


async def test_a_credential_is_replaced(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    assert await store.credential(new.id) == Credential(password="correct horse")
    await store.set_credential(new.id, Credential(password="пароль"))
    assert await store.credential(new.id) == Credential(password="пароль")


async def test_health_is_compared_before_it_is_swapped(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    faltering = health(
        new.id,
        Direction.IMAP,
        HealthState.FALTERING,
        diagnosis=diagnosis(direction=Direction.IMAP),
        failures=3,
        next_probe_at=NOON + timedelta(seconds=5),
    )
    event = Event("evt_1", EventType.MAILBOX_DEGRADED, NOON, new.id, {})
    change = HealthChange(faltering, events=(event,))
    assert not await store.save_health(change, HealthState.PAUSED)
    assert await store.events(0) == []
    assert await store.save_health(change, HealthState.CONNECTED)
    assert await store.health(new.id, Direction.IMAP) == faltering
    assert [one.event for one in await store.events(0)] == [event]


async def test_when_a_server_was_heard_is_written_with_the_heartbeat_and_never_goes_back(
    store: Store, world: World
) -> None:
    new = await add_mailbox(store, world)
    for seconds in (9, 5):
        await store.heard(new.id, Direction.IMAP, NOON + timedelta(seconds=seconds))
        await own(store, world)
    assert (await store.health(new.id, Direction.IMAP)).heard_at == NOON + timedelta(seconds=9)
    assert (await store.health(new.id, Direction.SMTP)).heard_at is None


async def test_probes_are_due_for_the_owner_when_their_time_has_come(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    later = NOON + timedelta(seconds=5)
    due = health(new.id, Direction.SMTP, HealthState.FALTERING, next_probe_at=later)
    await store.save_health(HealthChange(due), HealthState.CONNECTED)
    assert await store.probes_due("wrk_one", Direction.SMTP, later) == []
    await own(store, world)
    assert await store.probes_due("wrk_one", Direction.SMTP, NOON) == []
    assert await store.probes_due("wrk_one", Direction.IMAP, later) == []
    assert await store.probes_due("wrk_one", Direction.SMTP, later) == [due]
    assert await store.unsettled("wrk_one", Direction.SMTP) == [due]
    assert await store.unsettled("wrk_one", Direction.IMAP) == []


async def test_only_untold_trouble_lasts(store: Store, world: World) -> None:
    since = NOON - timedelta(minutes=20)
    for number, state in enumerate(HealthState):
        new = await add_mailbox(store, world, f"{number}@example.org")
        await store.save_health(HealthChange(health(new.id, Direction.IMAP, state, since=since)), HealthState.CONNECTED)
    await own(store, world)
    found = await store.lasting("wrk_one", NOON - timedelta(minutes=10), NOON)
    assert {one.state for one in found} == UNTOLD
    assert await store.lasting("wrk_one", since, NOON) == []


async def test_what_came_and_went_is_due_for_a_word_when_it_has_been_calm(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    await own(store, world)
    notices = Notices((NOON, NOON + timedelta(minutes=1)), NOON + timedelta(minutes=30))
    flapping = health(new.id, Direction.IMAP, HealthState.CONNECTED, notices=notices)
    await store.save_health(HealthChange(flapping), HealthState.CONNECTED)
    assert (await store.health(new.id, Direction.IMAP)).notices == notices
    before = NOON - timedelta(minutes=10)
    assert await store.lasting("wrk_one", before, NOON + timedelta(minutes=29)) == []
    assert await store.lasting("wrk_one", before, NOON + timedelta(minutes=30)) == [flapping]


async def test_mailboxes_of_one_provider_that_are_refused_alike_are_counted(store: Store, world: World) -> None:
    made = [await add_mailbox(store, world, f"{number}@example.org") for number in range(4)]
    await add_mailbox(store, world, "elsewhere@example.org", provider="other")
    for number, code in enumerate(["invalid_credentials", "invalid_credentials", "quota"]):
        world.at = NOON + timedelta(minutes=number)
        suspected = health(made[number].id, Direction.SMTP, HealthState.SUSPECTED, diagnosis=diagnosis(code))
        await store.save_health(HealthChange(suspected), HealthState.CONNECTED)
    name = "smtp.invalid_credentials"
    assert await store.refused_alike("generic", "smtp.example.org", name, NOON) == (2, 4)
    assert await store.refused_alike("generic", "smtp.example.org", name, NOON + timedelta(seconds=1)) == (1, 4)
    assert await store.refused_alike("generic", "imap.example.org", name, NOON) == (0, 0)
    assert await store.refused_alike("other", "smtp.example.org", name, NOON) == (0, 1)


async def test_who_was_asked_and_who_has_signed_in_since_are_counted(store: Store, world: World) -> None:
    made = [await add_mailbox(store, world, f"{number}@example.org") for number in range(4)]
    refused = diagnosis("invalid_credentials")
    for number, state in enumerate([HealthState.DEGRADED, HealthState.NEEDS_REAUTH, HealthState.CONNECTED]):
        told = None if state is HealthState.CONNECTED else refused
        at = NOON + timedelta(minutes=number)
        changed = replace(health(made[number].id, Direction.SMTP, state, diagnosis=told), since=at)
        await store.save_health(HealthChange(changed), HealthState.CONNECTED)

    async def counted(asked_since: timedelta, until: timedelta, host: str = "smtp.example.org") -> tuple[int, int]:
        return await store.asked_and_working(
            "generic", host, refused.name, asked_since=NOON + asked_since, began=NOON + MINUTE, until=NOON + until
        )

    assert await counted(MINUTE, 2 * MINUTE) == (1, 1)
    assert await counted(2 * MINUTE, MINUTE) == (0, 0)
    assert await counted(MINUTE, 2 * MINUTE, "imap.example.org") == (0, 0)


async def test_counts_tell_deliveries_and_directions_by_state(store: Store, world: World) -> None:
    new = await add_mailbox(store, world, sending=HealthState.PAUSED)
    await store.accept(acceptance(world, new.id))
    counts = await store.counts()
    assert counts.deliveries == {DeliveryState.HELD: 1}
    assert counts.directions == {
        (Direction.IMAP, HealthState.CONNECTED): 1,
        (Direction.SMTP, HealthState.PAUSED): 1,
    }


async def test_a_hold_moves_what_waits_and_tells_of_each(store: Store, world: World) -> None:
    new = await add_mailbox(store, world)
    accepted = [(await store.accept(acceptance(world, new.id))).delivery for _ in range(3)]
    leases = await own(store, world)
    assert await store.begin(leases[new.id], accepted[0], NOON)
    why = health(new.id, Direction.SMTP, HealthState.NEEDS_REAUTH, diagnosis=diagnosis())
    await store.save_health(HealthChange(why, DeliverySignal.HOLD), HealthState.CONNECTED)
    states = [one.state for one in reversed((await store.deliveries()).items)]
    assert states == [DeliveryState.SENDING, DeliveryState.HELD, DeliveryState.HELD]
    told = [one.event for one in await store.events(0)]
    assert [one.type for one in told] == [EventType.DELIVERY_HELD] * 2
    assert [one.data["id"] for one in told] == [accepted[1].id, accepted[2].id]
    assert {one.data["state"] for one in told} == {"held"}
    assert {one.data["diagnosis"]["code"] for one in told} == {"smtp.invalid_credentials"}
    view = await store.mailbox(new.id)
    assert view is not None
    assert (view.held, view.oldest_held_expires_at) == (2, accepted[1].expires_at)


async def test_a_release_queues_what_was_held_for_when_it_was_due_or_wished(store: Store, world: World) -> None:
    new = await add_mailbox(store, world, sending=HealthState.NEEDS_REAUTH)
    tomorrow = NOON + timedelta(days=1)
    first = (await store.accept(acceptance(world, new.id))).delivery
    later = (await store.accept(acceptance(world, new.id, send_at=tomorrow, next_attempt_at=tomorrow))).delivery
    assert {first.state, later.state} == {DeliveryState.HELD}
    world.at = NOON + timedelta(hours=1)
    change = HealthChange(health(new.id, Direction.SMTP, HealthState.CONNECTED), DeliverySignal.RELEASE)
    await store.save_health(change, HealthState.NEEDS_REAUTH)
    found = {one.id: one for one in (await store.deliveries()).items}
    assert {one.state for one in found.values()} == {DeliveryState.QUEUED}
    assert found[first.id].next_attempt_at == first.next_attempt_at <= world.at
    assert found[first.id].diagnosis is None
    assert found[later.id].next_attempt_at == tomorrow
    assert found[first.id].expires_at == first.expires_at
