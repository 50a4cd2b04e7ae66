"""Automatic messages of a conversation: how many there were lately, and that people were told. It stops nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, or_, select, update

from postroom.core.events import Event
from postroom.core.identity import mailbox_of
from postroom.core.message import Flow
from postroom.core.ports.store import Automatic
from postroom.store import eventlog
from postroom.store.schema import conversation, message


def automatic(connection: Connection, conversation_id: str, since: datetime) -> Automatic:
    """Those after `since`, or after the last message that a person sent from here."""
    of_conversation = (
        message.c.mailbox_id == mailbox_of(conversation_id),
        message.c.conversation_id == conversation_id,
        message.c.received_at > since,
    )
    by_hand = select(func.max(message.c.received_at)).where(
        *of_conversation, message.c.flow == str(Flow.OUTBOUND), message.c.automatic.is_(False)
    )
    last: datetime | None = connection.execute(by_hand).scalar_one()
    begin = max(since, last) if last else since
    number = (
        select(func.count())
        .select_from(message)
        .where(*of_conversation, message.c.automatic.is_(True), message.c.received_at > begin)
    )
    return Automatic(connection.execute(number).scalar_one(), begin)


def tell(connection: Connection, conversation_id: str, since: datetime, event: Event) -> bool:
    """Once for each time that automatic mail is stopped: not where people were told after `since`."""
    told = connection.execute(
        update(conversation)
        .where(
            conversation.c.mailbox_id == mailbox_of(conversation_id),
            conversation.c.id == conversation_id,
            or_(conversation.c.looped_at.is_(None), conversation.c.looped_at <= since),
        )
        .values(looped_at=event.at)
    )
    if told.rowcount == 0:
        return False
    eventlog.append(connection, [event])
    return True
