"""Connect links. It connects no mailbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from postroom.core.connect_link import ConnectLink
from postroom.core.events import Event
from postroom.core.ports.store import MailboxGone, Page
from postroom.store import eventlog, paging
from postroom.store.schema import connect_link, mailbox
from postroom.store.vault import Vault

REMEMBERED = timedelta(days=90)
"""How long after its end a link is still shown, and tells whoever opens it why it does not serve."""


def add(connection: Connection, vault: Vault, link: ConnectLink) -> None:
    connection.execute(delete(connect_link).where(connect_link.c.expires_at < link.created_at - REMEMBERED))
    if link.mailbox_id is not None:
        there = select(mailbox.c.id).where(mailbox.c.id == link.mailbox_id)
        if connection.execute(there).first() is None:
            raise MailboxGone(link.mailbox_id)
    connection.execute(
        insert(connect_link).values(
            id=link.id,
            secret=vault.seal(link.secret, link.id),
            address=link.address,
            mailbox_id=link.mailbox_id,
            client_id=link.client,
            reference=link.reference,
            name=link.name,
            brand=link.brand,
            return_url=link.return_url,
            return_state=link.return_state,
            failures=link.failures,
            created_at=link.created_at,
            expires_at=link.expires_at,
        )
    )


def get(connection: Connection, vault: Vault, link_id: str) -> ConnectLink | None:
    row = connection.execute(select(connect_link).where(connect_link.c.id == link_id)).one_or_none()
    return _link(vault, row) if row is not None else None


def page(
    connection: Connection, vault: Vault, limit: int, cursor: str | None, mailbox_id: str | None
) -> Page[ConnectLink]:
    """The newest first: identifiers sort by time."""
    query = select(connect_link).order_by(connect_link.c.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(connect_link.c.id < paging.decode(cursor, str)[0])
    if mailbox_id is not None:
        query = query.where(or_(connect_link.c.mailbox_id == mailbox_id, connect_link.c.connected_id == mailbox_id))
    return paging.page(connection.execute(query).all(), limit, lambda row: _link(vault, row), "id")


def revoke(connection: Connection, link_id: str, at: datetime) -> bool:
    unused = update(connect_link).where(
        connect_link.c.id == link_id, connect_link.c.used_at.is_(None), connect_link.c.revoked_at.is_(None)
    )
    return connection.execute(unused.values(revoked_at=at)).rowcount == 1


def claim(connection: Connection, link_id: str, now: datetime, until: datetime) -> bool:
    free = update(connect_link).where(
        connect_link.c.id == link_id,
        connect_link.c.used_at.is_(None),
        connect_link.c.revoked_at.is_(None),
        or_(connect_link.c.busy_until.is_(None), connect_link.c.busy_until <= now),
        or_(connect_link.c.waits_until.is_(None), connect_link.c.waits_until <= now),
    )
    return connection.execute(free.values(busy_until=until)).rowcount == 1


def release(connection: Connection, link: ConnectLink) -> None:
    this = update(connect_link).where(connect_link.c.id == link.id)
    connection.execute(this.values(busy_until=None, failures=link.failures, waits_until=link.waits_until))


def use(connection: Connection, link: ConnectLink, event: Event) -> bool:
    unused = update(connect_link).where(connect_link.c.id == link.id, connect_link.c.used_at.is_(None))
    done = unused.values(used_at=link.used_at, connected_id=link.connected_id, busy_until=None)
    if connection.execute(done).rowcount == 0:
        return False
    eventlog.append(connection, [event])
    return True


def _link(vault: Vault, row: Row[Any]) -> ConnectLink:
    return ConnectLink(
        id=row.id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        secret=vault.open(row.secret, row.id),
        address=row.address,
        mailbox_id=row.mailbox_id,
        connected_id=row.connected_id,
        reference=row.reference,
        name=row.name,
        brand=row.brand,
        return_url=row.return_url,
        return_state=row.return_state,
        client=row.client_id,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        busy_until=row.busy_until,
        failures=row.failures,
        waits_until=row.waits_until,
    )
