"""What mailboxes sign in with: sealed, versioned, and renewed by one at a time. It asks no provider."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from postroom.core.events import Event
from postroom.core.mailbox import AuthKind, Credential, Tokens
from postroom.core.oauth import lifetime
from postroom.core.oauth.authority import by_key
from postroom.core.ports.store import Held, MailboxGone
from postroom.store import database, eventlog
from postroom.store.schema import credential, mailbox, oauth_client
from postroom.store.vault import Vault

_TIMES = ("expires_at", "refresh_expires_at", "given_at")


def put(connection: Connection, vault: Vault, mailbox_id: str, secret: Credential) -> None:
    """Replaces whatever was there; a renewal under way will find its version gone. Raises MailboxGone."""
    known = select(mailbox.c.id).where(mailbox.c.id == mailbox_id)
    if connection.execute(known).first() is None:
        raise MailboxGone(mailbox_id)
    values = _values(connection, vault, mailbox_id, secret)
    new = database.insert(connection, credential).values(mailbox_id=mailbox_id, version=1, **values)
    free = {"version": credential.c.version + 1, "renewed_by": None, "renewed_until": None, "told_at": None}
    connection.execute(new.on_conflict_do_update(index_elements=["mailbox_id"], set_=values | free))


def get(connection: Connection, vault: Vault, mailbox_id: str) -> Credential:
    """Raises MailboxGone."""
    return held(connection, vault, mailbox_id).credential


def held(connection: Connection, vault: Vault, mailbox_id: str) -> Held:
    """Raises MailboxGone."""
    query = select(credential.c.secret, credential.c.version).where(credential.c.mailbox_id == mailbox_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise MailboxGone(mailbox_id)
    return Held(read(vault.open(row.secret, mailbox_id)), row.version)


def claim(connection: Connection, mailbox_id: str, holder: str, now: datetime, ttl: timedelta) -> bool:
    free = or_(credential.c.renewed_by.is_(None), credential.c.renewed_by == holder, credential.c.renewed_until < now)
    taken = update(credential).where(credential.c.mailbox_id == mailbox_id, free)
    return connection.execute(taken.values(renewed_by=holder, renewed_until=now + ttl)).rowcount == 1


def release(connection: Connection, mailbox_id: str, holder: str) -> None:
    mine = update(credential).where(credential.c.mailbox_id == mailbox_id, credential.c.renewed_by == holder)
    connection.execute(mine.values(renewed_by=None, renewed_until=None))


def save(connection: Connection, vault: Vault, mailbox_id: str, secret: Credential, version: int) -> bool:
    """Compare and swap."""
    values = _values(connection, vault, mailbox_id, secret)
    mine = update(credential).where(credential.c.mailbox_id == mailbox_id, credential.c.version == version)
    # A renewal moves a death by disuse, which was told for the sign-in as it stood: tell anew when it comes near.
    untold = {} if secret.tokens and secret.tokens.refresh_expires_at else {"told_at": None}
    written = mine.values(**values, **untold, version=version + 1, renewed_by=None, renewed_until=None)
    return connection.execute(written).rowcount == 1


def ending(connection: Connection, before: datetime, limit: int) -> list[str]:
    query = (
        select(credential.c.mailbox_id)
        .where(credential.c.ends_at < before, credential.c.told_at.is_(None))
        .order_by(credential.c.ends_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def told(connection: Connection, mailbox_id: str, event: Event) -> bool:
    untold = update(credential).where(
        credential.c.mailbox_id == mailbox_id, credential.c.told_at.is_(None), credential.c.ends_at.is_not(None)
    )
    if connection.execute(untold.values(told_at=event.at)).rowcount == 0:
        return False
    eventlog.append(connection, [event])
    return True


def of_client(connection: Connection, client_id: str) -> list[str]:
    query = select(credential.c.mailbox_id).where(credential.c.client_id == client_id)
    return list(connection.execute(query.order_by(credential.c.mailbox_id)).scalars())


def _values(connection: Connection, vault: Vault, mailbox_id: str, secret: Credential) -> dict[str, Any]:
    ends = None
    if secret.tokens is not None:
        provider = select(oauth_client.c.provider).where(oauth_client.c.id == secret.client)
        authority = by_key(connection.execute(provider).scalar_one_or_none() or "")
        ends = lifetime.ends_at(secret.tokens, authority.unused if authority else None)
    return {
        "secret": vault.seal(text(secret), mailbox_id),
        "client_id": secret.client or None,
        "ends_at": ends,
    }


def text(secret: Credential) -> str:
    """A credential as what is sealed."""
    fields: dict[str, Any] = {"kind": str(secret.kind), "password": secret.password}
    if secret.client:
        fields |= {"client": secret.client, "identity": secret.identity, "tenant": secret.tenant}
    if secret.tokens is not None:
        fields["tokens"] = tokens_fields(secret.tokens)
    return json.dumps(fields)


def read(sealed: str) -> Credential:
    """What `text` wrote, also as releases before OAuth did."""
    fields = json.loads(sealed)
    return Credential(
        AuthKind(fields["kind"]),
        fields["password"],
        fields.get("client", ""),
        fields.get("identity", ""),
        fields.get("tenant", ""),
        tokens_of(fields.get("tokens")),
    )


def tokens_fields(tokens: Tokens | None) -> dict[str, Any] | None:
    """Tokens as JSON."""
    if tokens is None:
        return None
    times = {name: at.timestamp() if (at := getattr(tokens, name)) else None for name in _TIMES}
    return times | {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "previous_refresh_token": tokens.previous_refresh_token,
        "scope": tokens.scope,
    }


def tokens_of(fields: dict[str, Any] | None) -> Tokens | None:
    """What `tokens_fields` made."""
    if fields is None:
        return None
    times = {name: datetime.fromtimestamp(at, UTC) if (at := fields[name]) else None for name in _TIMES}
    return Tokens(**(fields | times))
