"""Brings a database to the tables of this version of Postroom. It holds no migration: those are in `migrations`."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from postroom.store import sqlite
from postroom.store.faults import postgresql_fault, sqlite_fault
from postroom.store.postgresql import engine as postgresql_engine
from postroom.store.postgresql import where

_LOCK = 0x706F7374  # "post": any number that only we use


class SchemaMismatch(Exception):
    """The database's tables are not those of this version; the text says what to do."""


class BadDatabase(Exception):
    """The address of the database is of no kind that we know."""


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite address, None for a PostgreSQL one. Raises BadDatabase."""
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    if url.startswith(("postgresql://", "postgres://")):
        return None
    raise BadDatabase("The database must be sqlite:///path or postgresql://user:password@host/name.")


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "postroom.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def newest() -> str:
    """The version of the tables that this Postroom needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise AssertionError("there are no migrations")
    return head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    current = _current(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaMismatch(
            f"The database was written by a newer Postroom (tables {current}). Start that version, "
            "or restore the backup that was made before it was installed."
        )
    command.upgrade(_config(connection), "head")


def _locked_upgrade(connection: Connection) -> None:
    # Several workers may start at once: the first one migrates, the others find it done.
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    _upgrade(connection)


def _in_sqlite(file: Path, *, upgrade: bool) -> str | None:
    if sqlite3.sqlite_version_info < sqlite.OLDEST:
        wanted = ".".join(map(str, sqlite.OLDEST))
        raise SchemaMismatch(f"SQLite {sqlite3.sqlite_version} is too old: Postroom needs {wanted} or newer.")
    if not upgrade and not file.exists():
        return None
    engine = sqlite.engine(file, create=upgrade)
    try:
        with engine.connect() as connection:
            if not upgrade:
                return _current(connection)
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                _upgrade(connection)
                current = _current(connection)
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            return current
    except Exception as error:
        judged = sqlite_fault(error, file, sqlite.PATIENCE)
        if judged is error:
            raise
        raise judged from None
    finally:
        engine.dispose()


async def _in_postgresql(url: str, *, upgrade: bool) -> str | None:
    engine = postgresql_engine(url, size=1)
    try:
        async with engine.connect() as connection, connection.begin():
            if upgrade:
                await connection.run_sync(_locked_upgrade)
            return await connection.run_sync(_current)
    except Exception as error:
        judged = postgresql_fault(error, where(url))
        if judged is error:
            raise
        raise judged from None
    finally:
        await engine.dispose()


async def migrate(url: str) -> str:
    """Brings the tables to this version, all or nothing, and gives the version. Makes the SQLite file where there is
    none. Raises StoreUnavailable, SchemaMismatch, BadDatabase."""
    file = sqlite_file(url)
    if file is not None:
        current = await asyncio.to_thread(_in_sqlite, file, upgrade=True)
    else:
        current = await _in_postgresql(url, upgrade=True)
    if current is None:
        raise AssertionError("a migrated database has a version")
    return current


async def schema_version(url: str) -> str | None:
    """The version of the database's tables, None where it has none yet. Raises StoreUnavailable, BadDatabase."""
    file = sqlite_file(url)
    if file is not None:
        return await asyncio.to_thread(_in_sqlite, file, upgrade=False)
    return await _in_postgresql(url, upgrade=False)
