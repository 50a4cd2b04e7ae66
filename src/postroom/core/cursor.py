"""How far a folder has been read, and what a look at the server means for it. It fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Selected:
    """What SELECT answered (RFC 9051 6.3.2). `uid_next` may be missing on old servers."""

    folder: str
    uid_validity: int
    uid_next: int | None
    exists: int
    highest_modseq: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """A folder's row. Every UID up to `last_uid` under this UIDVALIDITY is in the ledger; `total` and `done` are the
    progress of the sync under way, both 0 where none is."""

    mailbox_id: str
    folder: str
    uid_validity: int
    last_uid: int = 0
    highest_modseq: int | None = None
    synced_at: datetime | None = None
    total: int = 0
    done: int = 0


class Outcome(StrEnum):
    """What became of a UID: its row in the ledger."""

    FETCHED = "fetched"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"


class Change(StrEnum):
    """What a SELECT means for the cursor we have."""

    FIRST = "first"  # never read before
    NONE = "none"  # nothing new
    NEW = "new"  # UIDs beyond the cursor
    RESET = "reset"  # UIDVALIDITY changed: every UID we know is void (RFC 9051 2.3.1.1)
    WOUND_BACK = "wound back"  # UIDNEXT fell under the same UIDVALIDITY, as no server may: it was restored


def compare(cursor: Cursor | None, selected: Selected) -> Change:
    """What the server shows against what we have read."""
    if cursor is None:
        return Change.FIRST
    if cursor.uid_validity != selected.uid_validity:
        return Change.RESET
    if selected.uid_next is None or selected.uid_next > cursor.last_uid + 1:
        return Change.NEW
    return Change.NONE if selected.uid_next == cursor.last_uid + 1 else Change.WOUND_BACK


@dataclass(frozen=True, slots=True)
class Sized:
    """A UID and its RFC822.SIZE, in bytes."""

    uid: int
    size: int


def batches(sizes: list[Sized], *, most: int = 100, most_bytes: int = 8 * 1024 * 1024) -> list[list[Sized]]:
    """Split what is to be fetched into runs that fit in memory and in one transaction; a giant goes alone."""
    runs: list[list[Sized]] = []
    run: list[Sized] = []
    weight = 0
    for one in sizes:
        if run and (len(run) >= most or weight + one.size > most_bytes):
            runs.append(run)
            run, weight = [], 0
        run.append(one)
        weight += one.size
    if run:
        runs.append(run)
    return runs
