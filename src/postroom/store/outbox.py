"""Deliveries: what is due, and each step of one, fenced and compared. It decides no state: core.delivery does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from postroom.core.delivery import OPEN, Attempt, Delivery, SentCopy, State, sources
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.events import EventType
from postroom.core.health import State as HealthState
from postroom.core.identity import mailbox_of
from postroom.core.mailbox import Direction
from postroom.core.ports.store import Lease, MailboxGone, Page, Settlement
from postroom.store import directions, eventlog, paging, spending, story
from postroom.store.leases import fence
from postroom.store.prepared import Read, Write
from postroom.store.rows import attempt_of_row, attempt_values, delivery_changes, delivery_of_row
from postroom.store.schema import EXPIRING, among, attempt, delivery, health, mailbox

WAITING_TO_GO = sources(DeliverySignal.BEGUN)


# In the order of acceptance; written so that no planner walks all that a mailbox ever sent to spare itself this sort.
_IN_ORDER = delivery.c.id + literal("", Text())


def _in(states: Iterable[State]) -> ColumnElement[bool]:
    """In one of these open states, in words that the index of open deliveries understands."""
    return and_(among(delivery.c.state, OPEN), among(delivery.c.state, states))


def _this(delivery_id: str) -> ColumnElement[bool]:
    return and_(delivery.c.mailbox_id == mailbox_of(delivery_id), delivery.c.id == delivery_id)


def _deliveries(connection: Connection, query: Select[Any]) -> list[Delivery]:
    return [delivery_of_row(row) for row in connection.execute(query)]


def get(connection: Connection, delivery_id: str) -> Delivery | None:
    return next(iter(_deliveries(connection, select(delivery).where(_this(delivery_id)))), None)


def page(
    connection: Connection,
    mailbox_id: str | None,
    state: State | None,
    conversation_id: str | None,
    limit: int,
    cursor: str | None,
    bounced: bool | None = None,
) -> Page[Delivery]:
    """Latest first. Within a mailbox identifiers sort by acceptance; across mailboxes the time does."""
    mailbox_id = mailbox_id or (mailbox_of(conversation_id) if conversation_id else None)
    query = select(delivery).limit(limit + 1)
    if state is not None:
        query = query.where(delivery.c.state == str(state))
    if bounced is not None:
        query = query.where(delivery.c.bounces.is_not(None) if bounced else delivery.c.bounces.is_(None))
    if conversation_id is not None:
        query = query.where(delivery.c.conversation_id == conversation_id)
    if mailbox_id is not None:
        query = query.where(delivery.c.mailbox_id == mailbox_id).order_by(delivery.c.id.desc())
        if cursor is not None:
            query = query.where(delivery.c.id < paging.decode(cursor, str)[0])
        return paging.page(connection.execute(query).all(), limit, delivery_of_row, "id")
    query = query.order_by(delivery.c.accepted_at.desc(), delivery.c.id.desc())
    if cursor is not None:
        place = paging.decode(cursor, datetime, str)
        query = query.where(tuple_(delivery.c.accepted_at, delivery.c.id) < place)
    return paging.page(connection.execute(query).all(), limit, delivery_of_row, "accepted_at", "id")


def attempts(connection: Connection, delivery_id: str) -> list[Attempt]:
    query = (
        select(attempt)
        .where(attempt.c.mailbox_id == mailbox_of(delivery_id), attempt.c.delivery_id == delivery_id)
        .order_by(attempt.c.number)
    )
    return [attempt_of_row(row) for row in connection.execute(query)]


def _serving(worker_id: str, direction: Direction) -> Select[Any]:
    """This worker's mailboxes of which a direction is connected."""
    return (
        select(mailbox.c.id)
        .join(health, and_(health.c.mailbox_id == mailbox.c.id, health.c.direction == str(direction)))
        .where(mailbox.c.worker_id == worker_id, health.c.state == str(HealthState.CONNECTED))
        .order_by(mailbox.c.id)
    )


