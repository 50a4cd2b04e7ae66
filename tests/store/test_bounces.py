"""A report finds the delivery and the recipient that it is about, once, and changes nothing else."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.bounce import Action, Bounce, Reported
from postroom.core.cursor import Cursor
from postroom.core.delivery import Delivery, Recipient, RecipientState, Report, SentCopy, Signal, State
from postroom.core.events import EventType
from postroom.core.mailbox import Mailbox
from postroom.core.ports.store import Lease, Settlement, Store
from tests.store.make import World, acceptance, add_mailbox, arrival, own, parsed

UNKNOWN = Reported("ben@example.com", Action.FAILED, "5.1.1", "550 5.1.1 User unknown")
ACCEPTED = (
    Recipient("ann@example.com", RecipientState.ACCEPTED),
    Recipient("ben@example.com", RecipientState.ACCEPTED),
)


@pytest.fixture
async def mailbox(store: Store, world: World) -> Mailbox:
    return await add_mailbox(store, world)


@pytest.fixture
async def lease(store: Store, world: World, mailbox: Mailbox) -> Lease:
    return (await own(store, world))[mailbox.id]


async def sent(store: Store, world: World, lease: Lease, state: State = State.SENT, **changes: object) -> Delivery:
    one = (await store.accept(acceptance(world, lease.mailbox_id))).delivery
    gone = replace(one, **{"state": state, "recipients": ACCEPTED, **changes})
    assert await store.settle(None, Settlement(gone, State.QUEUED))
    return gone


async def comes_back(store: Store, world: World, lease: Lease, about: str, *reported: Reported, uid: int = 1) -> str:
    """The conversation of the report."""
    report = parsed(f"bounce-{uid}@mx.example.com", automatic=True, in_reply_to=None, references=())
    made = arrival(world, lease.mailbox_id, uid, report, bounce=Bounce((about,), reported))
    (taken,) = await store.record(lease, Cursor(lease.mailbox_id, "INBOX", 7, uid), [made])
    return taken.conversation_id


async def told(store: Store) -> list[EventType]:
    return [one.event.type for one in await store.events(0) if one.event.type is not EventType.MESSAGE_RECEIVED]


async def test_the_recipient_says_bounced_with_a_diagnosis_and_the_report_stands_in_the_conversation(
    store: Store, world: World, lease: Lease
) -> None:
    one = await sent(store, world, lease)
    world.at += timedelta(minutes=1)
    assert await comes_back(store, world, lease, one.rfc_message_id, UNKNOWN) == one.conversation_id
    found = await store.delivery(one.id)
    assert found is not None
    assert (found.state, found.bounced) == (State.SENT, True)
    assert [recipient.state for recipient in found.recipients] == [RecipientState.ACCEPTED, RecipientState.BOUNCED]
    diagnosis = found.recipients[1].diagnosis
    assert diagnosis is not None
    assert "ben@example.com does not exist" in diagnosis.reason
    event = [recorded.event for recorded in await store.events(0)][-1]
    assert event.type is EventType.DELIVERY_BOUNCED
    assert event.data["bounce"]["recipients"] == [
        {"address": "ben@example.com", "status": "5.1.1", "words": "550 5.1.1 User unknown"}
    ]
    message = await store.message(event.data["bounce"]["message"])
    assert message is not None
    assert message.parsed.automatic
    last = (await store.transitions(one.id))[-1]
    assert (last.cause, last.state, last.at) == (Report.BOUNCED, State.SENT, world.at)
    assert last.note == "ben@example.com: 550 5.1.1 User unknown"
    assert [one.id for one in (await store.deliveries(bounced=True)).items] == [one.id]
    assert (await store.deliveries(bounced=False)).items == ()


async def test_a_second_report_of_the_same_and_the_same_message_again_tell_nothing_new(
    store: Store, world: World, lease: Lease
) -> None:
    one = await sent(store, world, lease)
    for uid in (1, 2):
        await comes_back(store, world, lease, one.rfc_message_id, UNKNOWN, uid=uid)
    again = arrival(world, lease.mailbox_id, 2, bounce=Bounce((one.rfc_message_id,), (UNKNOWN,)))
    assert await store.record(lease, Cursor(lease.mailbox_id, "INBOX", 7, 2), [again]) == []
    assert await told(store) == [EventType.DELIVERY_BOUNCED]


async def test_a_report_on_what_was_never_sent_from_here_changes_nothing(
    store: Store, world: World, lease: Lease
) -> None:
    one = await sent(store, world, lease)
    other = await add_mailbox(store, world, "other@example.org")
    elsewhere = (await store.accept(acceptance(world, other.id))).delivery
    received = arrival(world, lease.mailbox_id, 1)
    await store.record(lease, Cursor(lease.mailbox_id, "INBOX", 7, 1), [received])
    for uid, name in enumerate(("forged@example.org", elsewhere.rfc_message_id, "1@example.com"), 2):
        conversation = await comes_back(store, world, lease, name, UNKNOWN, uid=uid)
        assert conversation not in (one.conversation_id, elsewhere.conversation_id)
    assert await store.delivery(one.id) == one
    assert await store.delivery(elsewhere.id) == elsewhere
    assert await told(store) == []


async def test_a_delay_is_noted_and_fails_nobody(store: Store, world: World, lease: Lease) -> None:
    one = await sent(store, world, lease)
    delayed = replace(UNKNOWN, action=Action.DELAYED, status="4.4.1", words="timed out")
    await comes_back(store, world, lease, one.rfc_message_id, delayed)
    assert await store.delivery(one.id) == one
    assert await told(store) == []
    last = (await store.transitions(one.id))[-1]
    assert (last.cause, last.note) == (Report.DELAYED, "ben@example.com: timed out")


async def test_a_report_shows_that_an_unconfirmed_message_was_taken(store: Store, world: World, lease: Lease) -> None:
    pending = (Recipient("ann@example.com"), Recipient("ben@example.com"))
    one = await sent(store, world, lease, State.UNCONFIRMED, recipients=pending)
    await comes_back(store, world, lease, one.rfc_message_id, UNKNOWN)
    found = await store.delivery(one.id)
    assert found is not None
    assert (found.state, found.sent_copy) == (State.SENT, SentCopy.DUE)
    assert [one.state for one in found.recipients] == [RecipientState.ACCEPTED, RecipientState.BOUNCED]
    assert await told(store) == [EventType.DELIVERY_SENT, EventType.DELIVERY_BOUNCED]


async def test_whoever_forwarded_it_is_found_by_the_original_recipient_or_by_being_the_only_one(
    store: Store, world: World, lease: Lease
) -> None:
    two = await sent(store, world, lease)
    behind = replace(UNKNOWN, address="b@private.example", original="BEN@example.com")
    await comes_back(store, world, lease, two.rfc_message_id, behind, uid=1)
    alone = await sent(store, world, lease, recipients=ACCEPTED[:1])
    await comes_back(store, world, lease, alone.rfc_message_id, replace(behind, original=None), uid=2)
    unclear = await sent(store, world, lease)
    await comes_back(store, world, lease, unclear.rfc_message_id, replace(behind, original=None), uid=3)
    bounced = []
    for one in (two, alone, unclear):
        found = await store.delivery(one.id)
        assert found is not None
        bounced.append([one.address for one in found.recipients if one.state is RecipientState.BOUNCED])
    assert bounced == [["ben@example.com"], ["ann@example.com"], []]
    assert len(await told(store)) == 3


async def test_a_person_who_sends_it_again_begins_anew(store: Store, world: World, lease: Lease) -> None:
    refused = (ACCEPTED[1], Recipient("ann@example.com", RecipientState.REFUSED))
    one = await sent(store, world, lease, State.FAILED, recipients=refused)
    await comes_back(store, world, lease, one.rfc_message_id, UNKNOWN)
    again = replace(one, state=State.QUEUED, recipients=ACCEPTED)
    assert await store.settle(None, Settlement(again, State.FAILED, signal=Signal.RETRIED))
    found = await store.delivery(one.id)
    assert found is not None
    assert not found.bounced
