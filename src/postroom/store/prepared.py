"""Statements that run for every message, made into text once. It knows no table.

SQLAlchemy takes some 60 µs to run a statement that it has made before, and SQLite five: for what is done ten times for
each message, that is most of the work. On PostgreSQL, where the way there costs more, statements run as all others do.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Select, Table
from sqlalchemy.sql.dml import ReturningUpdate, UpdateBase
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeEngine

from postroom.store.database import insert_new

MOST_KNOWN = 1000
"""Rows of which is known what was made of them, for each statement."""

T = TypeVar("T")
Values = Mapping[str, Any]
# A value as its driver takes it, or a driver's value as we do; what it is, only its column knows.
Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Text:
    """One statement for SQLite. Each parameter: its name, or None where its value is fixed; that value; what makes of
    it what the driver takes."""

    sql: str
    parameters: tuple[tuple[str | None, Any, Process | None], ...]

    def bound(self, values: Values) -> list[Any]:
        bound = []
        for name, fixed, process in self.parameters:
            value = fixed if name is None else values[name]
            bound.append(value if process is None else process(value))
        return bound


class Write:
    """INSERT or UPDATE. Each place that runs it gives the same names, in the same order."""

    def __init__(self, statement: UpdateBase | Callable[[Connection], UpdateBase]) -> None:
        self._statement = statement
        self._texts: dict[tuple[str, ...], _Text] = {}

    def run(self, connection: Connection, values: Values) -> int:
        """How many rows it wrote."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._of(connection), dict(values)).rowcount
        text = self._text(connection, values)
        return _driver(connection).execute(text.sql, text.bound(values)).rowcount

    def run_all(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Once for each row; all have the same names."""
        if not rows:
            return
        if connection.dialect.name != "sqlite":
            connection.execute(self._of(connection), [dict(row) for row in rows])
            return
        text = self._text(connection, rows[0])
        _driver(connection).executemany(text.sql, map(text.bound, rows))

    def _of(self, connection: Connection) -> UpdateBase:
        return self._statement if isinstance(self._statement, UpdateBase) else self._statement(connection)

    def _text(self, connection: Connection, values: Values) -> _Text:
        names = tuple(values)
        text = self._texts.get(names)
        if text is None:
            text = self._texts[names] = _made(self._of(connection), connection.dialect, list(names))
        return text


class Read:
    """SELECT of columns, or a change RETURNING some, whose parameters are single values."""

    def __init__(self, statement: Select[Any] | ReturningUpdate[Any]) -> None:
        self._statement = statement
        self._text: _Text | None = None
        self._processes: tuple[Process | None, ...] = ()
        self._known: dict[tuple[Any, ...], Any] = {}
        columns = statement.exported_columns
        self._row = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc] # mypy wants literals

    def all(self, connection: Connection, values: Values) -> Sequence[Any]:
        """Rows whose columns are attributes."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, dict(values)).all()
        text = self._prepared(connection)
        return [self._of(raw) for raw in _driver(connection).execute(text.sql, text.bound(values)).fetchall()]

    def one(self, connection: Connection, values: Values, make: Callable[[Any], T]) -> T | None:
        """What `make`, the same each time, makes of the only row; None where there is none. On SQLite a row that is as
        it was gives what was made of it before."""
        if connection.dialect.name != "sqlite":
            row = connection.execute(self._statement, dict(values)).one_or_none()
            return make(row) if row is not None else None
        text = self._prepared(connection)
        raw = _driver(connection).execute(text.sql, text.bound(values)).fetchone()
        if raw is None:
            return None
        made: T | None = self._known.get(raw)
        if made is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            made = self._known[raw] = make(self._of(raw))
        return made

    def first(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 - a row, whose columns the statement names
        """The only row, where it is asked for by a key; None where there is none."""
        found = self.all(connection, values)
        return found[0] if found else None

    def _prepared(self, connection: Connection) -> _Text:
        if self._text is None:
            kinds = [column.type for column in self._statement.exported_columns]
            self._processes = tuple(_result(kind, connection.dialect) for kind in kinds)
            self._text = _made(self._statement, connection.dialect, None)
        return self._text

    def _of(self, raw: tuple[Any, ...]) -> Any:  # noqa: ANN401 - as above
        return self._row(*[one if do is None else do(one) for one, do in zip(raw, self._processes, strict=True)])


def new(table: Table) -> Write:
    """INSERT that passes over a row whose key is there already."""
    return Write(lambda connection: insert_new(connection, table))


def _made(statement: UpdateBase | Select[Any], dialect: Dialect, names: list[str] | None) -> _Text:
    compiled = statement.compile(dialect=dialect, column_keys=names)
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError("a statement with IN has another text for each number of values")
    binds: dict[str, BindParameter[Any]] = {name: bind for bind, name in compiled.bind_names.items()}
    parameters: list[tuple[str | None, Any, Process | None]] = []
    for name in compiled.positiontup or []:
        bind = binds[name]
        fixed = None if bind.required else bind.effective_value
        parameters.append((name if bind.required else None, fixed, _bind(bind.type, dialect)))
    return _Text(compiled.string, tuple(parameters))


def _bind(kind: TypeEngine[Any], dialect: Dialect) -> Process | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _result(kind: TypeEngine[Any], dialect: Dialect) -> Process | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("not a connection of sqlite3")
    return driver
