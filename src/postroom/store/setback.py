"""What waits for a time when the clock was set back: found by its traces, and taken along. It reads no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, type_coerce, update

from postroom.core.delivery import OPEN, State
from postroom.core.ports.store import Lease
from postroom.store.columns import Number
from postroom.store.leases import fence
from postroom.store.schema import among, delivery, health, mailbox

_SHIFTED = OPEN - {State.SENDING}


def ahead(connection: Connection, worker_id: str, now: datetime) -> dict[str, datetime]:
    """This worker's mailboxes about whose health something was written later than `now`, and when: by a clock that was
    set back since. A mailbox that works is heard from every minute or so, so that says nearly how far."""
    since, heard = func.max(health.c.since), func.max(health.c.heard_at)
    query = (
        select(health.c.mailbox_id, since.label("since"), heard.label("heard"))
        .join(mailbox, mailbox.c.id == health.c.mailbox_id)
        .where(mailbox.c.worker_id == worker_id, or_(health.c.since > now, health.c.heard_at > now))
        .group_by(health.c.mailbox_id)
    )
    return {row.mailbox_id: max(row.since, row.heard or row.since) for row in connection.execute(query)}


def set_back(connection: Connection, lease: Lease, by: timedelta, now: datetime) -> int:
    """How many deliveries wait for an earlier time now. What a person chose (`send_at`) and what was promised
    (`expires_at`) stay."""
    fence(connection, lease)
    of_mailbox = health.c.mailbox_id == lease.mailbox_id
    for column in (health.c.since, health.c.heard_at, health.c.next_probe_at, health.c.quiet_until):
        connection.execute(update(health).where(of_mailbox, column > now).values({column: _earlier(column, by)}))
    moved = connection.execute(
        update(delivery)
        .where(
            delivery.c.mailbox_id == lease.mailbox_id,
            and_(among(delivery.c.state, OPEN), among(delivery.c.state, _SHIFTED)),
            delivery.c.next_attempt_at > now,
            or_(delivery.c.send_at.is_(None), delivery.c.send_at != delivery.c.next_attempt_at),
            delivery.c.next_attempt_at != delivery.c.expires_at,  # waits for a person
        )
        .values(next_attempt_at=_earlier(delivery.c.next_attempt_at, by), updated_at=now)
    )
    return moved.rowcount


def _earlier(column: ColumnElement[datetime], by: timedelta) -> ColumnElement[int]:
    return type_coerce(column, Number) - by // timedelta(microseconds=1)
