"""What a drain writes: outcomes, and which message is handed over next, committed together. It judges nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import structlog

from postroom.core.delivery import Delivery, State
from postroom.core.ports.store import Lease, LeaseLost, MailboxGone, Settlement, Store, StoreUnavailable

log = structlog.get_logger()

REST = 2.0
"""Seconds before what the database did not take is written again."""
LAST = 2.0
"""Seconds that the database still has for it when we are to end."""


@dataclass(slots=True, eq=False)
class _Entry:
    settlement: Settlement | None
    begin: Delivery | None
    written: asyncio.Future[bool]


class Book:
    """The writes of one mailbox's connections. What comes while a commit is under way goes into the next, together."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._entries: list[_Entry] = []
        self._writing: asyncio.Task[None] | None = None
        self.doubtful = False
        """Whether a commit failed while a delivery was to begin: its row may say `sending`."""
        self.waits: str | None = None
        """Why the database does not take what a server answered; None where it does."""

    def write(self, settlement: Settlement | None = None, *, begin: Delivery | None = None) -> asyncio.Future[bool]:
        """Both are on disk when the future is done; it says whether `begin` was begun.

        What a server answered is not said twice: an outcome is kept here until the database takes it. A beginning is
        not: its StoreUnavailable is raised at once. Raises LeaseLost, MailboxGone.
        """
        entry = _Entry(settlement, begin, asyncio.get_running_loop().create_future())
        entry.written.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, whoever waits
        self._entries.append(entry)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name=f"book {self._lease.mailbox_id}")
        return entry.written

    async def close(self, *, ending: bool = False) -> None:
        """Waits until everything is written. Cancelled, or soon where we are `ending`, it gives up what the database
        does not take."""
        if self._writing is None:
            return
        try:
            await asyncio.wait([self._writing], timeout=LAST if ending else None)
        finally:
            self._writing.cancel()

    async def _write(self) -> None:
        while self._entries:
            entries, self._entries = self._entries, []
            settlements = [one.settlement for one in entries if one.settlement is not None]
            begins = [one.begin for one in entries if one.begin is not None]
            try:
                begun = await self._store.advance(self._lease, settlements, begins)
            except StoreUnavailable as unavailable:
                self.doubtful = self.doubtful or bool(begins)
                self._entries[:0] = self._kept(entries, unavailable)
                if self._entries:
                    self.waits = str(unavailable)
                    log.warning("an answer waits for the store", error=self.waits)
                    await asyncio.sleep(REST)
            except LeaseLost as lost:
                await self._late(settlements)
                for one in entries:
                    _fail(one, lost)
            except Exception as fault:
                if len(settlements) > 1 and not isinstance(fault, MailboxGone):
                    await self._one_by_one(settlements)  # what is wrong with one must not cost the others their answers
                self.doubtful = self.doubtful or not isinstance(fault, MailboxGone)
                for one in entries:
                    _fail(one, fault)
            else:
                self.waits = None
                for one in entries:
                    if not one.written.done():
                        one.written.set_result(one.begin is not None and one.begin.id in begun)

    async def _late(self, settlements: list[Settlement]) -> None:
        """What a server said is true whoever has the mailbox now. The new owner knows that we had begun, and no more:
        it is told where nobody has tried it since."""
        for one in settlements:
            try:
                if one.was is State.SENDING and await self._store.settle(None, replace(one, was=State.UNCONFIRMED)):
                    log.info("an answer came after the mailbox had a new owner", delivery=one.delivery.id)
            except Exception as fault:
                log.warning("a late answer is lost", delivery=one.delivery.id, error=type(fault).__name__)

    async def _one_by_one(self, settlements: list[Settlement]) -> None:
        for one in settlements:
            try:
                await self._store.settle(self._lease, one)
            except Exception:
                log.exception("an answer could not be written by a fault of ours", delivery=one.delivery.id)

    def _kept(self, entries: list[_Entry], unavailable: StoreUnavailable) -> list[_Entry]:
        kept: list[_Entry] = []
        for one in entries:
            if one.begin is not None:
                _fail(one, unavailable)
            if one.settlement is not None:
                future = one.written
                if future.done():
                    future = asyncio.get_running_loop().create_future()
                    future.add_done_callback(lambda done: done.cancelled() or done.exception())
                kept.append(_Entry(one.settlement, None, future))
        return kept


def _fail(entry: _Entry, fault: Exception) -> None:
    if not entry.written.done():
        entry.written.set_exception(fault)
