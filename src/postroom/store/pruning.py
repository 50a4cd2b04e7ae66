"""Removes rows that are older than they are kept, some hundred in a transaction. It touches no message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, delete, func, literal, or_, select, tuple_, update

from postroom.core.cursor import Outcome
from postroom.core.oauth.authorization import REMEMBERED as AUTHORIZATIONS
from postroom.core.ports.store import Pruned
from postroom.core.retention import Retention
from postroom.store.connect_links import REMEMBERED as LINKS
from postroom.store.schema import (
    attempt,
    connect_link,
    delivery,
    event,
    ledger_range,
    oauth_authorization,
    pruned,
    transition,
    webhook,
    webhook_call,
)

AT_ONCE = 200
"""Rows of one kind in one step: a step keeps other writers for some milliseconds."""

Step = Callable[[Connection, Retention, datetime], Pruned]


def prune(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    """One step of each kind."""
    done = [step(connection, retention, now) for step in (_events, _stories, _gone, _sign_ins)]
    return Pruned(sum(one.rows for one in done), any(one.more for one in done))


def events_up_to(connection: Connection) -> int:
    """The position of the last event that was removed; 0 where none was."""
    reached: int = connection.execute(select(pruned.c.events)).scalar_one()
    return reached


def _events(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    """The oldest, as far as each webhook has its calls of them."""
    fanned_out = connection.execute(select(func.min(webhook.c.position))).scalar_one()
    oldest = select(event.c.mailbox_id, event.c.position, event.c.at).order_by(event.c.position).limit(AT_ONCE)
    if fanned_out is not None:
        oldest = oldest.where(event.c.position <= fanned_out)
    looked = connection.execute(oldest).all()
    # A clock that was ahead for a while left times that lie: one such event keeps no other.
    old = [(row.mailbox_id, row.position) for row in looked if row.at < now - retention.events]
    if not old:
        return Pruned()
    for table in (webhook_call, event):
        connection.execute(delete(table).where(tuple_(table.c.mailbox_id, table.c.position).in_(old)))
    connection.execute(update(pruned).where(pruned.c.events < old[-1][1]).values(events=old[-1][1]))
    return Pruned(len(old), len(old) == AT_ONCE)


def _stories(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    """Of deliveries in the order of their acceptance; where we are is written down, for they stay themselves. None is
    open any more: what is kept for years is never younger than the longest hold time."""
    reached = connection.execute(select(pruned.c.stories)).scalar_one()
    query = (
        select(delivery.c.accepted_at)
        .where(delivery.c.accepted_at > reached, delivery.c.accepted_at < now - retention.stories)
        .order_by(delivery.c.accepted_at)
        .limit(AT_ONCE)
    )
    found = connection.execute(query).scalars().all()
    if not found:
        return Pruned()
    these = delivery.c.accepted_at.between(found[0], found[-1])
    removed = 0
    for table in (transition, attempt):
        keys = select(delivery.c.mailbox_id, delivery.c.id).where(these)
        gone = delete(table).where(tuple_(table.c.mailbox_id, table.c.delivery_id).in_(keys))
        removed += connection.execute(gone).rowcount
    connection.execute(update(pruned).values(stories=found[-1]))
    return Pruned(removed, len(found) == AT_ONCE)


def _gone(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    """A row without a time was written by an earlier release."""
    of_gone = ledger_range.c.outcome == literal(str(Outcome.GONE), literal_execute=True)
    key = (ledger_range.c.mailbox_id, ledger_range.c.folder, ledger_range.c.uid_validity, ledger_range.c.first_uid)
    old = or_(ledger_range.c.noted_at.is_(None), ledger_range.c.noted_at < now - retention.gone)
    found = connection.execute(select(*key).where(of_gone, old).limit(AT_ONCE)).all()
    if found:
        connection.execute(delete(ledger_range).where(of_gone, tuple_(*key).in_([tuple(row) for row in found])))
    return Pruned(len(found), len(found) == AT_ONCE)


def _sign_ins(connection: Connection, _: Retention, now: datetime) -> Pruned:
    """Sign-ins with OAuth and connect links that ended long ago; both are removed as well where new ones are made."""
    removed = 0
    for table, kept in ((oauth_authorization, AUTHORIZATIONS), (connect_link, LINKS)):
        removed += connection.execute(delete(table).where(table.c.expires_at < now - kept)).rowcount
    return Pruned(removed)
