"""Sets of UIDs as runs: half a million messages are a few numbers. It asks no server and knows no folder."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

Run = tuple[int, int]
"""First and last UID, both in it."""


@dataclass(frozen=True, slots=True)
class Uids:
    """A set of UIDs (RFC 9051 2.3.1.1). `runs` are ascending and do not touch; make one with `of` or `between`."""

    runs: tuple[Run, ...] = ()

    @classmethod
    def of(cls, uids: Iterable[int]) -> Uids:
        """These UIDs, in whatever order and however often."""
        return cls.joined((uid, uid) for uid in uids)

    @classmethod
    def between(cls, first: int, last: int) -> Uids:
        """All from `first` to `last`; none where `last` is lower."""
        return cls(((first, last),) if first <= last else ())

    @classmethod
    def joined(cls, runs: Iterable[Run]) -> Uids:
        """What is in any of these runs, which may overlap and come in any order."""
        made: list[Run] = []
        for first, last in sorted(run for run in runs if run[0] <= run[1]):
            if made and first <= made[-1][1] + 1:
                made[-1] = (made[-1][0], max(made[-1][1], last))
            else:
                made.append((first, last))
        return cls(tuple(made))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.runs)

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __iter__(self) -> Iterator[int]:
        return (uid for first, last in self.runs for uid in range(first, last + 1))

    def __reversed__(self) -> Iterator[int]:
        return (uid for first, last in reversed(self.runs) for uid in range(last, first - 1, -1))

    def __contains__(self, uid: int) -> bool:
        at = bisect_right(self.runs, (uid, 2**64)) - 1
        return at >= 0 and uid <= self.runs[at][1]

    def __or__(self, other: Uids) -> Uids:
        return Uids.joined((*self.runs, *other.runs))

    def __sub__(self, other: Uids) -> Uids:
        left: list[Run] = []
        away = iter(other.runs)
        hole = next(away, None)
        for run_first, last in self.runs:
            first = run_first
            while hole is not None and hole[1] < first:
                hole = next(away, None)
            while hole is not None and hole[0] <= last:
                if first < hole[0]:
                    left.append((first, hole[0] - 1))
                first = hole[1] + 1
                if first > last:
                    break
                hole = next(away, None)
            if first <= last:
                left.append((first, last))
        return Uids(tuple(left))

    def __and__(self, other: Uids) -> Uids:
        return self - (self - other)

    @property
    def lowest(self) -> int:
        """0 where there is none."""
        return self.runs[0][0] if self.runs else 0

    @property
    def highest(self) -> int:
        """0 where there is none."""
        return self.runs[-1][1] if self.runs else 0

    def lowermost(self, count: int) -> Uids:
        """The `count` lowest."""
        return Uids.of(islice(self, count))

    def uppermost(self, count: int) -> Uids:
        """The `count` highest."""
        return Uids.of(islice(reversed(self), count))
