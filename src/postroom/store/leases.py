"""Which worker owns which mailbox, and the fence that every worker's write passes. It runs no worker."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Connection, and_, bindparam, delete, func, literal, or_, select, update

from postroom.core.delivery import OPEN, State, step
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.ports.store import Lease, LeaseLost
from postroom.store import story
from postroom.store.database import insert
from postroom.store.prepared import Read
from postroom.store.schema import among, delivery, mailbox, worker

FORGOTTEN = timedelta(days=1)
"""After which the row of a worker that died is removed."""


_OWNED = Read(
    select(mailbox.c.id)
    .where(
        mailbox.c.id == bindparam("identifier"),
        mailbox.c.worker_id == bindparam("owner"),
        mailbox.c.epoch == bindparam("number"),
    )
    .with_for_update(read=True)
)


def fence(connection: Connection, lease: Lease) -> None:
    """Raises LeaseLost. Keeps the lease from changing hands until the commit."""
    values = {"identifier": lease.mailbox_id, "owner": lease.worker_id, "number": lease.epoch}
    if _OWNED.first(connection, values) is None:
        raise LeaseLost(f"worker {lease.worker_id} does not own {lease.mailbox_id} any more")


def heartbeat(connection: Connection, worker_id: str, host: str, now: datetime, ttl: timedelta) -> None:
    new = insert(connection, worker).values(id=worker_id, host=host, heartbeat_at=now, expires_at=now + ttl)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["id"],
            set_={"heartbeat_at": new.excluded.heartbeat_at, "expires_at": new.excluded.expires_at},
        )
    )
    # From the future: the clock was set back, or that host's is ahead. If its worker lives it says so again in time; if
    # it does not, its mailboxes must not wait until the clock is there.
    connection.execute(
        update(worker).where(worker.c.heartbeat_at > now + ttl).values(heartbeat_at=now, expires_at=now + ttl)
    )


def claim(
    connection: Connection,
    worker_id: str,
    now: datetime,
    limit: int,
    alone: bool = False,
    patience: timedelta = timedelta(0),
) -> list[Lease]:
    """Mailboxes that nobody owns, or a worker whose heartbeat is over. `alone`: no other worker lives."""
    if alone:  # whoever had them has died, whatever its last heartbeat promised
        owners = select(mailbox.c.worker_id).where(mailbox.c.worker_id != worker_id)
        connection.execute(delete(worker).where(worker.c.id.in_(owners)))
    limit = min(limit, -_surplus(connection, worker_id, now - patience))
    if limit <= 0:
        return []
    alive = select(worker.c.id).where(worker.c.id == mailbox.c.worker_id, worker.c.expires_at >= now - patience)
    unowned = or_(mailbox.c.worker_id.is_(None), ~alive.correlate(mailbox).exists())
    free = (
        select(mailbox.c.id)
        .where(unowned)
        .order_by(mailbox.c.id)
        .limit(limit)
        # NO KEY: does not wait for those who only insert rows of the mailbox. Locked ones are being claimed, or
        # written to by an owner who lives: neither is for us.
        .with_for_update(key_share=True, skip_locked=True)
    )
    found = list(connection.execute(free).scalars())
    if not found:
        return []
    taken = connection.execute(
        update(mailbox)
        .where(mailbox.c.id.in_(found), unowned)  # looks anew: another may have claimed it before we locked it
        .values(worker_id=worker_id, epoch=mailbox.c.epoch + 1)
        .returning(mailbox.c.id, mailbox.c.epoch)
    ).all()
    claimed = [row.id for row in taken]
    unanswered, _ = step(State.SENDING, DeliverySignal.UNANSWERED)
    left = and_(
        delivery.c.mailbox_id.in_(claimed), delivery.c.state == str(State.SENDING), among(delivery.c.state, OPEN)
    )
    story.add_all(connection, left, now, unanswered, DeliverySignal.UNANSWERED, because=story.LOST)
    connection.execute(update(delivery).where(left).values(state=str(unanswered), next_attempt_at=now, updated_at=now))
    connection.execute(delete(worker).where(worker.c.expires_at < now - patience - FORGOTTEN))
    return sorted((Lease(row.id, worker_id, row.epoch) for row in taken), key=lambda one: one.mailbox_id)


def _surplus(connection: Connection, worker_id: str, since: datetime) -> int:
    """How many mailboxes this worker has beyond its share, below 0 where it may have more: all of them, divided by the
    workers of whom something was heard `since`."""
    others = select(func.count()).select_from(worker).where(worker.c.expires_at >= since, worker.c.id != worker_id)
    number: int = connection.execute(others).scalar_one()
    if number == 0:
        return -sys.maxsize
    counted = select(func.count(), func.count().filter(mailbox.c.worker_id == worker_id)).select_from(mailbox)
    total, ours = connection.execute(counted).one()
    return int(ours - ceil(total / (number + 1)))


def give_back(connection: Connection, worker_id: str, now: datetime, limit: int, patience: timedelta) -> int:
    surplus = min(limit, _surplus(connection, worker_id, now - patience))
    if surplus <= 0:
        return 0
    sending = select(delivery.c.id).where(
        delivery.c.mailbox_id == mailbox.c.id,
        delivery.c.state == literal(str(State.SENDING), literal_execute=True),
        among(delivery.c.state, OPEN),
    )
    ours = and_(mailbox.c.worker_id == worker_id, ~sending.correlate(mailbox).exists())
    # One that is being written to is left out; one that is locked here begins no message until the commit.
    query = select(mailbox.c.id).where(ours).order_by(mailbox.c.id).limit(surplus)
    found = list(connection.execute(query.with_for_update(key_share=True, skip_locked=True)).scalars())
    # Looks anew: a message may have begun before we locked it.
    given = update(mailbox).where(mailbox.c.id.in_(found), ours).values(worker_id=None)
    return connection.execute(given).rowcount


def of_worker(connection: Connection, worker_id: str) -> list[Lease]:
    query = select(mailbox.c.id, mailbox.c.epoch).where(mailbox.c.worker_id == worker_id).order_by(mailbox.c.id)
    return [Lease(row.id, worker_id, row.epoch) for row in connection.execute(query)]


def alive(connection: Connection, now: datetime) -> int:
    fresh = select(func.count()).select_from(worker).where(worker.c.expires_at >= now)
    return connection.execute(fresh).scalar_one()


def resign(connection: Connection, worker_id: str) -> None:
    connection.execute(update(mailbox).where(mailbox.c.worker_id == worker_id).values(worker_id=None))
    connection.execute(delete(worker).where(worker.c.id == worker_id))
