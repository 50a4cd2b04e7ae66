"""Column types that are the same on SQLite and PostgreSQL. It knows no table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# STRICT tables of SQLite know INTEGER (64 bits there), TEXT and BLOB only.
Number = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits."""
Flag = Boolean().with_variant(Integer(), "sqlite")
"""True or false; SQLite keeps 1 or 0."""


class Instant(TypeDecorator[datetime]):
    """A time as microseconds since 1970 UTC: sorts, compares and is read back the same on both. Naive times are refused
    with ValueError."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone cannot be stored")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""JSON as this column type keeps it."""


class Json(TypeDecorator[object]):
    """JSON as text: we never query inside it, and PostgreSQL's jsonb would refuse what mail may hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        return None if value is None else as_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:
        return None if value is None else json.loads(value)
