"""What comes in: ledger, messages, conversations and cursors in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Cursor, Outcome
from postroom.core.events import EventType
from postroom.core.identity import Kind
from postroom.core.mailbox import Mailbox
from postroom.core.message import Address, Flow
from postroom.core.ports.store import Lease, LeaseLost, Store
from tests.store.make import NOON, World, acceptance, add_mailbox, arrival, own, parsed


@pytest.fixture
async def mailbox(store: Store, world: World) -> Mailbox:
    return await add_mailbox(store, world)


@pytest.fixture
async def lease(store: Store, world: World, mailbox: Mailbox) -> Lease:
    return (await own(store, world))[mailbox.id]


@pytest.fixture
def cursor(mailbox: Mailbox) -> Cursor:
    return Cursor(mailbox.id, "INBOX", 7, last_uid=1, highest_modseq=2**62, synced_at=NOON, total=3, done=1)


async def test_a_message_is_read_back_as_it_came(store: Store, world: World, lease: Lease, cursor: Cursor) -> None:
    came = arrival(world, lease.mailbox_id, 1, parsed(references=("x@y", "z@y"), date=None))
    (message,) = await store.record(lease, cursor, [came])
    assert message.parsed == came.parsed
    assert (message.id, message.flow, message.folder) == (came.message_id, Flow.INBOUND, "INBOX")
    assert (message.size, message.received_at, message.quarantine) == (len(came.raw or b""), NOON, None)
    assert await store.message(message.id) == message
    assert await store.raw(message.id) == came.raw
    assert await store.message_by_rfc_id(lease.mailbox_id, "one@example.com") == message
    assert await store.latest(message.conversation_id) == message
    assert await store.cursor(lease.mailbox_id, "INBOX") == cursor
    view = await store.mailbox(lease.mailbox_id)
    assert view is not None
    assert view.cursors == (cursor,)


async def test_what_is_not_there_is_none(store: Store, world: World, mailbox: Mailbox) -> None:
    nothing = world.identifier(Kind.MESSAGE, mailbox.id)
    assert await store.message(nothing) is None
    assert await store.message("junk") is None
    assert await store.raw(nothing) is None
    assert await store.conversation("junk") is None
    assert await store.latest("junk") is None
    assert await store.cursor(mailbox.id, "INBOX") is None
    assert await store.message_by_rfc_id(mailbox.id, "none@example.com") is None
    assert (await store.messages("junk")).items == ()


async def test_a_message_that_came_is_told_once(store: Store, world: World, lease: Lease, cursor: Cursor) -> None:
    came = arrival(world, lease.mailbox_id, 1, parsed(automatic=True))
    await store.record(lease, cursor, [came])
    again = replace(came, message_id=world.identifier(Kind.MESSAGE, lease.mailbox_id), event_id="evt_2")
    assert await store.record(lease, cursor, [again, again]) == []
    (recorded,) = await store.events(0)
    assert (recorded.event.id, recorded.event.type) == (came.event_id, EventType.MESSAGE_RECEIVED)
    assert recorded.event.data == {
        "id": came.message_id,
        "mailbox_id": lease.mailbox_id,
        "message_id": "one@example.com",
        "conversation_id": came.conversation_id,
        "from": {"email": "ann@example.com", "name": "Ann Ä"},
        "subject": "Der Drucker – wieder",
        "received_at": "2026-03-01T12:00:00.123456Z",
        "folder": "INBOX",
        "quarantine": None,
        "automatic": True,
    }


async def test_a_folder_made_anew_brings_no_message_again(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    old = [arrival(world, lease.mailbox_id, uid) for uid in (1, 2)]
    nameless = arrival(world, lease.mailbox_id, 3, parsed(None), raw=b"no Message-ID")
    await store.record(lease, cursor, [*old, nameless])
    anew = replace(cursor, uid_validity=8)
    shown = [
        arrival(world, lease.mailbox_id, 10, old[1].parsed),
        arrival(world, lease.mailbox_id, 11, parsed("1@example.com"), raw=b"the same Message-ID, other bytes"),
        arrival(world, lease.mailbox_id, 12, parsed(None), raw=b"no Message-ID"),
        arrival(world, lease.mailbox_id, 13, parsed(None), raw=b"no Message-ID either"),
    ]
    new = await store.record(lease, anew, shown)
    assert [one.id for one in new] == [shown[1].message_id, shown[3].message_id]
    assert len(await store.events(0)) == 5
    assert await store.record(lease, anew, shown) == []


async def test_a_folder_wound_back_is_read_anew_without_repeating_messages(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    """The server gave UIDs out again under the same UIDVALIDITY: what they name now may be something else."""
    first, second = arrival(world, lease.mailbox_id, 1), arrival(world, lease.mailbox_id, 2)
    await store.record(lease, cursor, [first, second])
    with pytest.raises(LeaseLost):
        await store.forget(replace(lease, epoch=99), "INBOX", 7)
    await store.forget(lease, "INBOX", 7)
    new = arrival(world, lease.mailbox_id, 1, parsed("new@b"))
    moved = arrival(world, lease.mailbox_id, 5, second.parsed)
    assert [one.id for one in await store.record(lease, cursor, [new, moved])] == [new.message_id]
    assert len(await store.events(0)) == 3
    assert await store.message(first.message_id) is not None
    assert await store.record(lease, cursor, [new, moved]) == []


async def test_the_same_message_twice_in_a_folder_is_two_messages(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    twice = [arrival(world, lease.mailbox_id, uid, parsed()) for uid in (1, 2)]
    assert len(await store.record(lease, cursor, twice)) == 2


async def test_skipped_and_quarantined_ones_stand_beside_the_others(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    arrivals = [
        arrival(world, lease.mailbox_id, 1),
        arrival(world, lease.mailbox_id, 2, outcome=Outcome.SKIPPED, raw=None, parsed=None, reason="too large", size=9),
        replace(
            arrival(world, lease.mailbox_id, 3), outcome=Outcome.QUARANTINED, parsed=None, reason="nested too deep"
        ),
    ]
    fine, broken = await store.record(lease, cursor, arrivals)
    assert (fine.quarantine, broken.quarantine) == (None, "nested too deep")
    assert await store.raw(broken.id) == arrivals[2].raw
    assert await store.latest(broken.conversation_id) is None
    assert [one.event.data["quarantine"] for one in await store.events(0)] == [None, "nested too deep"]
    assert await store.record(lease, cursor, arrivals) == []


@pytest.mark.parametrize("subject", ["half a pair \ud83d", "a \udcff byte"])
async def test_a_message_that_the_database_refuses_does_not_stop_the_others(
    store: Store, world: World, lease: Lease, cursor: Cursor, subject: str
) -> None:
    arrivals = [arrival(world, lease.mailbox_id, uid) for uid in (1, 2, 3)]
    arrivals[1] = replace(arrivals[1], parsed=parsed("2@example.com", subject=subject))
    taken = await store.record(lease, cursor, arrivals)
    assert [one.quarantine is None for one in taken] == [True, False, True]
    assert await store.raw(taken[1].id) == arrivals[1].raw
    assert len(await store.events(0)) == 3
    assert await store.record(lease, cursor, arrivals) == []


async def test_a_number_that_no_database_holds_is_not_mistaken_for_a_bad_message(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever type: what matters is that nothing was taken in
        await store.record(lease, replace(cursor, last_uid=2**70), [arrival(world, lease.mailbox_id, 1)])
    assert await store.cursor(lease.mailbox_id, "INBOX") is None


async def test_a_message_id_longer_than_any_index_takes_is_kept_and_found(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    long = "x" * 20_000 + "@example.com"
    first, answer = await store.record(
        lease,
        cursor,
        [
            arrival(world, lease.mailbox_id, 1, parsed(long)),
            arrival(world, lease.mailbox_id, 2, parsed("2@example.com", in_reply_to="1@b", references=(long, "1@b"))),
        ],
    )
    assert first.quarantine is None
    assert await store.message_by_rfc_id(lease.mailbox_id, long) == first
    assert await store.message(answer.id) == answer


async def test_answers_join_their_conversation(store: Store, world: World, lease: Lease, cursor: Cursor) -> None:
    question = arrival(world, lease.mailbox_id, 1)
    answer = arrival(world, lease.mailbox_id, 2, parsed("2@b", in_reply_to="1@example.com", subject="Re: anders"))
    world.at += timedelta(minutes=5)
    third = arrival(
        world,
        lease.mailbox_id,
        3,
        parsed("3@b", references=("1@example.com", "2@b"), sender=Address("cy@example.com"), subject="Re"),
    )
    other = arrival(world, lease.mailbox_id, 4, parsed("4@b", in_reply_to="unheard@of", subject="Re: Rechnung"))
    await store.record(lease, cursor, [question, answer])
    await store.record(lease, cursor, [third, other])
    found = await store.conversation(question.conversation_id)
    assert found is not None
    assert (found.subject, found.message_count) == ("Der Drucker – wieder", 3)
    assert (found.created_at, found.updated_at) == (NOON, world.at)
    assert [one.email for one in found.participants] == ["ann@example.com", "help@example.org", "cy@example.com"]
    messages = (await store.messages(found.id)).items
    assert [one.id for one in messages] == [question.message_id, answer.message_id, third.message_id]
    assert (await store.conversation(other.conversation_id)).message_count == 1  # type: ignore[union-attr]


async def test_an_answer_that_comes_before_its_question_is_joined_by_it(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    answer = arrival(world, lease.mailbox_id, 1, parsed("answer@b", references=("root@b", "question@b")))
    question = arrival(world, lease.mailbox_id, 2, parsed("question@b"))
    other = arrival(world, lease.mailbox_id, 3, parsed("other@b", in_reply_to="root@b"))
    for uid, one in enumerate((answer, question, other), 1):
        (taken,) = await store.record(lease, replace(cursor, last_uid=uid), [one])
        assert taken.conversation_id == answer.conversation_id


async def test_an_answer_to_what_we_sent_joins_it_and_conversations_do_not_cross_mailboxes(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    sent = (await store.accept(acceptance(world, lease.mailbox_id))).delivery
    (answer,) = await store.record(
        lease, cursor, [arrival(world, lease.mailbox_id, 1, parsed("a@b", in_reply_to=sent.rfc_message_id))]
    )
    assert answer.conversation_id == sent.conversation_id
    other = await add_mailbox(store, world, "other@example.org")
    foreign = (await own(store, world))[other.id]
    (elsewhere,) = await store.record(
        foreign,
        Cursor(other.id, "INBOX", 1),
        [arrival(world, other.id, 1, parsed("a2@b", in_reply_to=sent.rfc_message_id))],
    )
    assert elsewhere.conversation_id != sent.conversation_id


async def test_a_copy_to_ourselves_is_a_message_that_came(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    sent = (await store.accept(acceptance(world, lease.mailbox_id))).delivery
    (came,) = await store.record(lease, cursor, [arrival(world, lease.mailbox_id, 1, parsed(sent.rfc_message_id))])
    assert (came.flow, came.conversation_id) == (Flow.INBOUND, sent.conversation_id)
    assert len((await store.messages(sent.conversation_id)).items) == 2


async def test_conversations_are_listed_latest_first_page_by_page(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    expected = []
    for uid in range(1, 8):
        if uid % 2:  # pairs of the same time
            world.at += timedelta(seconds=1)
        (taken,) = await store.record(lease, cursor, [arrival(world, lease.mailbox_id, uid)])
        expected.insert(0, taken.conversation_id)
    for mailbox_id in (None, lease.mailbox_id):
        found, page = [], None
        while page is None or page.next_cursor:
            page = await store.conversations(mailbox_id=mailbox_id, limit=3, cursor=page.next_cursor if page else None)
            found += [one.id for one in page.items]
        assert found == expected
    assert (await store.conversations(mailbox_id="mbx_none")).items == ()


async def test_messages_of_a_conversation_are_listed_oldest_first_page_by_page(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    first = arrival(world, lease.mailbox_id, 1)
    later = [
        arrival(world, lease.mailbox_id, uid, parsed(f"{uid}@b", in_reply_to="1@example.com")) for uid in (2, 3, 4)
    ]
    await store.record(lease, cursor, [first, *later])
    page = await store.messages(first.conversation_id, limit=3)
    rest = await store.messages(first.conversation_id, limit=3, cursor=page.next_cursor)
    assert [one.id for one in (*page.items, *rest.items)] == [one.message_id for one in (first, *later)]
    assert rest.next_cursor is None


async def test_a_large_batch_with_a_giant_is_kept(store: Store, world: World, lease: Lease, cursor: Cursor) -> None:
    giant = arrival(world, lease.mailbox_id, 1000, raw=bytes(range(256)) * 40_000)
    many = [arrival(world, lease.mailbox_id, uid) for uid in range(1, 700)]
    assert len(await store.record(lease, cursor, [giant, *many])) == 700
    assert await store.raw(giant.message_id) == giant.raw


async def test_a_header_with_thousands_of_references_is_kept(
    store: Store, world: World, lease: Lease, cursor: Cursor
) -> None:
    many = tuple(f"{number}@b" for number in range(5000))
    (taken,) = await store.record(lease, cursor, [arrival(world, lease.mailbox_id, 1, parsed(references=many))])
    assert (await store.message(taken.id)).parsed.references == many  # type: ignore[union-attr]
    (answer,) = await store.record(
        lease, cursor, [arrival(world, lease.mailbox_id, 2, parsed("2@b", in_reply_to="4999@b"))]
    )
    assert answer.conversation_id == taken.conversation_id


async def test_nothing_is_recorded_without_the_lease(store: Store, world: World, lease: Lease, cursor: Cursor) -> None:
    with pytest.raises(LeaseLost):
        await store.record(replace(lease, epoch=lease.epoch - 1), cursor, [arrival(world, lease.mailbox_id, 1)])
    with pytest.raises(LeaseLost):
        await store.record(replace(lease, worker_id="wrk_two"), cursor, [arrival(world, lease.mailbox_id, 1)])
    await store.delete_mailbox(lease.mailbox_id)
    with pytest.raises(LeaseLost):
        await store.record(lease, cursor, [arrival(world, lease.mailbox_id, 1)])
    assert await store.events(0) == []
