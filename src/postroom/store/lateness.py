"""Tells of what waits long: each delivery twice at most, each mailbox once a threshold. core decides after how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from postroom.core.delivery import WAITING, Delivery, State, warning
from postroom.core.events import Event, EventType, delivery_data, mailbox_data, rfc3339
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.store import eventlog, mailboxes
from postroom.store.rows import delivery_of_row
from postroom.store.schema import among, delivery, health

_NEXT = (
    update(delivery)
    .where(delivery.c.mailbox_id == bindparam("of_mailbox"), delivery.c.id == bindparam("identifier"))
    .values(warn_at=bindparam("next_at"))
)


def mailboxes_late(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Those with a delivery that people are to be told of."""
    late = select(delivery.c.mailbox_id).where(among(delivery.c.state, WAITING), delivery.c.warn_at <= now)
    return list(connection.execute(late.distinct().limit(limit)).scalars())


def warn(connection: Connection, mailbox_id: str, now: datetime, limit: int, new_id: Callable[[], str]) -> int:
    """Tells of a mailbox's deliveries that wait long, and of the mailbox where it is the reason; how many deliveries.

    The health's row is locked first, as by everyone who changes both; deliveries that somebody else has in hand are
    left for the next time.
    """
    sending = (
        select(health.c.state, health.c.delay_told)
        .where(health.c.mailbox_id == mailbox_id, health.c.direction == str(Direction.SMTP))
        .with_for_update(key_share=True)
    )
    stands = connection.execute(sending).one_or_none()
    if stands is None:
        return 0
    query = (
        select(delivery)
        .where(among(delivery.c.state, WAITING), delivery.c.mailbox_id == mailbox_id, delivery.c.warn_at <= now)
        .order_by(delivery.c.warn_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    late = [(one, *warning(one, now)) for one in map(delivery_of_row, connection.execute(query))]
    if not late:
        return 0
    connection.execute(
        _NEXT, [{"of_mailbox": mailbox_id, "identifier": one.id, "next_at": again} for one, _, again in late]
    )
    events = [
        Event(new_id(), EventType.DELIVERY_DELAYED, now, mailbox_id, {**delivery_data(one), "hours": hours})
        for one, hours, _ in late
    ]
    if stands.state != str(HealthState.CONNECTED):
        events += _of_mailbox(connection, mailbox_id, stands.delay_told, _most(late), now, new_id)
    eventlog.append(connection, events)
    return len(late)


def _most(late: Sequence[tuple[Delivery, int, datetime | None]]) -> int:
    """Hours; 0 where none of them waits for the mailbox."""
    return max((hours for one, hours, _ in late if one.state is State.HELD), default=0)


def _of_mailbox(
    connection: Connection, mailbox_id: str, told: int, hours: int, now: datetime, new_id: Callable[[], str]
) -> list[Event]:
    """One word for the admin, however many messages wait; `told` goes back to 0 when what was held is released."""
    view = mailboxes.view(connection, mailbox_id)
    if hours <= told or view is None:
        return []
    this = (health.c.mailbox_id == mailbox_id, health.c.direction == str(Direction.SMTP))
    connection.execute(update(health).where(*this).values(delay_told=hours))
    data = {
        **mailbox_data(view.mailbox, view.sending_told(now)),
        "hours": hours,
        "held": view.held,
        "oldest_held_expires_at": rfc3339(view.oldest_held_expires_at) if view.oldest_held_expires_at else None,
    }
    return [Event(new_id(), EventType.MAILBOX_DELAYED, now, mailbox_id, data)]
