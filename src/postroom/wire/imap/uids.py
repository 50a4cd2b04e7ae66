"""UIDs as sequence sets (RFC 9051 9, sequence-set) short enough for one command line. It fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from postroom.wire.imap.grammar import Status

HIGHEST: Final = 2**32
"""One more than the highest UID that there can be."""
LONGEST: Final = 7000
"""Bytes of a set: RFC 7162 4 says that servers take command lines of 8,192 bytes, and the command needs room too."""


_LIMITED: Final = re.compile(r"[0-9]{1,10} +([0-9]{1,10})(?![0-9])")


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


def lowest_reached(status: Status) -> int | None:
    """Where a server answers for so many messages only (MESSAGELIMIT, RFC 9738 3.1; Yahoo): the lowest UID that it came
    to, from the highest on. What lies below has to be asked for. None where all was answered."""
    stopped = _LIMITED.match(status.argument) if status.code == "MESSAGELIMIT" else None
    return int(stopped[1]) if stopped else None


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
