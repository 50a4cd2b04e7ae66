"""What all tables share: the metadata, how a table is made, how a partial index is written. It holds no table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, ColumnElement, ForeignKey, Index, MetaData, Table, Text, literal_column

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s",
        "pk": "%(table_name)s_key",
        "fk": "%(table_name)s_%(referred_table_name)s",
    }
)


def table(name: str, *parts: Column[Any] | Index, comment: str, rowid: bool = True) -> Table:
    # Without rowid (SQLite) the key is the table: for small rows that are found by their key alone.
    return Table(name, metadata, *parts, comment=comment, sqlite_strict=True, sqlite_with_rowid=rowid)


def of_mailbox() -> Column[Any]:
    return Column(
        "mailbox_id", Text, ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True, comment="Its mailbox"
    )


def among(column: ColumnElement[Any], states: Iterable[str]) -> ColumnElement[bool]:
    """`column IN (…)` written out, not bound: only so do both databases see that a partial index serves the query.
    The states are words of ours."""
    return column.in_([literal_column(f"'{one}'", Text()) for one in sorted(str(one) for one in states)])
