"""At most one task for each mailbox, so many at once; what goes wrong in one is logged and rests. It knows no story."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from postroom.core.diagnosis import Failure, diagnose
from postroom.core.ports.store import Lease, LeaseLost, MailboxGone, StoreUnavailable
from postroom.core.ports.world import World

log = structlog.get_logger()


class Turns:
    """Gives mailboxes their turn at one kind of work. `rest` is how long one waits whose turn went wrong."""

    def __init__(self, name: str, world: World, *, at_once: int, rest: timedelta) -> None:
        self._name = name
        self._world = world
        self._slots = asyncio.Semaphore(at_once)
        self._rest = rest
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, datetime] = {}

    def give(self, lease: Lease, story: Callable[[Lease], Awaitable[None]]) -> None:
        """Starts the story for this mailbox, unless it is under way or rests."""
        mailbox_id = lease.mailbox_id
        if mailbox_id in self._tasks or self._rests(mailbox_id):
            return
        self._tasks[mailbox_id] = asyncio.create_task(self._turn(lease, story), name=f"{self._name} {mailbox_id}")

    def _rests(self, mailbox_id: str) -> bool:
        """Never for longer than `rest`, though the clock was set back meanwhile."""
        left = self._not_before.get(mailbox_id, self._world.now()) - self._world.now()
        return timedelta(0) < left <= self._rest

    async def close(self, patience: float = 0.0) -> None:
        """Ends what is under way, once it had so many seconds to come to an end by itself."""
        tasks = list(self._tasks.values())
        if tasks and patience:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self, lease: Lease, story: Callable[[Lease], Awaitable[None]]) -> None:
        bound = log.bind(work=self._name, mailbox=lease.mailbox_id)
        self._not_before.pop(lease.mailbox_id, None)
        try:
            async with self._slots:
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
            self._tasks.pop(lease.mailbox_id, None)
        self._not_before[lease.mailbox_id] = self._world.now() + self._rest
