"""Webhooks and the calls that are due to them. It posts nothing: wire does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, insert, or_, select, update

from postroom.core.events import Call, EventType, Webhook
from postroom.store import eventlog
from postroom.store.database import insert_new
from postroom.store.schema import event, event_position, webhook, webhook_call
from postroom.store.vault import Vault


def _values(vault: Vault, one: Webhook) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "secret": vault.seal(one.secret, one.id),
        "types": [str(kind) for kind in one.types],
        "created_at": one.created_at,
        "enabled": one.enabled,
        "failing_since": one.failing_since,
        "last_error": one.last_error,
    }


def _webhook(vault: Vault, row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        url=row.url,
        secret=vault.open(row.secret, row.id),
        types=tuple(EventType(kind) for kind in row.types),
        created_at=row.created_at,
        enabled=bool(row.enabled),
        failing_since=row.failing_since,
        last_error=row.last_error,
    )


def add(connection: Connection, vault: Vault, one: Webhook) -> None:
    position = select(event_position.c.last).scalar_subquery()
    connection.execute(insert(webhook).values(**_values(vault, one), position=position))


def get(connection: Connection, vault: Vault, webhook_id: str) -> Webhook | None:
    row = connection.execute(select(webhook).where(webhook.c.id == webhook_id)).one_or_none()
    return _webhook(vault, row) if row is not None else None


def all_of_them(connection: Connection, vault: Vault) -> list[Webhook]:
    rows = connection.execute(select(webhook).order_by(webhook.c.created_at, webhook.c.id))
    return [_webhook(vault, row) for row in rows]


def change(connection: Connection, vault: Vault, one: Webhook) -> None:
    connection.execute(update(webhook).where(webhook.c.id == one.id).values(**_values(vault, one)))


def remove(connection: Connection, webhook_id: str) -> bool:
    return connection.execute(delete(webhook).where(webhook.c.id == webhook_id)).rowcount == 1


def fan_out(connection: Connection, now: datetime, limit: int) -> int:
    """Makes calls out of the events beyond each webhook's position. A disabled webhook's position moves on without."""
    last = eventlog.last_position(connection)
    behind = (
        select(webhook.c.id, webhook.c.types, webhook.c.enabled, webhook.c.position)
        .where(webhook.c.position < last)
        .order_by(webhook.c.id)
        .with_for_update(skip_locked=True)
    )
    looked = 0
    for hook in connection.execute(behind).all():
        seen = connection.execute(
            select(event.c.mailbox_id, event.c.position, event.c.type)
            .where(event.c.position > hook.position)
            .order_by(event.c.position)
            .limit(limit)
        ).all()
        calls = [
            {
                "mailbox_id": one.mailbox_id,
                "position": one.position,
                "webhook_id": hook.id,
                "attempts": 0,
                "next_attempt_at": now,
            }
            for one in seen
            if hook.enabled and (not hook.types or one.type in hook.types)
        ]
        if calls:
            connection.execute(insert_new(connection, webhook_call), calls)
        # At the end of the log the position is the log's: events of a deleted mailbox leave gaps.
        reached = seen[-1].position if len(seen) == limit else max(last, seen[-1].position if seen else 0)
        connection.execute(update(webhook).where(webhook.c.id == hook.id).values(position=reached))
        looked += len(seen)
    return looked


def calls_due(connection: Connection, vault: Vault, now: datetime, claim: timedelta, limit: int) -> list[Call]:
    """Claims for each enabled webhook its share of `limit`, so that one whose receiver is down does not keep the
    others waiting; within a webhook in the order of events."""
    hooks = {
        row.id: row
        for row in connection.execute(select(webhook).where(webhook.c.enabled.is_(True)).order_by(webhook.c.id))
    }
    if not hooks or limit < 1:
        return []
    share = max(1, limit // len(hooks))
    calls: list[Call] = []
    for webhook_id, hook in hooks.items():
        due = (
            select(webhook_call)
            .where(webhook_call.c.webhook_id == webhook_id, webhook_call.c.next_attempt_at <= now)
            .order_by(webhook_call.c.position)
            .limit(min(share, limit - len(calls)))
            .with_for_update(skip_locked=True)
        )
        claimed = {(row.mailbox_id, row.position): row.attempts for row in connection.execute(due)}
        if not claimed:
            continue
        these = or_(*(_is(webhook_call, key) for key in claimed))
        connection.execute(
            update(webhook_call)
            .where(webhook_call.c.webhook_id == webhook_id, these)
            .values(next_attempt_at=now + claim)
        )
        known = _webhook(vault, hook)
        rows = connection.execute(
            select(event).where(or_(*(_is(event, key) for key in claimed))).order_by(event.c.position)
        )
        calls += [Call(known, eventlog.recorded_of_row(row), claimed[row.mailbox_id, row.position]) for row in rows]
    return calls


def _is(table: Table, key: tuple[str, int]) -> ColumnElement[bool]:
    return and_(table.c.mailbox_id == key[0], table.c.position == key[1])


def called(
    connection: Connection, call: Call, *, done: bool, next_attempt_at: datetime | None, error: str | None
) -> None:
    """Records a try: a call that was answered is removed."""
    this = and_(
        _is(webhook_call, (call.recorded.event.mailbox_id, call.recorded.position)),
        webhook_call.c.webhook_id == call.webhook.id,
    )
    if done:
        connection.execute(delete(webhook_call).where(this))
        return
    connection.execute(
        update(webhook_call)
        .where(this)
        .values(attempts=call.attempts + 1, next_attempt_at=next_attempt_at, last_error=error)
    )