def _has(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    found = select(delivery.c.id).where(delivery.c.mailbox_id == mailbox.c.id, condition)
    return found.correlate(mailbox).exists()


def mailboxes_due(connection: Connection, worker_id: str, now: datetime) -> list[str]:
    due = and_(_in(WAITING_TO_GO), delivery.c.next_attempt_at <= now)
    return list(connection.execute(_serving(worker_id, Direction.SMTP).where(_has(due))).scalars())


def next_due(connection: Connection, worker_id: str) -> datetime | None:
    first = (
        select(func.min(delivery.c.next_attempt_at))
        .where(delivery.c.mailbox_id == mailbox.c.id, _in(WAITING_TO_GO))
        .correlate(mailbox)
        .scalar_subquery()
    )
    of_each = _serving(worker_id, Direction.SMTP).order_by(None).with_only_columns(first.label("first")).subquery()
    earliest: datetime | None = connection.execute(select(func.min(of_each.c.first))).scalar_one()
    return earliest


def _due(state: State) -> Select[Any]:
    # Of one state, so that the index has them in order: what is taken is read, however many wait.
    return (
        select(delivery)
        .where(
            delivery.c.mailbox_id == bindparam("of_mailbox"),
            _in([state]),
            delivery.c.next_attempt_at <= bindparam("at"),
        )
        .order_by(delivery.c.next_attempt_at, delivery.c.id)
        .limit(bindparam("most"))
    )


_DUE = tuple(Read(_due(state)) for state in sorted(WAITING_TO_GO))


def due(connection: Connection, lease: Lease, now: datetime, limit: int) -> list[Delivery]:
    values = {"of_mailbox": lease.mailbox_id, "at": now, "most": limit}
    found = [one for query in _DUE for one in map(delivery_of_row, query.all(connection, values))]
    return sorted(found, key=lambda one: one.id)[:limit]


def _to_sending(signal: DeliverySignal, *conditions: ColumnElement[bool]) -> Update:
    return (
        update(delivery)
        .where(
            delivery.c.mailbox_id == bindparam("of_mailbox"),
            delivery.c.id == bindparam("identifier"),
            _in(sources(signal)),
            # As it was read: a probe or a person may have been at it since, and its recipients are others now.
            delivery.c.attempts == bindparam("tried"),
            delivery.c.updated_at == bindparam("seen"),
            *conditions,
        )
        .values(state=str(State.SENDING))
    )


_BEGIN = Write(
    _to_sending(
        DeliverySignal.BEGUN,
        select(health.c.mailbox_id)
        .where(
            health.c.mailbox_id == bindparam("of_mailbox"),
            health.c.direction == str(Direction.SMTP),
            health.c.state == str(HealthState.CONNECTED),
        )
        .exists(),
    )
)
_TRY = Write(_to_sending(DeliverySignal.TRIED))


def begin(connection: Connection, lease: Lease, read: Delivery, now: datetime) -> bool:
    """To `sending`, where the mailbox's sending is connected."""
    fence(connection, lease)
    return _begun(connection, lease, read, now)


def _begun(connection: Connection, lease: Lease, read: Delivery, now: datetime) -> bool:
    if _BEGIN.run(connection, _sending(lease, read, now)) == 0:
        return False
    story.add(connection, lease.mailbox_id, read.id, now, State.SENDING, DeliverySignal.BEGUN)
    return True


def try_held(connection: Connection, lease: Lease, read: Delivery, now: datetime) -> bool:
    fence(connection, lease)
    if _TRY.run(connection, _sending(lease, read, now)) == 0:
        return False
    story.add(connection, lease.mailbox_id, read.id, now, State.SENDING, DeliverySignal.TRIED)
    return True


def _sending(lease: Lease, read: Delivery, now: datetime) -> dict[str, Any]:
    return {
        "of_mailbox": lease.mailbox_id,
        "identifier": read.id,
        "tried": read.attempts,
        "seen": read.updated_at,
        "updated_at": now,
    }


def oldest_held(connection: Connection, lease: Lease, now: datetime) -> Delivery | None:
    query = (
        select(delivery)
        .where(
            delivery.c.mailbox_id == lease.mailbox_id,
            delivery.c.state == str(State.HELD),
            or_(delivery.c.send_at.is_(None), delivery.c.send_at <= now),
        )
        .order_by(delivery.c.id)
        .limit(1)
    )
    return next(iter(_deliveries(connection, query)), None)


_SETTLE = Write(
    update(delivery).where(
        delivery.c.mailbox_id == bindparam("of_mailbox"),
        delivery.c.id == bindparam("identifier"),
        delivery.c.state == bindparam("was"),
        # Deferred and deferred again is the same state, and another delivery: others have accepted it meanwhile.
        delivery.c.attempts == bindparam("tried"),
    )
)


_ATTEMPT = Write(insert(attempt))


def settle(
    connection: Connection, lease: Lease | None, settlement: Settlement, now: datetime, new_id: Callable[[], str]
) -> bool:
    """What would wait in the queue of a mailbox that stopped sending meanwhile is held, and that is told; what would be
    held though the mailbox sends again is queued."""
    if lease is not None:
        fence(connection, lease)
    settled, then = settlement.delivery, None
    events = list(settlement.events)
    held_in_vain = settled.state is State.HELD and settlement.was is State.SENDING
    if settled.state in sources(DeliverySignal.HOLD) or held_in_vain:
        try:
            sending = directions.sending(connection, settled.mailbox_id)
        except MailboxGone:
            return False
        settled, then = directions.as_sending_is(settled, sending)
        if then is DeliverySignal.HOLD:
            events.append(directions.held_event(settled, new_id(), now))
        elif then is DeliverySignal.RELEASE:
            events = [one for one in events if one.type is not EventType.DELIVERY_HELD]
    swapped = _SETTLE.run(
        connection,
        {
            "of_mailbox": settled.mailbox_id,
            "identifier": settled.id,
            "was": str(settlement.was),
            "tried": settled.attempts - (settlement.attempt is not None),
            **delivery_changes(settled),
        },
    )
    if swapped == 0:
        return False
    if settlement.attempt is not None:
        _ATTEMPT.run(connection, attempt_values(settled.mailbox_id, settlement.attempt))
    _tell(connection, settlement, now)
    if then is not None:
        because = directions.because(sending) if then is DeliverySignal.HOLD else None
        story.add(connection, settled.mailbox_id, settled.id, now, settled.state, then, because=because)
    if settlement.counts:
        spending.add(connection, settled.mailbox_id, settlement.counts, now)
    eventlog.append(connection, events)
    return True


def _tell(connection: Connection, settlement: Settlement, now: datetime) -> None:
    """The line of the story that a settlement is; one that only moves a time tells nothing."""
    tried, settled = settlement.attempt, settlement.delivery
    signal = settlement.signal or (tried.outcome if tried else None)
    if signal is None:
        return
    because = settlement.because
    if because is None and tried is not None and tried.diagnosis is not None:
        because = tried.diagnosis.name
    story.add(
        connection,
        settled.mailbox_id,
        settled.id,
        now,
        settled.state,
        signal,
        by=settlement.by,
        attempt=tried.number if tried else None,
        because=because,
    )
    if signal is DeliverySignal.RETRIED:
        connection.execute(update(delivery).where(_this(settled.id)).values(bounces=None))


def advance(
    connection: Connection,
    lease: Lease,
    settlements: Sequence[Settlement],
    begins: Sequence[Delivery],
    now: datetime,
    new_id: Callable[[], str],
) -> set[str]:
    """Outcomes first, then which deliveries are handed over next: a mailbox that stopped begins none."""
    fence(connection, lease)
    for settlement in settlements:
        settle(connection, None, settlement, now, new_id)
    return {one.id for one in begins if _begun(connection, lease, one, now)}


def errands_due(connection: Connection, worker_id: str, now: datetime) -> list[str]:
    looks = _has(and_(_in([State.UNCONFIRMED]), delivery.c.next_attempt_at <= now))
    copies = _has(among(delivery.c.sent_copy, [SentCopy.DUE]))
    return list(connection.execute(_serving(worker_id, Direction.IMAP).where(or_(looks, copies))).scalars())


def unconfirmed(connection: Connection, lease: Lease, now: datetime, limit: int) -> list[Delivery]:
    query = (
        select(delivery)
        .where(delivery.c.mailbox_id == lease.mailbox_id, _in([State.UNCONFIRMED]), delivery.c.next_attempt_at <= now)
        .order_by(_IN_ORDER)
        .limit(limit)
    )
    return _deliveries(connection, query)


def copies_due(connection: Connection, lease: Lease, limit: int) -> list[Delivery]:
    query = (
        select(delivery)
        .where(delivery.c.mailbox_id == lease.mailbox_id, among(delivery.c.sent_copy, [SentCopy.DUE]))
        .order_by(delivery.c.id)
        .limit(limit)
    )
    return _deliveries(connection, query)


def copied(
    connection: Connection, lease: Lease, delivery_id: str, outcome: SentCopy, diagnosis: Diagnosis | None
) -> None:
    fence(connection, lease)
    told = diagnosis.as_dict() if diagnosis else None
    connection.execute(update(delivery).where(_this(delivery_id)).values(sent_copy=str(outcome), diagnosis=told))


def overdue(connection: Connection, now: datetime, limit: int) -> list[Delivery]:
    query = (
        select(delivery)
        .where(among(delivery.c.state, EXPIRING), delivery.c.expires_at <= now)
        .order_by(delivery.c.expires_at)
        .limit(limit)
    )
    return _deliveries(connection, query)


def counts(connection: Connection) -> dict[State, int]:
    query = select(delivery.c.state, func.count()).group_by(delivery.c.state)
    return {State(row[0]): row[1] for row in connection.execute(query)}
