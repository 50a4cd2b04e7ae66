"""At most one task for each mailbox, so many at once; what goes wrong in one is logged and rests. It knows no story."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from postroom.core.diagnosis import Failure, diagnose
from postroom.core.ports.store import Lease, LeaseLost, MailboxGone, StoreUnavailable
from postroom.core.ports.world import World

log = structlog.get_logger()

SLOW = 5.0
"""Seconds without a sign of progress after which a turn goes on without a place: a server that hangs, however many
mailboxes it has, takes none from the others."""


@dataclass(slots=True, eq=False)
class _Turn:
    task: asyncio.Task[None] | None = None
    placed: bool = False
    moved_at: float = 0.0


class Turns:
    """Gives mailboxes their turn at one kind of work. `rest` is how long one waits whose turn went wrong."""

    def __init__(self, name: str, world: World, *, at_once: int, rest: timedelta) -> None:
        self._name = name
        self._world = world
        self._places = asyncio.Semaphore(at_once)
        self._rest = rest
        self._turns: dict[str, _Turn] = {}
        self._resting: dict[str, tuple[datetime, timedelta]] = {}  # until when, and for how long at most

    def give(self, lease: Lease, story: Callable[[Lease], Awaitable[None]]) -> None:
        """Starts the story for this mailbox, unless it is under way or rests."""
        mailbox_id = lease.mailbox_id
        if mailbox_id in self._turns or self._rests(mailbox_id):
            return
        turn = self._turns[mailbox_id] = _Turn()
        turn.task = asyncio.create_task(self._taken(lease, story, turn), name=f"{self._name} {mailbox_id}")

    def _rests(self, mailbox_id: str) -> bool:
        """Never for longer than it was to, though the clock was set back meanwhile."""
        until, most = self._resting.get(mailbox_id, (self._world.now(), timedelta(0)))
        return timedelta(0) < until - self._world.now() <= most

    def __len__(self) -> int:
        """Turns under way."""
        return len(self._turns)

    def moved(self, mailbox_id: str) -> None:
        """Its story has come further."""
        turn = self._turns.get(mailbox_id)
        if turn is not None:
            turn.moved_at = asyncio.get_running_loop().time()

    @property
    def wanted(self) -> bool:
        """Whether others wait for a place."""
        return self._places.locked()

    def rest_until(self, mailbox_id: str, at: datetime) -> None:
        """Gives this mailbox no turn before then."""
        self._resting[mailbox_id] = at, at - self._world.now()

    async def close(self, patience: float = 0.0) -> None:
        """Ends what is under way, once it had so many seconds to come to an end by itself."""
        tasks = [turn.task for turn in self._turns.values() if turn.task is not None]
        if tasks and patience:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _taken(self, lease: Lease, story: Callable[[Lease], Awaitable[None]], turn: _Turn) -> None:
        bound = log.bind(work=self._name, mailbox=lease.mailbox_id)
        self._resting.pop(lease.mailbox_id, None)
        try:
            await self._places.acquire()
            turn.placed = True
            self._look(turn)
            await story(lease)
            return
        except Failure as failure:
            bound.warning("mail server failed", code=diagnose(failure.evidence).name)
        except LeaseLost:
            bound.info("another worker has the mailbox")
        except MailboxGone:
            bound.info("the mailbox was removed")
        except StoreUnavailable as unavailable:
            bound.warning("store unavailable", error=str(unavailable))
        except Exception:
            bound.exception("broke by a fault of ours")
        finally:
            self._give_up(turn)
            self._turns.pop(lease.mailbox_id, None)
        self.rest_until(lease.mailbox_id, self._world.now() + self._rest)

    def _look(self, turn: _Turn) -> None:
        """Looks every few seconds whether the turn has moved since."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not turn.moved_at:
            turn.moved_at = now
        left = turn.moved_at + SLOW - now
        if left <= 0:
            self._give_up(turn)
        elif turn.placed:
            loop.call_later(left, self._look, turn)

    def _give_up(self, turn: _Turn) -> None:
        if turn.placed:
            turn.placed = False
            self._places.release()
