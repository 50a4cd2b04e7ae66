"""The database: one schema, one set of queries, on SQLite and PostgreSQL. It decides nothing: core does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from postroom.core.ports.store import BadCursor
from postroom.core.ports.world import World
from postroom.store.database import Database, insert_new
from postroom.store.migration import BadDatabase, SchemaMismatch, migrate, newest, schema_version, sqlite_file
from postroom.store.schema import secret_key
from postroom.store.sqlite import PATIENCE, SQLiteDatabase
from postroom.store.sqlstore import SqlStore
from postroom.store.vault import WRONG_KEY, SecretKeyWrong, Vault

__all__ = [
    "PATIENCE",
    "BadCursor",
    "BadDatabase",
    "SchemaMismatch",
    "SecretKeyWrong",
    "migrate",
    "open_store",
    "schema_version",
]

_migrate = migrate


async def open_store(
    url: str,
    *,
    secret_key: bytes,
    world: World,
    earlier_keys: Sequence[bytes] = (),
    migrate: bool = True,
    any_key: bool = False,
    patience: float = PATIENCE,
) -> SqlStore:
    """The store at `sqlite:///path` or `postgresql://…`; `secret_key` is 32 bytes, and seals. What `earlier_keys` have
    sealed is opened as well. `any_key` opens a database whose key is lost, to say what is lost with it. For so many
    seconds of `patience` a lock that another program has on SQLite's file is waited for.

    Raises StoreUnavailable, BadDatabase, SchemaMismatch (also where `migrate` is False and the tables are not those of
    this version), SecretKeyWrong.
    """
    vault = Vault(secret_key, *earlier_keys)
    if migrate:
        await _migrate(url, patience=patience)
    elif (current := await schema_version(url)) != newest():
        raise SchemaMismatch(
            f"The database has tables {current or 'of no version'}, this Postroom needs {newest()}: "
            "run `postroom db migrate`."
        )
    file = sqlite_file(url)
    opened = _postgresql(url) if file is None else SQLiteDatabase(file, patience=patience)
    try:
        if not any_key and await opened.read(_newest_key) != vault.fingerprint:
            await opened.note(_check_key, vault, world.now())
    except BaseException:
        await opened.close()
        raise
    return SqlStore(opened, vault, world)


def _postgresql(url: str) -> Database:
    # Here, so that a process on SQLite does not carry the driver and SQLAlchemy's asynchronous half (10 MB).
    from postroom.store.postgresql import PostgreSQLDatabase

    return PostgreSQLDatabase(url)


def _newest_key(connection: Connection) -> str | None:
    newest = select(secret_key.c.id).order_by(secret_key.c.created_at.desc(), secret_key.c.id).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def _check_key(connection: Connection, vault: Vault, now: datetime) -> None:
    """Raises SecretKeyWrong before anything is sealed with the wrong key. The newest key that this database has seen
    must be among ours: while it is changed, one who has the earlier alone could not read what others write."""
    known = _newest_key(connection)
    if known is not None and known not in vault.fingerprints:
        raise SecretKeyWrong(WRONG_KEY)
    connection.execute(insert_new(connection, secret_key), {"id": vault.fingerprint, "created_at": now})
