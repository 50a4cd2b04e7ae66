"""API keys by their digest. It never sees a token."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from postroom.core.apikey import ApiKey
from postroom.store.schema import api_key


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(row.id, row.name, row.created_at, row.last_used_at, row.revoked_at)


def add(connection: Connection, key: ApiKey, digest: str) -> None:
    connection.execute(
        insert(api_key).values(
            id=key.id,
            name=key.name,
            digest=digest,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
        )
    )


def get(connection: Connection, digest: str) -> ApiKey | None:
    query = select(api_key).where(api_key.c.digest == digest, api_key.c.revoked_at.is_(None))
    row = connection.execute(query).one_or_none()
    return _key(row) if row is not None else None


def used(connection: Connection, key_id: str, at: datetime) -> None:
    connection.execute(update(api_key).where(api_key.c.id == key_id).values(last_used_at=at))


def all_of_them(connection: Connection) -> list[ApiKey]:
    return [_key(row) for row in connection.execute(select(api_key).order_by(api_key.c.created_at, api_key.c.id))]


def revoke(connection: Connection, key_id: str, at: datetime) -> bool:
    """False where it is revoked already, or unknown."""
    voided = update(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None)).values(revoked_at=at)
    return connection.execute(voided).rowcount == 1
