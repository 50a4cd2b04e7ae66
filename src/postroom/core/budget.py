"""How much a mailbox may send and how fast, as numbers: told by its server, set by a person, spent so far. It asks no
server and reads no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
DAY = timedelta(hours=24)
BUCKET = timedelta(minutes=10)
"""What is spent is counted in pieces of so long, so that a day that rolls on is 144 rows."""


@dataclass(frozen=True, slots=True)
class Told:
    """What EHLO said at the last sign-in: SIZE in bytes (RFC 1870), RCPTMAX and MAILMAX of LIMITS (RFC 9422), which are
    recipients a message and messages a session. None where the server did not say."""

    size: int | None = None
    recipients: int | None = None
    messages: int | None = None


UNTOLD = Told()


@dataclass(frozen=True, slots=True)
class Budget:
    """SMTP connections at once, messages a minute, messages and recipients in any 24 hours. None: not limited here."""

    connections: int | None = None
    messages_a_minute: int | None = None
    messages_a_day: int | None = None
    recipients_a_day: int | None = None

    @property
    def of_a_day(self) -> bool:
        """Whether what is spent has to be counted."""
        return self.messages_a_day is not None or self.recipients_a_day is not None


AS_GRANTED = Budget()
"""No person has set anything."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the server took in the BUCKET that began at `at`."""

    at: datetime
    messages: int
    recipients: int


def bucket(now: datetime) -> datetime:
    """The beginning of the BUCKET that this moment is in."""
    return now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % BUCKET


def clears_at(budget: Budget, spent: Sequence[Spent], recipients: int, now: datetime) -> datetime | None:
    """When a message to so many recipients fits into the day's budget; None where it does now.

    A message to more recipients than a whole day allows goes when nothing else was sent: the server has the last word.
    """
    lately = sorted((one for one in spent if one.at + BUCKET + DAY > now), key=lambda one: one.at)
    messages, people = (sum(getattr(one, name) for one in lately) for name in ("messages", "recipients"))
    clears: datetime | None = None
    for one in lately:
        if _fits(budget.messages_a_day, messages, 1) and _fits(budget.recipients_a_day, people, recipients):
            break
        clears = one.at + BUCKET + DAY
        messages, people = messages - one.messages, people - one.recipients
    return clears


def _fits(most: int | None, spent: int, more: int) -> bool:
    return most is None or spent == 0 or spent + more <= most


class Day:
    """A day's budget while it is being spent: what the store has counted, and what was begun since."""

    def __init__(self, budget: Budget, spent: Sequence[Spent]) -> None:
        self._budget = budget
        self._spent = {one.at: one for one in spent}

    def clears_at(self, recipients: int, now: datetime) -> datetime | None:
        """As the function of that name."""
        return clears_at(self._budget, tuple(self._spent.values()), recipients, now)

    def spend(self, recipients: int, now: datetime) -> None:
        at = bucket(now)
        before = self._spent.get(at, Spent(at, 0, 0))
        self._spent[at] = Spent(at, before.messages + 1, before.recipients + recipients)


class Pace:
    """Messages a minute: when each of the last ones began. A few go at once, many go no faster than the budget."""

    def __init__(self, a_minute: int) -> None:
        self.a_minute = a_minute
        self._began: deque[datetime] = deque(maxlen=a_minute)

    def next_at(self, now: datetime) -> datetime:
        """When one more may begin."""
        if len(self._began) < self.a_minute:
            return now
        return min(max(now, self._began[0] + MINUTE), now + MINUTE)  # a clock set back must not make it wait for days

    def began(self, now: datetime) -> None:
        self._began.append(now)
