"""Opaque cursors of lists. It runs no queries."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Row

from postroom.core.ports.store import BadCursor, Page

T = TypeVar("T")


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def encode(*place: object) -> str:
    """The place after which a list goes on."""
    return base64.urlsafe_b64encode(json.dumps([_text(one) for one in place]).encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The place again, with a value of each kind (str or datetime). Raises BadCursor."""
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(place, list) or len(place) != len(kinds) or not all(isinstance(one, str) for one in place):
            raise BadCursor
        return tuple(
            datetime.fromisoformat(one).astimezone(UTC) if kind is datetime else one
            for one, kind in zip(place, kinds, strict=True)
        )
    except (ValueError, OverflowError):  # a time beyond the calendar
        raise BadCursor from None


def page(rows: Sequence[Row[Any]], limit: int, item: Callable[[Row[Any]], T], *keys: str) -> Page[T]:
    """A page of `limit` out of rows that were asked for with one more; `keys` are the columns that sort them."""
    kept = rows[:limit]
    more = len(rows) > limit
    return Page(tuple(map(item, kept)), encode(*(getattr(kept[-1], key) for key in keys)) if more and kept else None)
