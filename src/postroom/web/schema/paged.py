"""Pages of lists that are short enough to be read whole. Longer ones are paged by the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def page_of(
    items: Sequence[T], key: Callable[[T], str], *, limit: int, cursor: str | None
) -> tuple[Sequence[T], str | None]:
    """The entries after the one whose key is the cursor, and the next cursor. `items` are sorted by `key`."""
    rest = [one for one in items if cursor is None or key(one) > cursor]
    part = rest[:limit]
    return part, key(part[-1]) if len(rest) > limit else None
