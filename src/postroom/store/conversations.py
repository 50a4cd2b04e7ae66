"""Conversations: what a new message changes in them, and their lists. Where a message belongs, core decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, insert, select, tuple_, update

from postroom.core.identity import mailbox_of
from postroom.core.message import Address, Conversation, Message, Parsed
from postroom.core.ports.store import Page
from postroom.core.subject import topic
from postroom.store import paging, prepared
from postroom.store.messages import addresses_of, message_of_row, reference_key
from postroom.store.prepared import Read, Write
from postroom.store.schema import conversation, conversation_reference, message

MOST_REFERENCES = 100
"""References of one message that are noted, the nearest ones: some headers bear thousands."""
MOST_PARTICIPANTS = 100
"""Participants that a conversation shows."""
MOST_ALIKE = 100
"""Conversations of one topic that are looked at."""
_AT_ONCE = 500


_KNOWN = select(conversation_reference.c.rfc_message_id, conversation_reference.c.conversation_id).where(
    conversation_reference.c.mailbox_id == bindparam("of_mailbox"),
    conversation_reference.c.rfc_message_id.in_(bindparam("keys", expanding=True)),
)


def references(parsed: Parsed) -> list[str]:
    """The keys of the Message-IDs that a message names, its own first."""
    named = [parsed.message_id, parsed.in_reply_to, *reversed(parsed.references)]
    return list(dict.fromkeys(reference_key(one) for one in named if one))[:MOST_REFERENCES]


def known(connection: Connection, mailbox_id: str, keys: Iterable[str]) -> dict[str, str]:
    """The conversation of each Message-ID key that belongs to one."""
    wanted = sorted(set(keys))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(_KNOWN, {"of_mailbox": mailbox_id, "keys": wanted[start : start + _AT_ONCE]})
        found.update((row[0], row[1]) for row in rows)
    return found


def of_topic(connection: Connection, mailbox_id: str, wanted: str) -> list[Conversation]:
    """The latest conversations of this topic."""
    query = (
        select(conversation)
        .where(
            conversation.c.mailbox_id == mailbox_id,
            conversation.c.topic == wanted,
            conversation.c.merged_into.is_(None),
        )
        .order_by(conversation.c.updated_at.desc())
        .limit(MOST_ALIKE)
    )
    return [_conversation(row) for row in connection.execute(query)]


def of_threads(connection: Connection, mailbox_id: str, threads: Iterable[str]) -> list[tuple[str, Conversation]]:
    """Each thread, as the provider calls it, with a conversation that has a message of it."""
    wanted = sorted(set(threads))
    found: list[tuple[str, Conversation]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        query = (
            select(message.c.thread, conversation)
            .distinct()
            .join(
                conversation,
                and_(conversation.c.mailbox_id == message.c.mailbox_id, conversation.c.id == message.c.conversation_id),
            )
            .where(message.c.mailbox_id == mailbox_id, message.c.thread.in_(wanted[start : start + _AT_ONCE]))
        )
        found += [(row.thread, _conversation(row)) for row in connection.execute(query)]
    return found


def join(connection: Connection, mailbox_id: str, messages: Sequence[Message]) -> None:
    """Notes messages in their conversations, which begin with them where they are not there yet."""
    of_conversation: dict[str, list[Message]] = {}
    for one in messages:
        of_conversation.setdefault(one.conversation_id, []).append(one)
    there = _there(connection, mailbox_id, sorted(of_conversation))
    new = [_begun(group) for identifier, group in of_conversation.items() if identifier not in there]
    grown = [
        _grown(there[identifier], group) for identifier, group in sorted(of_conversation.items()) if identifier in there
    ]
    if new:
        _BEGIN.run_all(connection, new)
    if grown:
        _GROW.run_all(connection, grown)
    noted = [
        {"mailbox_id": mailbox_id, "rfc_message_id": key, "conversation_id": one.conversation_id}
        for one in messages
        for key in references(one.parsed)
    ]
    if noted:
        _NOTE.run_all(connection, noted)


_THERE = (
    select(conversation)
    .where(
        conversation.c.mailbox_id == bindparam("of_mailbox"),
        conversation.c.id.in_(bindparam("identifiers", expanding=True)),
    )
    .order_by(conversation.c.id)
    .with_for_update(key_share=True)
)
_THIS = Read(
    select(conversation)
    .where(conversation.c.mailbox_id == bindparam("of_mailbox"), conversation.c.id == bindparam("identifier"))
    .with_for_update(key_share=True)
)
_BEGIN = Write(insert(conversation))
_NOTE = prepared.new(conversation_reference)
_GROW = Write(
    update(conversation)
    .where(conversation.c.mailbox_id == bindparam("of_mailbox"), conversation.c.id == bindparam("identifier"))
    .values(
        created_at=bindparam("created"),
        updated_at=bindparam("updated"),
        message_count=bindparam("number"),
        participants=bindparam("people"),
    )
)


def _there(connection: Connection, mailbox_id: str, identifiers: Sequence[str]) -> dict[str, Row[Any]]:
    # In the order of their keys, locked: two who write to the same conversations wait, but never for each other.
    if len(identifiers) == 1:
        rows = _THIS.all(connection, {"of_mailbox": mailbox_id, "identifier": identifiers[0]})
    else:
        rows = connection.execute(_THERE, {"of_mailbox": mailbox_id, "identifiers": identifiers}).all()
    return {row.id: row for row in rows}


def _begun(messages: Sequence[Message]) -> dict[str, Any]:
    first = messages[0]
    return {
        "mailbox_id": first.mailbox_id,
        "id": first.conversation_id,
        "subject": first.parsed.subject,
        "created_at": min(one.received_at for one in messages),
        "updated_at": max(one.received_at for one in messages),
        "message_count": len(messages),
        "participants": participants_of((), messages),
        "topic": topic(first.parsed.subject),
    }


def _grown(before: Row[Any], messages: Sequence[Message]) -> dict[str, Any]:
    return {
        "of_mailbox": before.mailbox_id,
        "identifier": before.id,
        "created": min(before.created_at, *(one.received_at for one in messages)),
        "updated": max(before.updated_at, *(one.received_at for one in messages)),
        "number": before.message_count + len(messages),
        "people": participants_of(addresses_of(before.participants), messages),
    }


def participants_of(before: Sequence[Address], messages: Sequence[Message]) -> list[dict[str, str]]:
    """The same, as a row has them."""
    return [one.as_dict() for one in people_of(before, messages)]


def people_of(before: Sequence[Address], messages: Sequence[Message]) -> tuple[Address, ...]:
    """Who took part before, then senders and recipients in the order of the messages."""
    people: dict[str, Address] = {one.email.casefold(): one for one in before}
    for one in messages:
        sender = (one.parsed.sender,) if one.parsed.sender else ()
        for person in (*sender, *one.parsed.to, *one.parsed.cc):
            people.setdefault(person.email.casefold(), person)
    return tuple(people.values())[:MOST_PARTICIPANTS]


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(
        id=row.id,
        mailbox_id=row.mailbox_id,
        subject=row.subject,
        created_at=row.created_at,
        updated_at=row.updated_at,
        message_count=row.message_count,
        participants=addresses_of(row.participants),
    )


def get(connection: Connection, conversation_id: str) -> Conversation | None:
    """The one that it was merged into, where a person did so."""
    row = _row(connection, conversation_id)
    if row is not None and row.merged_into is not None:
        row = _row(connection, row.merged_into)
    return _conversation(row) if row is not None else None


def _row(connection: Connection, conversation_id: str) -> Row[Any] | None:
    query = select(conversation).where(
        conversation.c.mailbox_id == mailbox_of(conversation_id), conversation.c.id == conversation_id
    )
    return connection.execute(query).one_or_none()


def page(connection: Connection, mailbox_id: str | None, limit: int, cursor: str | None) -> Page[Conversation]:
    query = select(conversation).order_by(conversation.c.updated_at.desc(), conversation.c.id.desc()).limit(limit + 1)
    query = query.where(conversation.c.merged_into.is_(None))
    if mailbox_id is not None:
        query = query.where(conversation.c.mailbox_id == mailbox_id)
    if cursor is not None:
        place = paging.decode(cursor, datetime, str)
        query = query.where(tuple_(conversation.c.updated_at, conversation.c.id) < place)
    return paging.page(connection.execute(query).all(), limit, _conversation, "updated_at", "id")


def _of(conversation_id: str) -> ColumnElement[bool]:
    return and_(message.c.mailbox_id == mailbox_of(conversation_id), message.c.conversation_id == conversation_id)


def messages(connection: Connection, conversation_id: str, limit: int, cursor: str | None) -> Page[Message]:
    query = select(message).where(_of(conversation_id)).order_by(message.c.received_at, message.c.id).limit(limit + 1)
    if cursor is not None:
        place = paging.decode(cursor, datetime, str)
        query = query.where(tuple_(message.c.received_at, message.c.id) > place)
    return paging.page(connection.execute(query).all(), limit, message_of_row, "received_at", "id")


def latest(connection: Connection, conversation_id: str, by_people: bool = False) -> Message | None:
    """The newest readable message."""
    readable = select(message).where(_of(conversation_id), message.c.quarantine.is_(None))
    query = (
        (readable.where(message.c.automatic.is_(False)) if by_people else readable)
        .order_by(message.c.received_at.desc(), message.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return message_of_row(row) if row is not None else None
