"""The tables: what migrations make is what schema.py says, and data of every release opens."""

import re
import sqlite3
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from postroom.core.ports.store import StoreUnavailable
from postroom.store import BadDatabase, SchemaMismatch, migrate, open_store, schema_version
from postroom.store.migration import newest
from postroom.store.postgresql import engine as postgresql_engine
from postroom.store.schema import metadata
from tests.store.make import KEY, World

_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, col_description(table_name::regclass, ordinal_position::int)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2
"""
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2
"""


def _differences(connection: Connection) -> list[object]:
    return compare_metadata(MigrationContext.configure(connection), metadata)


def _sqlite_tables(file: Path) -> dict[str, list[str]]:
    """Each table as its columns and constraints, each index as its one line, in an order of our own: a column that a
    migration added stands behind the constraints."""
    with sqlite3.connect(file) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
        )
        return {name: _parts(" ".join(sql.split())) for name, sql in rows}


def _parts(sql: str) -> list[str]:
    if not sql.startswith("CREATE TABLE"):
        return [sql]
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    return [head.strip(), *sorted(one.strip() for one in re.split(r",(?![^(]*\))", body)), tail.strip()]


async def test_migrations_make_the_tables_of_the_schema_on_sqlite(tmp_path: Path) -> None:
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    await migrate(f"sqlite:///{migrated}")
    engine = create_engine(f"sqlite:///{made}")
    metadata.create_all(engine)
    engine.dispose()
    tables = _sqlite_tables(migrated)
    assert tables == _sqlite_tables(made)
    assert all("STRICT" in parts[-1] for parts in tables.values() if parts[0].startswith("CREATE TABLE"))
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        assert _differences(connection) == []
    engine.dispose()


async def test_migrations_make_the_tables_of_the_schema_on_postgresql(postgresql_url: str) -> None:
    async def shape() -> list[list[asyncpg.Record]]:
        connection = await asyncpg.connect(postgresql_url)
        try:
            return [await connection.fetch(query) for query in (_COLUMNS, _INDEXES, _CONSTRAINTS)]
        finally:
            await connection.close()

    await migrate(postgresql_url)
    engine = postgresql_engine(postgresql_url)
    async with engine.begin() as connection:
        assert await connection.run_sync(_differences) == []
        migrated = await shape()
        assert all(len(rows) > 10 for rows in migrated)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    assert migrated == await shape()


def test_every_column_says_what_it_means() -> None:
    columns = [column for table in metadata.tables.values() for column in table.columns]
    assert [str(column) for column in columns if not column.comment] == []


def test_the_key_of_every_table_that_grows_with_mail_begins_with_its_mailbox() -> None:
    steady = {"mailbox", "worker", "webhook", "api_key", "secret_key", "event_position", "oauth_client"}
    steady.add("pruned")
    steady.add("connect_link")  # of a mailbox that may not be there yet
    steady.add("oauth_authorization")  # of a mailbox that may not be there yet; forgotten after days
    for name, table in metadata.tables.items():
        if name not in steady:
            assert next(iter(table.primary_key.columns)).name == "mailbox_id"


async def test_a_database_is_migrated_once_and_tells_its_version(database_url: str) -> None:
    assert await schema_version(database_url) is None
    assert await migrate(database_url) == newest()
    assert await migrate(database_url) == newest()
    assert await schema_version(database_url) == newest()


async def test_a_database_that_is_not_migrated_is_not_opened_without(database_url: str, world: World) -> None:
    with pytest.raises(SchemaMismatch, match="postroom db migrate"):
        await open_store(database_url, secret_key=KEY, world=world, migrate=False)
    await migrate(database_url)
    store = await open_store(database_url, secret_key=KEY, world=world, migrate=False)
    await store.close()


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path, world: World) -> None:
    file = tmp_path / "postroom.db"
    await migrate(f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="newer Postroom"):
        await open_store(f"sqlite:///{file}", secret_key=KEY, world=world)
    assert await schema_version(f"sqlite:///{file}") == "9999"


async def test_an_address_of_no_known_kind_is_refused(world: World) -> None:
    with pytest.raises(BadDatabase, match="sqlite:///path or postgresql://"):
        await open_store("mysql://x", secret_key=KEY, world=world)


async def test_a_file_that_is_no_database_and_a_missing_folder_are_named(tmp_path: Path, world: World) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="is not a database of Postroom"):
        await open_store(f"sqlite:///{junk}", secret_key=KEY, world=world)
    with pytest.raises(StoreUnavailable, match="does its folder exist"):
        await open_store(f"sqlite:///{tmp_path / 'none' / 'x.db'}", secret_key=KEY, world=world)


async def test_a_postgresql_that_cannot_be_had_is_named_without_its_password(world: World) -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/x cannot be reached") as raised:
        await open_store("postgresql://me:hunter2@127.0.0.1:1/x", secret_key=KEY, world=world)
    assert "hunter2" not in repr(raised.value)


async def test_a_database_that_postgresql_does_not_have_is_named(postgresql_url: str, world: World) -> None:
    with pytest.raises(StoreUnavailable, match="create it"):
        await open_store(postgresql_url + "_none", secret_key=KEY, world=world)
