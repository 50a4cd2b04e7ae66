"""Mailboxes. It keeps no credential (credentials) and does not judge how they stand (directions)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from postroom.core.budget import AS_GRANTED, Told
from postroom.core.delivery import OPEN
from postroom.core.delivery import State as DeliveryState
from postroom.core.health import Health
from postroom.core.mailbox import Credential, Direction, Mailbox
from postroom.core.ports.store import AddressTaken, HealthChange, MailboxGone, MailboxView, Page
from postroom.store import certificates, credentials, database, eventlog, ledger, paging
from postroom.store.database import insert_new
from postroom.store.prepared import Read
from postroom.store.rows import (
    Values,
    address_key,
    budget_values,
    cursor_of_row,
    health_of_row,
    health_values,
    mailbox_of_row,
    mailbox_values,
    told_values,
)
from postroom.store.schema import allowance, among, delivery, folder, health, mailbox
from postroom.store.vault import Vault


def add(
    connection: Connection, vault: Vault, new: Mailbox, secret: Credential, changes: Sequence[HealthChange]
) -> None:
    values = {**mailbox_values(new), "worker_id": None, "epoch": 0}
    if connection.execute(insert_new(connection, mailbox), values).rowcount == 0:
        raise AddressTaken(f"{new.address} is connected already")
    if new.budget != AS_GRANTED:
        _allow(connection, new.id, budget_values(new.budget))
    credentials.put(connection, vault, new.id, secret)
    for change in changes:
        values = {**health_values(change.health), "heard_at": change.health.heard_at, "code_at": None}
        connection.execute(insert(health), values)
    eventlog.append(connection, [one for change in changes for one in change.events])


def update_one(connection: Connection, changed: Mailbox) -> None:
    """Raises AddressTaken, MailboxGone."""
    values = mailbox_values(changed)
    other = select(mailbox.c.id).where(mailbox.c.address_key == values["address_key"], mailbox.c.id != changed.id)
    if connection.execute(other).first() is not None:
        raise AddressTaken(f"{changed.address} is connected already")
    if connection.execute(update(mailbox).where(mailbox.c.id == changed.id).values(values)).rowcount == 0:
        raise MailboxGone(changed.id)
    _allow(connection, changed.id, budget_values(changed.budget))


def _allow(connection: Connection, mailbox_id: str, values: Values) -> None:
    """Changes these columns of the allowance, and no other."""
    new = database.insert(connection, allowance).values(mailbox_id=mailbox_id, **values)
    connection.execute(
        new.on_conflict_do_update(index_elements=["mailbox_id"], set_={name: new.excluded[name] for name in values})
    )


def set_told(connection: Connection, mailbox_id: str, told: Told) -> None:
    """Raises MailboxGone."""
    if connection.execute(select(mailbox.c.id).where(mailbox.c.id == mailbox_id)).first() is None:
        raise MailboxGone(mailbox_id)
    _allow(connection, mailbox_id, told_values(told))


_SETTINGS = Read(
    select(mailbox, *(column for column in allowance.c if column.key != "mailbox_id"))
    .outerjoin(allowance, allowance.c.mailbox_id == mailbox.c.id)
    .where(mailbox.c.id == bindparam("identifier"))
)


def settings(connection: Connection, mailbox_id: str) -> Mailbox | None:
    """By its key alone: nothing is counted."""
    return _SETTINGS.one(connection, {"identifier": mailbox_id}, lambda row: mailbox_of_row(row, row))


def remove(connection: Connection, mailbox_id: str) -> bool:
    """With all its rows."""
    return connection.execute(delete(mailbox).where(mailbox.c.id == mailbox_id)).rowcount == 1


def view(connection: Connection, mailbox_id: str) -> MailboxView | None:
    return _one(connection, select(mailbox).where(mailbox.c.id == mailbox_id))


def view_by_address(connection: Connection, address: str) -> MailboxView | None:
    return _one(connection, select(mailbox).where(mailbox.c.address_key == address_key(address)))


def _one(connection: Connection, query: Select[Any]) -> MailboxView | None:
    return next(iter(_views(connection, connection.execute(query).all())), None)


def page(connection: Connection, limit: int, cursor: str | None, reference: str | None) -> Page[MailboxView]:
    """In the order of addresses."""
    query = select(mailbox).order_by(mailbox.c.address_key).limit(limit + 1)
    if cursor is not None:
        query = query.where(mailbox.c.address_key > paging.decode(cursor, str)[0])
    if reference is not None:
        query = query.where(mailbox.c.reference == reference)
    rows = connection.execute(query).all()
    found = paging.page(rows, limit, lambda row: row, "address_key")
    return Page(tuple(_views(connection, found.items)), found.next_cursor)


def _views(connection: Connection, rows: Sequence[Row[Any]]) -> list[MailboxView]:
    """Seven queries, however many mailboxes."""
    identifiers = [row.id for row in rows]
    if not identifiers:
        return []
    directions: dict[tuple[str, Direction], Health] = {}
    for row in connection.execute(select(health).where(health.c.mailbox_id.in_(identifiers))):
        one = health_of_row(row)
        directions[one.mailbox_id, one.direction] = one
    cursors = connection.execute(
        select(folder).where(folder.c.mailbox_id.in_(identifiers)).order_by(folder.c.mailbox_id, folder.c.name)
    ).all()
    allowed = {
        row.mailbox_id: row
        for row in connection.execute(select(allowance).where(allowance.c.mailbox_id.in_(identifiers)))
    }
    shown = certificates.of(connection, identifiers)
    held = {
        row.mailbox_id: row
        for row in connection.execute(
            select(delivery.c.mailbox_id, func.count().label("number"), func.min(delivery.c.expires_at).label("first"))
            .where(
                delivery.c.mailbox_id.in_(identifiers),
                delivery.c.state == str(DeliveryState.HELD),
                among(delivery.c.state, OPEN),
            )
            .group_by(delivery.c.mailbox_id)
        )
    }
    passed = ledger.counts(connection, identifiers)
    return [
        MailboxView(
            mailbox=mailbox_of_row(row, allowed.get(row.id)),
            receiving=directions[row.id, Direction.IMAP],
            sending=directions[row.id, Direction.SMTP],
            held=held[row.id].number if row.id in held else 0,
            oldest_held_expires_at=held[row.id].first if row.id in held else None,
            cursors=tuple(cursor_of_row(one) for one in cursors if one.mailbox_id == row.id),
            passed=passed.get(row.id, {}),
            certificates=tuple(one for one in shown if one.mailbox_id == row.id),
        )
        for row in rows
    ]
