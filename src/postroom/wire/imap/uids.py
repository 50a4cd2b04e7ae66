"""UIDs as sequence sets (RFC 9051 9, sequence-set) short enough for one command line. It fetches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

LONGEST: Final = 7000
"""Bytes of a set: RFC 7162 4 says that servers take command lines of 8,192 bytes, and the command needs room too."""


def uid_sets(uids: Iterable[int], longest: int = LONGEST) -> Iterator[bytes]:
    """The UIDs in ascending order, runs as first:last, in as few sets as `longest` allows."""
    parts: list[str] = []
    length = 0
    for first, last in _runs(uids):
        part = str(first) if first == last else f"{first}:{last}"
        if parts and length + len(part) + 1 > longest:
            yield ",".join(parts).encode()
            parts, length = [], 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield ",".join(parts).encode()


def _runs(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = 0
    for uid in sorted(set(uids)):
        if first and uid == last + 1:
            last = uid
            continue
        if first:
            yield first, last
        first = last = uid
    if first:
        yield first, last
