"""Conversations by topic, and those that a person merged or split."""

from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.core.cursor import Cursor
from postroom.core.events import EventType
from postroom.core.identity import Kind
from postroom.core.mailbox import Mailbox
from postroom.core.message import Address
from postroom.core.ports.store import Lease, NotOfConversation, Store
from tests.store.make import NOON, World, acceptance, add_mailbox, arrival, own, parsed

ANN, BEN = Address("ann@example.com", "Ann"), Address("ben@example.com", "Ben")


class Folder:
    """A mailbox in which messages arrive one after the other."""

    def __init__(self, store: Store, world: World, lease: Lease) -> None:
        self.store, self.world, self.lease = store, world, lease
        self._uid = 0

    async def takes(self, subject: str = "The printer again", **fields: object):
        self._uid += 1
        content = replace(parsed(f"{self._uid}@example.com"), subject=subject, **fields)
        cursor = Cursor(self.lease.mailbox_id, "INBOX", 7, last_uid=self._uid, highest_modseq=None, synced_at=NOON)
        came = arrival(self.world, self.lease.mailbox_id, self._uid, content)
        (message,) = await self.store.record(self.lease, cursor, [came])
        return message


@pytest.fixture
async def mailbox(store: Store, world: World) -> Mailbox:
    return await add_mailbox(store, world)


@pytest.fixture
async def folder(store: Store, world: World, mailbox: Mailbox) -> Folder:
    return Folder(store, world, (await own(store, world))[mailbox.id])


async def test_an_answer_without_references_is_placed_by_its_topic_and_its_sender(folder: Folder) -> None:
    first = await folder.takes("The printer again", sender=ANN)
    second = await folder.takes("AW: RE:  the PRINTER again", sender=ANN)
    assert second.conversation_id == first.conversation_id


async def test_another_customer_is_never_put_into_it(folder: Folder) -> None:
    first = await folder.takes("The printer again", sender=ANN)
    second = await folder.takes("Re: The printer again", sender=BEN)
    assert second.conversation_id != first.conversation_id


async def test_what_is_no_answer_begins_a_conversation_whatever_its_subject(folder: Folder) -> None:
    first = await folder.takes("Your monthly invoice", sender=ANN)
    second = await folder.takes("Your monthly invoice", sender=ANN)
    assert second.conversation_id != first.conversation_id


async def test_a_topic_lasts_a_month(folder: Folder, world: World) -> None:
    first = await folder.takes(sender=ANN)
    world.at += timedelta(days=31)
    second = await folder.takes("Re: The printer again", sender=ANN)
    assert second.conversation_id != first.conversation_id


async def test_what_a_program_sent_and_short_subjects_are_placed_by_identifiers_alone(folder: Folder) -> None:
    first = await folder.takes(sender=ANN)
    automatic = await folder.takes("Re: The printer again", sender=ANN, automatic=True)
    assert automatic.conversation_id != first.conversation_id
    short = await folder.takes("Hello", sender=ANN)
    assert (await folder.takes("Re: Hello", sender=ANN)).conversation_id != short.conversation_id


async def test_an_answer_that_names_a_message_id_which_a_server_made_anew_is_placed(
    store: Store, world: World, folder: Folder, mailbox: Mailbox
) -> None:
    ours = replace(parsed(), subject="The printer again", to=(ANN,))
    sent = (await store.accept(acceptance(world, mailbox.id, content=ours))).delivery
    answer = await folder.takes("Re: The printer again", sender=ANN, in_reply_to="made-anew@ses.example")
    assert answer.conversation_id == sent.conversation_id


async def test_merged_conversations_are_one_and_stay_one(
    store: Store, world: World, folder: Folder, mailbox: Mailbox
) -> None:
    first = await folder.takes("One", sender=ANN)
    world.at += timedelta(minutes=1)
    second = await folder.takes("Two", sender=BEN)
    written = acceptance(world, mailbox.id, conversation_id=second.conversation_id)
    delivery = (await store.accept(written)).delivery
    merged = await store.merge(second.conversation_id, first.conversation_id)
    assert merged is not None
    assert (merged.id, merged.subject, merged.message_count) == (first.conversation_id, "One", 3)
    assert {one.email for one in merged.participants} >= {ANN.email, BEN.email}
    assert await store.conversation(second.conversation_id) == merged
    assert (await store.conversations()).items == (merged,)
    assert [one.id for one in (await store.messages(merged.id)).items][:2] == [first.id, second.id]
    moved = await store.delivery(delivery.id)
    assert moved is not None
    assert moved.conversation_id == merged.id
    later = await folder.takes("Something else", sender=BEN, in_reply_to=second.parsed.message_id)
    assert later.conversation_id == merged.id
    told = [one.event for one in await store.events(0) if one.event.type is EventType.CONVERSATION_MERGED]
    assert [(one.data["id"], one.data["merged"]) for one in told] == [(merged.id, second.conversation_id)]


async def test_a_chain_of_merged_conversations_leads_to_the_last(store: Store, folder: Folder) -> None:
    one, two, three = [(await folder.takes(f"Number {n}")).conversation_id for n in range(3)]
    await store.merge(one, two)
    await store.merge(two, three)
    found = await store.conversation(one)
    assert found is not None
    assert (found.id, found.message_count) == (three, 3)
    assert await store.merge(one, three) is None


async def test_conversations_of_two_mailboxes_are_not_merged(store: Store, world: World, folder: Folder) -> None:
    other = await add_mailbox(store, world, "other@example.org")
    theirs = (await store.accept(acceptance(world, other.id))).delivery.conversation_id
    ours = (await folder.takes()).conversation_id
    assert await store.merge(ours, theirs) is None
    assert await store.merge(ours, world.identifier(Kind.CONVERSATION, folder.lease.mailbox_id)) is None


async def test_split_messages_are_a_conversation_to_which_answers_go(store: Store, folder: Folder) -> None:
    first = await folder.takes("One", sender=ANN)
    second = await folder.takes("Another matter", sender=BEN, in_reply_to=first.parsed.message_id)
    assert second.conversation_id == first.conversation_id
    new = await store.split(first.conversation_id, [second.id])
    assert new is not None
    assert (new.subject, new.message_count) == ("Another matter", 1)
    left = await store.conversation(first.conversation_id)
    assert left is not None
    assert (left.subject, left.message_count) == ("One", 1)
    assert BEN.email not in {one.email for one in left.participants}
    answer = await folder.takes(
        "Re: x", sender=BEN, in_reply_to=second.parsed.message_id, references=(first.parsed.message_id,)
    )
    assert answer.conversation_id == new.id
    assert (await folder.takes("Re: x", in_reply_to=first.parsed.message_id)).conversation_id == left.id
    told = [one.event for one in await store.events(0) if one.event.type is EventType.CONVERSATION_SPLIT]
    assert [one.data["messages"] for one in told] == [[second.id]]


async def test_what_is_not_in_it_and_what_would_leave_nothing_is_refused(store: Store, folder: Folder) -> None:
    first, other = await folder.takes("One"), await folder.takes("Two")
    for named in ([first.id], [other.id], [first.id, other.id]):
        with pytest.raises(NotOfConversation):
            await store.split(first.conversation_id, named)
    assert (await store.messages(first.conversation_id)).items == (first,)
