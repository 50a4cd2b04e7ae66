"""Conversations that a person merges or splits. Where a message belongs by itself, core decides (conversation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, select, update

from postroom.core.events import Event, EventType
from postroom.core.identity import mailbox_of
from postroom.core.message import Conversation, Message
from postroom.core.ports.store import NotOfConversation
from postroom.store import conversations, eventlog
from postroom.store.conversations import participants_of
from postroom.store.messages import message_of_row, reference_key
from postroom.store.schema import conversation, conversation_reference, delivery, message


def merge(connection: Connection, source: str, into: str, event_id: str, now: datetime) -> Conversation | None:
    """All that is in `source` is in `into` from now on. None where either is not there."""
    mailbox_id = mailbox_of(source)
    if mailbox_id is None or mailbox_of(into) != mailbox_id:
        return None
    rows = _locked(connection, mailbox_id, (source, into))
    if len(rows) != 2 or any(row.merged_into is not None for row in rows.values()):
        return None
    for table in (message, delivery, conversation_reference):
        _move(connection, table, mailbox_id, table.c.conversation_id == source, into)
    of_mailbox = conversation.c.mailbox_id == mailbox_id
    led_here = (conversation.c.id == source) | (conversation.c.merged_into == source)
    connection.execute(update(conversation).where(of_mailbox, led_here).values(merged_into=into))
    connection.execute(
        update(conversation).where(of_mailbox, conversation.c.id == source).values(message_count=0, topic=None)
    )
    _count(connection, mailbox_id, into)
    data = {"id": into, "mailbox_id": mailbox_id, "merged": source}
    eventlog.append(connection, [Event(event_id, EventType.CONVERSATION_MERGED, now, mailbox_id, data)])
    return conversations.get(connection, into)


def split(
    connection: Connection, source: str, message_ids: Sequence[str], new: str, event_id: str, now: datetime
) -> Conversation | None:
    """The named messages are a conversation of their own from now on, `new`. None where there is no `source`. Raises
    NotOfConversation where one of them is not in it, or none would be left."""
    mailbox_id = mailbox_of(source)
    if mailbox_id is None or not _locked(connection, mailbox_id, (source,)):
        return None
    moved = _messages(connection, mailbox_id, source, message_ids)
    left = _messages(connection, mailbox_id, source, None)
    if len(moved) != len(set(message_ids)) or len(moved) == len(left):
        raise NotOfConversation
    conversations.join(connection, mailbox_id, [_as_of(one, new) for one in moved])
    identifiers = [one.id for one in moved]
    _move(connection, message, mailbox_id, message.c.id.in_(identifiers), new)
    _move(connection, delivery, mailbox_id, delivery.c.message_id.in_(identifiers), new)
    own = [reference_key(one.parsed.message_id) for one in moved if one.parsed.message_id]
    _move(connection, conversation_reference, mailbox_id, conversation_reference.c.rfc_message_id.in_(own), new)
    _count(connection, mailbox_id, source)
    data = {"id": new, "mailbox_id": mailbox_id, "split_from": source, "messages": identifiers}
    eventlog.append(connection, [Event(event_id, EventType.CONVERSATION_SPLIT, now, mailbox_id, data)])
    return conversations.get(connection, new)


def _locked(connection: Connection, mailbox_id: str, identifiers: Sequence[str]) -> dict[str, Row[Any]]:
    query = (
        select(conversation)
        .where(conversation.c.mailbox_id == mailbox_id, conversation.c.id.in_(identifiers))
        .order_by(conversation.c.id)
        .with_for_update(key_share=True)
    )
    return {row.id: row for row in connection.execute(query)}


def _move(connection: Connection, table: Table, mailbox_id: str, which: ColumnElement[bool], into: str) -> None:
    connection.execute(update(table).where(table.c.mailbox_id == mailbox_id, which).values(conversation_id=into))


def _messages(
    connection: Connection, mailbox_id: str, conversation_id: str, named: Sequence[str] | None
) -> list[Message]:
    query = select(message).where(message.c.mailbox_id == mailbox_id, message.c.conversation_id == conversation_id)
    if named is not None:
        query = query.where(message.c.id.in_(named))
    return [message_of_row(row) for row in connection.execute(query.order_by(message.c.received_at, message.c.id))]


def _as_of(one: Message, conversation_id: str) -> Message:
    return replace(one, conversation_id=conversation_id)


def _count(connection: Connection, mailbox_id: str, conversation_id: str) -> None:
    """What a conversation says of its messages, said anew. Its subject stays, which people know it by."""
    there = _messages(connection, mailbox_id, conversation_id, None)
    connection.execute(
        update(conversation)
        .where(conversation.c.mailbox_id == mailbox_id, conversation.c.id == conversation_id)
        .values(
            created_at=there[0].received_at,
            updated_at=there[-1].received_at,
            message_count=len(there),
            participants=participants_of((), there),
        )
    )
