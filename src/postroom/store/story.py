"""The story of deliveries: each transition, written once, in the transaction that makes it. It decides none."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    null,
    select,
)

from postroom.core.delivery import Report, Signal, State, Transition
from postroom.core.identity import mailbox_of
from postroom.store.columns import Instant, Number
from postroom.store.prepared import Write
from postroom.store.schema import attempt, delivery, transition

LOST = "worker_lost"
"""Why a delivery is unconfirmed whose worker died while it was with the server."""

_COLUMNS = ["mailbox_id", "delivery_id", "number", "at", "state", "cause", "by", "attempt", "because", "note"]


def _next(mailbox_id: ColumnElement[str], delivery_id: ColumnElement[str]) -> ColumnElement[int]:
    """The number of a delivery's next transition; its row is locked by who changes it, so nobody takes the same."""
    return (
        select(func.coalesce(func.max(transition.c.number), 0) + 1)
        .where(transition.c.mailbox_id == mailbox_id, transition.c.delivery_id == delivery_id)
        .scalar_subquery()
    )


_OF, _ID = bindparam("of_mailbox", type_=Text()), bindparam("of_delivery", type_=Text())
_ADD = Write(
    insert(transition).from_select(
        _COLUMNS,
        select(
            _OF,
            _ID,
            _next(_OF, _ID),
            bindparam("at_time", type_=Instant()),
            bindparam("to_state", type_=Text()),
            bindparam("by_cause", type_=Text()),
            bindparam("by_whom", type_=Text()),
            bindparam("with_attempt", type_=Number),
            bindparam("for_reason", type_=Text()),
            bindparam("with_note", type_=Text()),
        ),
    )
)


def add(
    connection: Connection,
    mailbox_id: str,
    delivery_id: str,
    at: datetime,
    state: State,
    cause: Signal | Report,
    *,
    by: str | None = None,
    attempt: int | None = None,
    because: str | None = None,
    note: str | None = None,
) -> None:
    """One transition of a delivery whose row this transaction has changed."""
    values = {
        "of_mailbox": mailbox_id,
        "of_delivery": delivery_id,
        "at_time": at,
        "to_state": str(state),
        "by_cause": cause.name,
        "by_whom": by,
        "with_attempt": attempt,
        "for_reason": because,
        "with_note": note,
    }
    _ADD.run(connection, values)


def add_all(
    connection: Connection,
    condition: ColumnElement[bool],
    at: datetime,
    state: State,
    cause: Signal,
    *,
    by: str | None = None,
    because: str | None = None,
) -> None:
    """The same transition of every delivery that meets the condition, in one statement, before they are changed.

    It locks them: the UPDATE that follows in this transaction finds them as they were.
    """
    connection.execute(_of_all(condition, at, state, cause, by, because))


def _of_all(
    condition: ColumnElement[bool], at: datetime, state: State, cause: Signal, by: str | None, because: str | None
) -> Insert:
    moved = (
        select(
            delivery.c.mailbox_id,
            delivery.c.id,
            _next(delivery.c.mailbox_id, delivery.c.id),
            literal(at, Instant()),
            literal(str(state), Text()),
            literal(cause.name, Text()),
            literal(by, Text()),
            null(),
            literal(because, Text()),
            null(),
        )
        .where(condition)
        .with_for_update(key_share=True)
    )
    return insert(transition).from_select(_COLUMNS, moved)


def of(connection: Connection, delivery_id: str) -> list[Transition]:
    """In their order, each with what the server said in its attempt."""
    tried = and_(
        attempt.c.mailbox_id == transition.c.mailbox_id,
        attempt.c.delivery_id == transition.c.delivery_id,
        attempt.c.number == transition.c.attempt,
    )
    query = (
        select(transition, attempt.c.reply)
        .outerjoin(attempt, tried)
        .where(transition.c.mailbox_id == mailbox_of(delivery_id), transition.c.delivery_id == delivery_id)
        .order_by(transition.c.number)
    )
    return [
        Transition(
            delivery_id=row.delivery_id,
            number=row.number,
            at=row.at,
            state=State(row.state),
            cause=_cause(row.cause),
            by=row.by,
            attempt=row.attempt,
            because=row.because,
            note=row.note or row.reply,
        )
        for row in connection.execute(query)
    ]


def _cause(name: str) -> Signal | Report:
    return Signal[name] if name in Signal.__members__ else Report[name]
