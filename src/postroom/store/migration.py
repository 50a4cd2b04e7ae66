"""Brings a database to the tables of this version of Postroom. It holds no migration: those are in `migrations`."""

from __future__ import annotations

import asyncio
import pkgutil
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from postroom.store import sqlite
from postroom.store.faults import sqlite_fault
from postroom.store.migrations import versions

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


def newest() -> str:
    """The version of the tables that this Postroom needs."""
    return max(_known())


def _known() -> list[str]:
    """The versions that there are migrations to: their modules are named v0001_what."""
    return [one.name[1:].partition("_")[0] for one in pkgutil.iter_modules(versions.__path__)]


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    current = _current(connection)
    if current == newest():
        return
    if current is not None and current not in _known():
        raise SchemaMismatch(
            f"The database was written by a newer Postroom (tables {current}). Start that version, "
            "or restore the backup that was made before it was installed."
        )
    # Here, so that a start that finds its tables in order does not carry it (12 MB).
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "postroom.store:migrations")
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")


def _locked_upgrade(connection: Connection) -> None:
    # Several workers may start at once: the first one migrates, the others find it done.
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    _upgrade(connection)


def _in_sqlite(file: Path, *, upgrade: bool, patience: float = sqlite.PATIENCE) -> str | None:
    if sqlite3.sqlite_version_info < sqlite.OLDEST:
        wanted = ".".join(map(str, sqlite.OLDEST))
        raise SchemaMismatch(f"SQLite {sqlite3.sqlite_version} is too old: Postroom needs {wanted} or newer.")
    if not upgrade and not file.exists():
        return None
    engine = sqlite.engine(file, patience, create=upgrade)
    try:
        with engine.connect() as connection:
            current = _current(connection)
            if not upgrade or current == newest():  # nothing to write: nobody need be waited for
                return current
            sqlite.begin(sqlite.driver_of(connection), patience)
            try:
                _upgrade(connection)
                current = _current(connection)
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            return current
    except Exception as error:
        judged = sqlite_fault(error, file, patience)
        if judged is error:
            raise
        raise judged from None
    finally:
        engine.dispose()


async def _in_postgresql(url: str, *, upgrade: bool) -> str | None:
    # Here, so that a process on SQLite does not carry the driver.
    from postroom.store.postgresql import engine as postgresql_engine
    from postroom.store.postgresql import where
    from postroom.store.postgresql_faults import postgresql_fault

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


async def migrate(url: str, *, patience: float = sqlite.PATIENCE) -> str:
    """Brings the tables to this version, all or nothing, and gives the version. Makes the SQLite file where there is
    none. Raises StoreUnavailable, SchemaMismatch, BadDatabase."""
    file = sqlite_file(url)
    if file is not None:
        current = await asyncio.to_thread(_in_sqlite, file, upgrade=True, patience=patience)
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
