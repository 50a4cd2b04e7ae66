"""What queries run on: one transaction at a time, wherever the tables are. It knows no table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from postroom.store.changes import Changes

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs query functions `query(connection, …)`, each in one transaction.

    A query may be run again where nothing of it was committed, so it does nothing but query. All raise StoreUnavailable
    where the database cannot serve, QueryFault where it refuses the query. Cancelling the wait does not undo a write.
    """

    changes: Changes

    async def read(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def write(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """On disk when it returns. Wakes watchers, unless the query says that it wrote nothing: False, 0 or []."""
        ...

    async def note(self, query: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """A write that nobody waits for: wakes no one."""
        ...

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """Whether there is surely no other worker as this one begins: then nothing left behind need be waited for."""
        ...

    async def close(self) -> None: ...


def wrote(result: object) -> bool:
    """Whether a write's result says that something was written."""
    return result is None or bool(result)


def insert(connection: Connection, table: Table) -> postgresql.Insert:
    """INSERT that knows ON CONFLICT: the two databases agree on it, SQLAlchemy has one class for each."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: Table) -> postgresql.Insert:
    if dialect == "sqlite":
        # Both classes have the same ON CONFLICT methods; the cast spares every caller the choice.
        return cast("postgresql.Insert", sqlite.insert(table))
    return postgresql.insert(table)


def insert_new(connection: Connection, table: Table) -> postgresql.Insert:
    """INSERT that passes over rows whose key is there already; `rowcount` says how many were not."""
    return _insert_new(connection.dialect.name, table)


@cache  # building a statement costs more than running it
def _insert_new(dialect: str, table: Table) -> postgresql.Insert:
    return _insert(dialect, table).on_conflict_do_nothing()
