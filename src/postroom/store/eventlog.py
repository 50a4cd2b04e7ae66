"""The log of events. It posts nothing (webhooks)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, insert, select, update

from postroom.core.events import Event, EventType, Recorded
from postroom.core.identity import followers
from postroom.store.prepared import Read, Write
from postroom.store.schema import event, event_position

_MOVE = Read(
    update(event_position).values(last=event_position.c.last + bindparam("number")).returning(event_position.c.last)
)
_INSERT = Write(insert(event))
_INSERT_TEXT = Write(insert(event).values(data=bindparam("as_text", type_=Text())))
AT_ONCE = 1000
"""Events that are written together."""


def append(connection: Connection, events: Sequence[Event]) -> None:
    """Writes events; the last thing that a transaction does.

    Whoever moves the position holds its row until the commit, so positions become visible in their order: a reader who
    has seen one will never find a smaller one later. It comes last so that others wait as short as can be, and so that
    nobody waits for anything else while holding it.
    """
    if not events:
        return
    last: int = _MOVE.first(connection, {"number": len(events)}).last
    _INSERT.run_all(
        connection,
        [
            {
                "mailbox_id": one.mailbox_id,
                "position": position,
                "id": one.id,
                "type": str(one.type),
                "at": one.at,
                "data": one.data,
            }
            for position, one in enumerate(events, last - len(events) + 1)
        ],
    )


def append_many(
    connection: Connection,
    mailbox_id: str,
    kind: EventType,
    at: datetime,
    told: Iterable[str],
    number: int,
    new_id: Callable[[], str],
) -> None:
    """The same for very many events of one kind, of which only some are in memory at a time: their data as JSON, so
    many."""
    last: int = _MOVE.first(connection, {"number": number}).last
    rows = zip(range(last - number + 1, last + 1), told, strict=True)
    while some := list(islice(rows, AT_ONCE)):
        _INSERT_TEXT.run_all(
            connection,
            [
                {
                    "mailbox_id": mailbox_id,
                    "position": position,
                    "id": identifier,
                    "type": str(kind),
                    "at": at,
                    "as_text": data,
                }
                for (position, data), identifier in zip(some, followers(new_id()), strict=False)
            ],
        )


def recorded_of_row(row: Row[Any]) -> Recorded:
    return Recorded(row.position, Event(row.id, EventType(row.type), row.at, row.mailbox_id, row.data))


def after(
    connection: Connection,
    position: int,
    limit: int,
    types: Sequence[EventType],
    mailbox_id: str | None,
) -> list[Recorded]:
    query = select(event).where(event.c.position > position).order_by(event.c.position).limit(limit)
    if types:
        query = query.where(event.c.type.in_([str(one) for one in types]))
    if mailbox_id is not None:
        query = query.where(event.c.mailbox_id == mailbox_id)
    return [recorded_of_row(row) for row in connection.execute(query)]


def last_position(connection: Connection) -> int:
    last: int = connection.execute(select(event_position.c.last)).scalar_one()
    return last
