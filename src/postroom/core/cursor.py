"""How far a folder has been read, and what a look at the server means for it. It fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from postroom.core.message import Flow
from postroom.core.uids import Uids


@dataclass(frozen=True, slots=True)
class Selected:
    """What SELECT answered (RFC 9051 6.3.2). `uid_next` may be missing on old servers."""

    folder: str
    uid_validity: int
    uid_next: int | None
    exists: int
    highest_modseq: int | None = None
    read_only: bool = False


class Order(StrEnum):
    """From which end a gap is read."""

    OLDEST = "oldest"  # what came while we were away: in the order in which it came
    NEWEST = "newest"  # what was there when the mailbox was connected: people work with the newest


@dataclass(frozen=True, slots=True)
class Gap:
    """UIDs from `first` to `last` that are still to be read, but for those that are in the ledger already."""

    first: int
    last: int
    order: Order


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The last comparison of a folder with its server: how many messages the server had, how many of those the ledger
    accounts for; `healed` is how many were missing in it so far and were read then."""

    at: datetime | None = None
    server: int = 0
    ledger: int = 0
    healed: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Bytes fetched in the 24 hours that began at `since`: providers close accounts that take too much."""

    since: datetime | None = None
    size: int = 0

    def more(self, size: int, now: datetime) -> Spent:
        """With `size` more bytes; a day that is over is forgotten."""
        if self.since is None or not timedelta(0) <= now - self.since < DAY:
            return Spent(now, size)
        return Spent(self.since, self.size + size)

    def left(self, budget: int | None, now: datetime) -> bool:
        """Whether more may be fetched in this day."""
        return budget is None or self.more(0, now).size < budget


DAY = timedelta(days=1)
MOST_GAPS = 50
"""Gaps that a cursor keeps apart."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A folder's row. Every UID up to `last_uid` under this UIDVALIDITY is in the ledger or in one of the `gaps`.

    `total` and `done` are the progress of the reading under way and `per_minute` its speed, all 0 where none is. What
    the server had before `since` when the folder was first read, at `began_at`, is skipped; None skips nothing. Which
    way its messages went says `flow`: those of a Sent folder are outgoing.
    """

    mailbox_id: str
    folder: str
    uid_validity: int
    last_uid: int = 0
    highest_modseq: int | None = None
    synced_at: datetime | None = None
    total: int = 0
    done: int = 0
    per_minute: int = 0
    gaps: tuple[Gap, ...] = ()
    began_at: datetime | None = None
    since: datetime | None = None
    reconciled: Reconciled = field(default_factory=Reconciled)
    spent: Spent = field(default_factory=Spent)
    flow: Flow = Flow.INBOUND

    @property
    def seconds_left(self) -> int | None:
        """Until the reading under way is through; None where none is, or its speed is not known."""
        return (self.total - self.done) * 60 // self.per_minute if self.total and self.per_minute else None

    @property
    def pending(self) -> Uids:
        """All that lies in gaps."""
        return Uids.joined((gap.first, gap.last) for gap in self.gaps)

    @property
    def next_gap(self) -> Gap | None:
        """What is read first: what came while we were away, the oldest of it; then what was there before."""
        return min(self.gaps, key=lambda gap: (gap.order is Order.NEWEST, gap.first), default=None)

    def up_to(self, highest: int, order: Order) -> Cursor:
        """The server has shown UIDs up to `highest`: those that are beyond what we know are a gap now."""
        if highest <= self.last_uid:
            return self
        return replace(self, last_uid=highest, gaps=_joined(*self.gaps, Gap(self.last_uid + 1, highest, order)))

    def without(self, missing: Uids) -> Cursor:
        """UIDs that are to be read again. Many runs are one gap: the ledger knows what lies between them."""
        runs = missing.runs if len(missing.runs) <= MOST_GAPS else ((missing.lowest, missing.highest),)
        again = (Gap(first, min(last, self.last_uid), Order.OLDEST) for first, last in runs if first <= self.last_uid)
        return replace(self, gaps=_joined(*self.gaps, *again)) if runs else self

    def accounted(self, first: int, last: int) -> Cursor:
        """Every UID from `first` to `last` is in the ledger now, or is not on the server. Beyond `last_uid` this moves
        on only without leaving anything out: ValueError."""
        if last < first:
            return self
        if first > self.last_uid + 1:
            raise ValueError("UIDs would be passed over")
        left = tuple(
            part
            for gap in self.gaps
            for part in (
                Gap(gap.first, min(gap.last, first - 1), gap.order),
                Gap(max(gap.first, last + 1), gap.last, gap.order),
            )
            if part.first <= part.last
        )
        return replace(self, last_uid=max(self.last_uid, last), gaps=left)


def _joined(*gaps: Gap) -> tuple[Gap, ...]:
    """Gaps of one order that touch are one."""
    return tuple(
        Gap(first, last, order)
        for order in Order
        for first, last in Uids.joined((gap.first, gap.last) for gap in gaps if gap.order is order).runs
    )


class Outcome(StrEnum):
    """What became of a UID: its row in the ledger."""

    FETCHED = "fetched"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    GONE = "gone"
    """Somebody moved or deleted it on the server before it was read here."""


@dataclass(frozen=True, slots=True)
class Passed:
    """UIDs from `first` to `last` that were not read, for one reason: one row of the ledger, however many they are.

    `messages` is how many of them the server had; a UID between them that has a row of its own is not meant.
    """

    first: int
    last: int
    outcome: Outcome
    reason: str
    messages: int


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


def unchanged(cursor: Cursor, selected: Selected) -> bool:
    """Whether the server says by HIGHESTMODSEQ (RFC 7162 3.1.2.1) that nothing has changed since the last comparison
    found the ledger whole."""
    known, shown = cursor.highest_modseq, selected.highest_modseq
    whole = cursor.reconciled.at is not None and cursor.reconciled.server == cursor.reconciled.ledger
    return whole and not cursor.gaps and bool(shown) and shown == known and cursor.reconciled.server == selected.exists


def older(before: datetime, days: int, there: Uids, wanted: Uids) -> list[Passed]:
    """Ledger rows for what was `there` when the mailbox was connected and is not `wanted`: a row for each run between
    two that are, so that there are never many more rows than messages that are read."""
    reason = f"older than {days} {'day' if days == 1 else 'days'} when the mailbox was connected ({before:%Y-%m-%d})"
    holes = Uids.between(there.lowest, there.highest) - wanted
    return _rows(holes, there - wanted, reason)


def gone(uids: Uids) -> list[Passed]:
    """Ledger rows for UIDs that were given out while we watched or were away, and that the server does not show."""
    return [Passed(first, last, Outcome.GONE, GONE, last - first + 1) for first, last in uids.runs]


GONE = "not on the server any more when it was to be read: moved away or deleted there"


def _rows(holes: Uids, counted: Uids, reason: str) -> list[Passed]:
    """A row for each hole with something in it; both ascend, so one walk counts all."""
    rows: list[Passed] = []
    runs = list(counted.runs)
    at = 0
    for first, last in holes.runs:
        messages = 0
        while at < len(runs) and runs[at][1] <= last:
            messages += runs[at][1] - runs[at][0] + 1
            at += 1
        if messages:
            rows.append(Passed(first, last, Outcome.SKIPPED, reason, messages))
    return rows


@dataclass(frozen=True, slots=True)
class Sized:
    """A UID and its RFC822.SIZE, in bytes."""

    uid: int
    size: int


def batches(sizes: Sequence[Sized], *, most: int = 100, most_bytes: int = 8 * 1024 * 1024) -> list[list[Sized]]:
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
