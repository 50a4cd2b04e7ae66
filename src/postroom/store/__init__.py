"""The database: one schema, one set of queries, on SQLite and PostgreSQL. It decides nothing: core does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from postroom.core.ports.store import BadCursor, Store
from postroom.core.ports.world import World
from postroom.store.database import Database, insert_new
from postroom.store.migration import BadDatabase, SchemaMismatch, migrate, newest, schema_version, sqlite_file
from postroom.store.postgresql import PostgreSQLDatabase
from postroom.store.schema import secret_key
from postroom.store.sqlite import SQLiteDatabase
from postroom.store.sqlstore import SqlStore
from postroom.store.vault import WRONG_KEY, SecretKeyWrong, Vault

__all__ = ["BadCursor", "BadDatabase", "SchemaMismatch", "SecretKeyWrong", "migrate", "open_store", "schema_version"]

_migrate = migrate


async def open_store(url: str, *, secret_key: bytes, world: World, migrate: bool = True) -> Store:
    """The store at `sqlite:///path` or `postgresql://…`; `secret_key` is 32 bytes.

    Raises StoreUnavailable, BadDatabase, SchemaMismatch (also where `migrate` is False and the tables are not those of
    this version), SecretKeyWrong.
    """
    vault = Vault(secret_key)
    if migrate:
        await _migrate(url)
    elif (current := await schema_version(url)) != newest():
        raise SchemaMismatch(
            f"The database has tables {current or 'of no version'}, this Postroom needs {newest()}: "
            "run `postroom db migrate`."
        )
    file = sqlite_file(url)
    opened: Database = PostgreSQLDatabase(url) if file is None else SQLiteDatabase(file)
    try:
        await opened.note(_check_key, vault, world.now())
    except BaseException:
        await opened.close()
        raise
    return SqlStore(opened, vault, world)


def _check_key(connection: Connection, vault: Vault, now: datetime) -> None:
    """Raises SecretKeyWrong before anything is sealed with the wrong key; the first key is noted."""
    known = set(connection.execute(select(secret_key.c.id)).scalars())
    if known and vault.fingerprint not in known:
        raise SecretKeyWrong(WRONG_KEY)
    connection.execute(insert_new(connection, secret_key), {"id": vault.fingerprint, "created_at": now})
