"""The queue: which mailboxes send now, and whether a mailbox that failed may send again. It composes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from postroom.core import limits
from postroom.core.budget import BUCKET, DAY, Day, Pace
from postroom.core.delivery import Delivery, Signal, State, step
from postroom.core.diagnosis import Failure
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import Lease, Settlement, Store, StoreUnavailable
from postroom.core.ports.world import World
from postroom.flows.drain import Drain, Tools
from postroom.flows.handover import Handover, Next
from postroom.flows.lines import Line, Lines
from postroom.flows.own import Own
from postroom.flows.raw import raw_of
from postroom.flows.recover import Recover
from postroom.flows.sessions import Sessions
from postroom.flows.turns import Turns

log = structlog.get_logger()

AT_ONCE = 100
"""Mailboxes that send at the same time, those whose servers hang not counted."""
REST = timedelta(seconds=2)
"""Before a drain is tried again that broke by no fault of the mail server."""
PATIENCE = 5.0
"""Seconds for which a message that was handed over may still be answered when we are to end."""


class Outbox:
    """Drains the mailboxes of this worker."""

    def __init__(self, store: Store, sessions: Sessions, recover: Recover, own: Own, world: World) -> None:
        self._store = store
        self._recover = recover
        self._own = own
        self._world = world
        self._turns = Turns("outbox", world, at_once=AT_ONCE, rest=REST)
        self._lines = Lines(store, sessions, world)
        self._handover = Handover(store, sessions, recover, world, self._insist)
        self._tools = Tools(store, self._lines, self._handover, recover, world)
        self._drains: dict[str, Drain] = {}
        self._paces: dict[str, Pace] = {}
        self._stopping = False
        self._probed: set[str] = set()  # deliveries that go out alone
        self._waits: str | None = None
        self._doubtful: set[str] = set()  # mailboxes for which the database failed while a try began

    def trouble(self) -> str | None:
        """Why answers of servers are not written yet; None where they are."""
        return self._waits or next((one.book.waits for one in self._drains.values() if one.book.waits), None)

    async def tick(self) -> None:
        """Starts a drain for each mailbox that has something due and none running."""
        due = await self._store.mailboxes_due(self._own.worker_id, self._world.now())
        for mailbox_id in dict.fromkeys([*due, *self._doubtful]):
            lease = self._own.lease(mailbox_id)
            if lease is not None and not self._stopping:
                self._turns.give(lease, self.drain)

    async def close(self) -> None:
        """Ends the drains, each after the messages under way; one that is not answered in time becomes unconfirmed."""
        self._stopping = True
        for drain in self._drains.values():
            drain.stop()
        await self._turns.close(PATIENCE)
        await self._lines.close()

    async def drain(self, lease: Lease) -> None:
        """Sends what is due until nothing is left, the mailbox fails, or its budget is spent."""
        mailbox_id = lease.mailbox_id
        if mailbox_id in self._doubtful:
            await self._reclaim(lease)
        mailbox = await self._store.settings(mailbox_id)
        if mailbox is None or self._stopping:
            return
        drain = Drain(
            self._tools,
            lease,
            mailbox,
            day=await self._day(mailbox),
            pace=self._pace(mailbox),
            moved=lambda: self._turns.moved(mailbox_id),
            wanted=lambda: self._turns.wanted,
        )
        self._drains[mailbox_id] = drain
        try:
            rest_until = await drain.run()
            if rest_until is not None:
                self._turns.rest_until(mailbox_id, rest_until)
        finally:
            del self._drains[mailbox_id]
            if drain.book.doubtful:
                self._doubtful.add(mailbox_id)

    async def probe(self, lease: Lease, mailbox: Mailbox) -> None:
        """Whether sending works again: signs in, and lets the oldest held message go first, alone."""
        if self._stopping:
            return
        held = await self._store.oldest_held(lease)
        if held is not None and await self._spent(mailbox, held):
            return
        try:
            line = await self._lines.take(mailbox)
        except Failure as failure:
            self._lines.drop(mailbox.id)
            await self._recover.failed(mailbox, Direction.SMTP, failure)
            return
        try:
            if held is None or await self._alone(lease, mailbox, line, held):
                await self._recover.works(mailbox, Direction.SMTP)
        finally:
            self._lines.give(mailbox.id, line)

    async def _alone(self, lease: Lease, mailbox: Mailbox, line: Line, held: Delivery) -> bool:
        """Whether the mailbox sends: what became of its oldest held message."""
        self._probed.add(held.id)
        try:
            raw = await raw_of(self._store, held)
            try:
                tried = await self._store.try_held(lease, held, self._world.now())
            except StoreUnavailable:
                self._doubtful.add(mailbox.id)
                raise
            if not tried:
                return True

            async def begun() -> bool:
                return True

            if (pace := self._pace(mailbox)) is not None:
                pace.began(self._world.now())
            outcome = await self._handover.send(mailbox, line, held, raw, begun, alone=True)
            if (settlement := outcome.settlement) is not None:
                await self._insist(lambda: self._store.settle(lease, settlement))
            return outcome.then is not Next.STOP
        finally:
            self._probed.discard(held.id)

    async def _day(self, mailbox: Mailbox) -> Day | None:
        granted = limits.budget(mailbox)
        if not granted.of_a_day:
            return None
        return Day(granted, await self._store.spent(mailbox.id, self._world.now() - DAY - BUCKET))

    async def _spent(self, mailbox: Mailbox, held: Delivery) -> bool:
        """Whether the day's budget has no room for it yet; the mailbox rests on then."""
        day, now = await self._day(mailbox), self._world.now()
        clears = day.clears_at(len(held.pending), now) if day is not None else None
        if clears is None:
            return False
        await self._recover.judged(mailbox, Direction.SMTP, limits.used_up(mailbox, clears, now))
        return True

    def _pace(self, mailbox: Mailbox) -> Pace | None:
        a_minute = limits.budget(mailbox).messages_a_minute
        if a_minute is None:
            self._paces.pop(mailbox.id, None)
            return None
        pace = self._paces.get(mailbox.id)
        if pace is None or pace.a_minute != a_minute:
            pace = self._paces[mailbox.id] = Pace(a_minute)
        return pace

    async def _reclaim(self, lease: Lease) -> None:
        """What says `sending` and is not under way: Sent is asked, as where a process has died."""
        state, _ = step(State.SENDING, Signal.UNANSWERED)
        now = self._world.now()
        for one in (await self._store.deliveries(mailbox_id=lease.mailbox_id, state=State.SENDING, limit=200)).items:
            if one.id not in self._probed:
                left = replace(one, state=state, updated_at=now, next_attempt_at=now)
                lost = Settlement(left, State.SENDING, signal=Signal.UNANSWERED, because="store_lost")
                await self._store.settle(lease, lost)
        self._doubtful.discard(lease.mailbox_id)

    async def _insist(self, write: Callable[[], Awaitable[object]]) -> object:
        """What a server answered is not said twice: kept here until the database takes it."""
        while True:
            try:
                written = await write()
                self._waits = None
                return written
            except StoreUnavailable as unavailable:
                self._waits = str(unavailable)
                log.warning("an answer waits for the store", error=self._waits)
                await asyncio.sleep(REST.total_seconds())
