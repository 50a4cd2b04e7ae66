"""The health of each direction, and what its changes do to deliveries. It decides no state: core.health does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
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
    not_,
    or_,
    select,
    type_coerce,
    update,
)

from postroom.core.delivery import OPEN, Delivery, State, sources, step
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.events import Event, EventType, delivery_data, rfc3339
from postroom.core.health import UNTOLD, Health
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.core.ports.store import HealthChange, MailboxGone
from postroom.store import eventlog, story
from postroom.store.columns import as_json
from postroom.store.prepared import Read
from postroom.store.rows import bounced_values, health_of_row, health_values
from postroom.store.schema import among, delivery, health, mailbox

NewId = Callable[[], str]


def get(connection: Connection, mailbox_id: str, direction: Direction) -> Health:
    """Raises MailboxGone."""
    query = select(health).where(health.c.mailbox_id == mailbox_id, health.c.direction == str(direction))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise MailboxGone(mailbox_id)
    return health_of_row(row)


_SENDING = Read(
    select(health)
    .where(health.c.mailbox_id == bindparam("of_mailbox"), health.c.direction == str(Direction.SMTP))
    .with_for_update(read=True)
)


def sending(connection: Connection, mailbox_id: str) -> Health:
    """The sending direction, kept from changing until the commit: what is queued now will be seen by a HOLD to come,
    or has seen it. Raises MailboxGone."""
    found = _SENDING.one(connection, {"of_mailbox": mailbox_id}, health_of_row)
    if found is None:
        raise MailboxGone(mailbox_id)
    return found


def save(connection: Connection, change: HealthChange, was: HealthState, now: datetime, new_id: NewId) -> bool:
    """Compare and swap; holds or releases the deliveries in the same transaction."""
    new = change.health
    values = health_values(new)
    if new.diagnosis is not None:
        values["code_at"] = now
    if new.heard_at is not None:
        values["heard_at"] = new.heard_at
    swapped = connection.execute(
        update(health)
        .where(
            health.c.mailbox_id == new.mailbox_id,
            health.c.direction == str(new.direction),
            health.c.state == str(was),
        )
        .values(values)
    )
    if swapped.rowcount == 0:
        return False
    held: list[str] = []
    if change.deliveries is DeliverySignal.HOLD:
        held = _hold(connection, new, now, change.by)
    elif change.deliveries is DeliverySignal.RELEASE:
        _release(connection, new.mailbox_id, now, change.by)
    eventlog.append(connection, change.events)
    if held:
        told = _told(connection, new, held)
        eventlog.append_many(connection, new.mailbox_id, EventType.DELIVERY_HELD, now, told, len(held), new_id)
    return True


def held_event(held: Delivery, event_id: str, now: datetime) -> Event:
    return Event(event_id, EventType.DELIVERY_HELD, now, held.mailbox_id, delivery_data(held))


def as_sending_is(waiting: Delivery, sending: Health) -> tuple[Delivery, DeliverySignal | None]:
    """A delivery that is about to wait, as it must wait: held where the mailbox does not send, else queued; and the
    signal that made it so, if any."""
    signal = DeliverySignal.RELEASE if sending.usable else DeliverySignal.HOLD
    if waiting.state not in sources(signal):
        return waiting, None
    state, _ = step(waiting.state, signal)
    return replace(waiting, state=state, diagnosis=None if sending.usable else sending.diagnosis), signal


def because(sending: Health) -> str:
    """Why sending holds deliveries: the code of its diagnosis, else its state."""
    return sending.diagnosis.name if sending.diagnosis else str(sending.state)


def _target(signal: DeliverySignal) -> State:
    """The one state that a signal leads to, from wherever."""
    (target,) = {step(state, signal)[0] for state in sources(signal)}
    return target


def _movable(mailbox_id: str, signal: DeliverySignal) -> ColumnElement[bool]:
    """Every delivery of a mailbox that a signal moves."""
    return and_(
        delivery.c.mailbox_id == mailbox_id,
        delivery.c.state.in_([str(one) for one in sources(signal)]),
        among(delivery.c.state, OPEN),
    )


def _moved(mailbox_id: str, signal: DeliverySignal) -> Update:
    return update(delivery).where(_movable(mailbox_id, signal)).values(state=str(_target(signal)))


def _hold(connection: Connection, why: Health, now: datetime, by: str | None) -> list[str]:
    """Which are held now, in order. There may be 100,000: no more of them than their names is in memory."""
    hold = DeliverySignal.HOLD
    movable = _movable(why.mailbox_id, hold)
    story.add_all(connection, movable, now, _target(hold), hold, by=by, because=because(why))
    moved = _moved(why.mailbox_id, hold).values(updated_at=now, diagnosis=_kept(why.diagnosis))
    return sorted(connection.execute(moved.returning(delivery.c.id)).scalars())


_TOLD = Read(
    select(
        delivery.c.id,
        delivery.c.rfc_message_id,
        delivery.c.conversation_id,
        delivery.c.attempts,
        delivery.c.author,
        type_coerce(delivery.c.recipients, Text()).label("recipients"),
        delivery.c.bounces,
        delivery.c.accepted_at,
        delivery.c.expires_at,
    )
    .where(
        delivery.c.mailbox_id == bindparam("of_mailbox"),
        delivery.c.id >= bindparam("first"),
        delivery.c.id <= bindparam("last"),
    )
    .order_by(delivery.c.id)
)
"""What core.events.delivery_data says of a delivery, but for what is the same of all that are held together."""


def _told(connection: Connection, why: Health, held: list[str]) -> Iterator[str]:
    """What is told of each, as JSON, as core.events.delivery_data says it."""
    state, diagnosis = str(_target(DeliverySignal.HOLD)), as_json(_kept(why.diagnosis))
    for start in range(0, len(held), eventlog.AT_ONCE):
        some = held[start : start + eventlog.AT_ONCE]
        these = set(some)
        for row in _TOLD.all(connection, {"of_mailbox": why.mailbox_id, "first": some[0], "last": some[-1]}):
            if row.id not in these:
                continue
            told = as_json(
                {
                    "id": row.id,
                    "mailbox_id": why.mailbox_id,
                    "message_id": row.rfc_message_id,
                    "conversation_id": row.conversation_id,
                    "state": state,
                    "attempt_count": row.attempts,
                    "author": row.author,
                    "accepted_at": rfc3339(row.accepted_at),
                    "expires_at": rfc3339(row.expires_at),
                }
            )
            recipients = as_json(bounced_values(row.recipients, row.bounces)) if row.bounces else row.recipients
            yield f'{told[:-1]},"recipients":{recipients},"diagnosis":{diagnosis}}}'


def _kept(diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    return diagnosis.as_dict() if diagnosis else None


def _release(connection: Connection, mailbox_id: str, now: datetime, by: str | None) -> None:
    release = DeliverySignal.RELEASE
    story.add_all(connection, _movable(mailbox_id, release), now, _target(release), release, by=by)
    this = (health.c.mailbox_id == mailbox_id, health.c.direction == str(Direction.SMTP))
    connection.execute(update(health).where(*this).values(delay_told=0))
    # next_attempt_at stays: it is long past, or a recipient's server, or send_at, asked for the wait.
    connection.execute(_moved(mailbox_id, DeliverySignal.RELEASE).values(updated_at=now, diagnosis=None))


def note_heard(connection: Connection, heard: Mapping[tuple[str, Direction], datetime]) -> None:
    """Many at once; only forwards."""
    for (mailbox_id, direction), at in sorted(heard.items()):
        connection.execute(
            update(health)
            .where(
                health.c.mailbox_id == mailbox_id,
                health.c.direction == str(direction),
                or_(health.c.heard_at.is_(None), health.c.heard_at < at),
            )
            .values(heard_at=at)
        )


def _of_worker(worker_id: str) -> Select[Any]:
    return select(health).join(mailbox, mailbox.c.id == health.c.mailbox_id).where(mailbox.c.worker_id == worker_id)


def probes_due(connection: Connection, worker_id: str, direction: Direction, now: datetime, limit: int) -> list[Health]:
    query = (
        _of_worker(worker_id)
        .where(health.c.direction == str(direction), health.c.next_probe_at <= now)
        .order_by(health.c.next_probe_at)
        .limit(limit)
    )
    return [health_of_row(row) for row in connection.execute(query)]


def unsettled(connection: Connection, worker_id: str, direction: Direction) -> list[Health]:
    query = _of_worker(worker_id).where(
        health.c.direction == str(direction), health.c.state != str(HealthState.CONNECTED)
    )
    return [health_of_row(row) for row in connection.execute(query)]


def lasting(connection: Connection, worker_id: str, since: datetime, quiet_until: datetime, limit: int) -> list[Health]:
    untold = health.c.state.in_([str(one) for one in UNTOLD])
    calm = and_(not_(untold), health.c.quiet_until <= quiet_until)
    query = (
        _of_worker(worker_id)
        .where(or_(and_(untold, health.c.since < since), calm))
        .order_by(health.c.since)
        .limit(limit)
    )
    return [health_of_row(row) for row in connection.execute(query)]


def refused_alike(connection: Connection, provider: str, host: str, code: str, since: datetime) -> tuple[int, int]:
    """`code` names its direction: smtp.… is looked for among those that send over `host`."""
    alike = _at(provider, host, code).where(health.c.code == code, health.c.code_at >= since)
    of_provider = select(func.count()).select_from(mailbox).where(_there(provider, host, code))
    return connection.execute(alike).scalar_one(), connection.execute(of_provider).scalar_one()


def asked_and_working(
    connection: Connection, provider: str, host: str, code: str, asked_since: datetime, began: datetime, until: datetime
) -> tuple[int, int]:
    there = _at(provider, host, code)
    waits = among(health.c.state, [HealthState.DOUBTED, HealthState.NEEDS_REAUTH])
    asked = there.where(waits, health.c.code == code, health.c.since >= asked_since)
    working = there.where(among(health.c.state, [HealthState.CONNECTED]), health.c.since.between(began, until))
    return connection.execute(asked).scalar_one(), connection.execute(working).scalar_one()


def _at(provider: str, host: str, code: str) -> Select[int]:
    """Counts directions at that server, of the direction that the code names."""
    joined = health.join(mailbox, mailbox.c.id == health.c.mailbox_id)
    of_direction = health.c.direction == code.partition(".")[0]
    return select(func.count()).select_from(joined).where(_there(provider, host, code), of_direction)


def _there(provider: str, host: str, code: str) -> ColumnElement[bool]:
    return and_(mailbox.c.provider == provider, mailbox.c[f"{Direction(code.partition('.')[0])}_host"] == host)


def counts(connection: Connection) -> dict[tuple[Direction, HealthState], int]:
    query = select(health.c.direction, health.c.state, func.count()).group_by(health.c.direction, health.c.state)
    return {(Direction(row[0]), HealthState(row[1])): row[2] for row in connection.execute(query)}
