"""Certificates of servers, as they were seen. It decides nothing: core.certificate does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from postroom.core.certificate import TOLD_BEFORE, Certificate
from postroom.core.events import Event
from postroom.core.mailbox import Direction
from postroom.store import database, eventlog
from postroom.store.schema import certificate, mailbox


def of(connection: Connection, mailbox_ids: Sequence[str]) -> list[Certificate]:
    query = select(certificate).where(certificate.c.mailbox_id.in_(mailbox_ids))
    rows = connection.execute(query.order_by(certificate.c.mailbox_id, certificate.c.direction))
    return [_certificate(row) for row in rows]


def note(connection: Connection, seen: Certificate, event: Event | None) -> bool:
    """False, and nothing written, where the mailbox is gone."""
    if connection.execute(select(mailbox.c.id).where(mailbox.c.id == seen.mailbox_id)).first() is None:
        return False
    values = asdict(seen) | {"direction": str(seen.direction)}
    new = database.insert(connection, certificate).values(values)
    changed = {name: new.excluded[name] for name in values if name not in ("mailbox_id", "direction")}
    connection.execute(new.on_conflict_do_update(index_elements=["mailbox_id", "direction"], set_=changed))
    eventlog.append(connection, [event] if event else [])
    return True


def ending(connection: Connection, before: datetime, limit: int) -> list[Certificate]:
    untold = or_(certificate.c.told.is_(None), certificate.c.told > min(TOLD_BEFORE))
    query = select(certificate).where(certificate.c.not_after <= before, untold)
    return [_certificate(row) for row in connection.execute(query.order_by(certificate.c.not_after).limit(limit))]


def told(connection: Connection, one: Certificate, days: int, event: Event) -> bool:
    """Compare and swap on the certificate and on what was told of it."""
    same = update(certificate).where(
        certificate.c.mailbox_id == one.mailbox_id,
        certificate.c.direction == str(one.direction),
        certificate.c.fingerprint == one.fingerprint,
        certificate.c.told.is_(None) if one.told is None else certificate.c.told == one.told,
    )
    if connection.execute(same.values(told=days)).rowcount == 0:
        return False
    eventlog.append(connection, [event])
    return True


def _certificate(row: Row[Any]) -> Certificate:
    return Certificate(
        mailbox_id=row.mailbox_id,
        direction=Direction(row.direction),
        fingerprint=row.fingerprint,
        issuer=row.issuer,
        subject=row.subject,
        not_after=row.not_after,
        seen_at=row.seen_at,
        told=row.told,
    )
