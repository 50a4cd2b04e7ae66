"""What is found in a Sent folder, and threads that providers name."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Cursor
from postroom.core.events import EventType
from postroom.core.mailbox import Mailbox
from postroom.core.message import Address, Flow, Parsed
from postroom.core.ports.store import Lease, Store
from tests.store.make import NOON, World, acceptance, add_mailbox, arrival, own, parsed

ANN, BEN, US = Address("ann@example.com"), Address("ben@example.com"), Address("help@example.org")


class Folders:
    """INBOX and Sent, in which messages appear one after the other."""

    def __init__(self, store: Store, world: World, lease: Lease) -> None:
        self.store, self.world, self.lease = store, world, lease
        self._uid = 0

    async def shows(self, content: Parsed, *, sent: bool = False, thread: str | None = None, raw: bytes | None = None):
        """What was taken in of it: the messages that are new."""
        self._uid += 1
        name, flow = ("Sent", Flow.OUTBOUND) if sent else ("INBOX", Flow.INBOUND)
        cursor = Cursor(self.lease.mailbox_id, name, 7, last_uid=self._uid, synced_at=NOON, flow=flow)
        came = replace(arrival(self.world, self.lease.mailbox_id, self._uid, content), thread=thread)
        return await self.store.record(self.lease, cursor, [came if raw is None else replace(came, raw=raw)])

    async def told(self) -> list[str]:
        return [str(one.event.type) for one in await self.store.events(0)]


@pytest.fixture
async def mailbox(store: Store, world: World) -> Mailbox:
    return await add_mailbox(store, world)


@pytest.fixture
async def folders(store: Store, world: World, mailbox: Mailbox) -> Folders:
    return Folders(store, world, (await own(store, world))[mailbox.id])


def answer(to: Address = ANN, **fields: object) -> Parsed:
    return replace(parsed("answer@webmail.test"), sender=US, to=(to,), subject="Re: The printer again", **fields)


def question(sender: Address = ANN, number: int = 1, **fields: object) -> Parsed:
    return replace(parsed(f"{number}@example.com"), sender=sender, subject="The printer again", **fields)


async def test_an_answer_from_elsewhere_stands_in_its_conversation_as_outgoing(store: Store, folders: Folders) -> None:
    (asked,) = await folders.shows(question())
    (sent,) = await folders.shows(answer(in_reply_to="1@example.com"), sent=True)
    assert (sent.flow, sent.sent_elsewhere, sent.folder) == (Flow.OUTBOUND, True, "Sent")
    assert sent.conversation_id == asked.conversation_id
    assert [one.id for one in (await store.messages(asked.conversation_id)).items] == [asked.id, sent.id]
    assert not asked.sent_elsewhere
    (event,) = [one.event for one in await store.events(0) if one.event.type is EventType.MESSAGE_SENT_ELSEWHERE]
    assert (event.data["id"], event.data["conversation_id"]) == (sent.id, asked.conversation_id)
    assert (await folders.told()).count("message.received") == 1


async def test_an_answer_without_references_stands_by_its_recipients(folders: Folders) -> None:
    (asked,) = await folders.shows(question())
    (sent,) = await folders.shows(answer(), sent=True)
    assert sent.conversation_id == asked.conversation_id
    other = replace(answer(BEN), message_id="to-ben@webmail.test")
    (stranger,) = await folders.shows(other, sent=True)
    assert stranger.conversation_id != asked.conversation_id


async def test_our_own_copies_in_sent_are_not_shown_twice_nor_counted(
    store: Store, world: World, folders: Folders, mailbox: Mailbox
) -> None:
    accepted = acceptance(world, mailbox.id)
    ours = (await store.accept(accepted)).delivery
    for _ in range(2):  # the server's copy, and ours
        assert await folders.shows(replace(accepted.message.parsed), sent=True, raw=b"as the server wrote it") == []
    (shown,) = (await store.messages(ours.conversation_id)).items
    assert (shown.id, shown.folder, shown.sent_elsewhere) == (ours.message_id, None, False)
    conversation = await store.conversation(ours.conversation_id)
    assert conversation is not None
    assert conversation.message_count == 1
    assert [one.message_id for one in (await store.ledger(mailbox.id)).items] == [ours.message_id] * 2
    assert "message.sent_elsewhere" not in await folders.told()


async def test_our_copy_is_known_though_its_server_gave_it_another_message_id(
    store: Store, world: World, folders: Folders, mailbox: Mailbox
) -> None:
    written = parsed(date=NOON.replace(microsecond=0), to=(ANN,))
    accepted = acceptance(world, mailbox.id, content=written)
    await store.accept(accepted)
    renamed = replace(accepted.message.parsed, message_id="made-anew@exchange.example")
    assert await folders.shows(renamed, sent=True) == []
    assert len(await folders.shows(replace(renamed, message_id="x@y", subject="Another"), sent=True)) == 1
    assert len(await folders.shows(replace(renamed, message_id="y@y", to=(BEN,)), sent=True)) == 1
    assert len(await folders.shows(replace(renamed, message_id="z@y", date=NOON + timedelta(1)), sent=True)) == 1


async def test_a_sent_folder_numbered_anew_brings_nothing_twice(store: Store, world: World, folders: Folders) -> None:
    (sent,) = await folders.shows(answer(), sent=True)
    mailbox_id = folders.lease.mailbox_id
    anew = Cursor(mailbox_id, "Sent", 8, last_uid=2, flow=Flow.OUTBOUND)
    twice = [arrival(world, mailbox_id, uid, answer()) for uid in (1, 2)]
    assert await store.record(folders.lease, anew, twice) == []
    assert len((await store.messages(sent.conversation_id)).items) == 1


async def test_two_copies_that_come_together_are_one_message(store: Store, world: World, folders: Folders) -> None:
    mailbox_id = folders.lease.mailbox_id
    both = [arrival(world, mailbox_id, uid, answer()) for uid in (1, 2)]
    (sent,) = await store.record(folders.lease, Cursor(mailbox_id, "Sent", 7, last_uid=2, flow=Flow.OUTBOUND), both)
    assert [one.message_id for one in (await store.ledger(mailbox_id)).items] == [sent.id] * 2


async def test_what_comes_back_of_a_message_to_ourselves_has_come_in(folders: Folders) -> None:
    note = answer(US)
    await folders.shows(note, sent=True)
    assert len(await folders.shows(note)) == 1
    assert await folders.told() == ["message.sent_elsewhere", "message.received"]


@pytest.mark.parametrize("year", [1, 1969, 9999])
async def test_a_date_that_no_clock_shows_does_no_harm(folders: Folders, year: int) -> None:
    assert len(await folders.shows(answer(date=NOON.replace(year=year)), sent=True)) == 1


async def test_a_thread_of_the_provider_places_what_names_no_message(folders: Folders) -> None:
    (asked,) = await folders.shows(question(), thread="17")
    (again,) = await folders.shows(replace(question(number=2), subject="And the toner"), thread="17")
    assert again.conversation_id == asked.conversation_id
    (sent,) = await folders.shows(replace(answer(), subject="The toner"), sent=True, thread="17")
    assert sent.conversation_id == asked.conversation_id


async def test_a_thread_never_joins_two_customers(folders: Folders) -> None:
    (asked,) = await folders.shows(question(), thread="17")
    (other,) = await folders.shows(question(BEN, 2), thread="17")
    assert other.conversation_id != asked.conversation_id
    (later,) = await folders.shows(replace(question(BEN, 3), subject="So?"), thread="17")
    assert later.conversation_id == other.conversation_id


async def test_those_of_one_batch_see_the_thread_of_each_other(store: Store, world: World, folders: Folders) -> None:
    mailbox_id = folders.lease.mailbox_id
    people = (ANN, BEN, ANN, BEN)
    batch = [
        replace(arrival(world, mailbox_id, uid, question(sender, uid)), thread="17")
        for uid, sender in enumerate(people, 1)
    ]
    taken = await store.record(folders.lease, Cursor(mailbox_id, "INBOX", 7, last_uid=4), batch)
    first, second, third, fourth = (one.conversation_id for one in taken)
    assert (first, second) == (third, fourth)
    assert first != second
