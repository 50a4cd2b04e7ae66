"""What every port of the store has in common: its failures, the lease, a page of a list. It asks for nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class StoreUnavailable(Exception):
    """The database cannot serve: full, locked, gone. Nothing was written. The text says which, and the mend."""


class BadCursor(ValueError):
    """This list never gave out such a cursor."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one that this list gave out: begin again without it")


class LeaseLost(Exception):
    """Another worker owns the mailbox now: what was to be written was not."""


class MailboxGone(Exception):
    """There is no such mailbox (any more): what needs one was not done."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work for a mailbox; every write bears `epoch`, which grows with each new owner (fencing)."""

    mailbox_id: str
    worker_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` asks for the following one, None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


class Watcher(Protocol):
    """Tells one waiter of writes, by this process or another. Waiters re-read their rows after each return."""

    async def changed(self, seconds: float) -> None:
        """Returns at once where something was written since it last returned; else when it is, or after `seconds`."""
        ...

    def moved(self) -> bool:
        """Whether something was written since this was last asked; True the first time."""
        ...
