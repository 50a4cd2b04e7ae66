"""Empties one mailbox's queue, in the order of acceptance, over as many connections as its budget allows. It judges no
answer (handover) and opens no session itself (lines)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from postroom.core import limits
from postroom.core.budget import Day, Pace
from postroom.core.delivery import Delivery, Signal, sources
from postroom.core.diagnosis import Failure, diagnose
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import Lease, LeaseLost, MailboxGone, Settlement, Store, StoreUnavailable
from postroom.core.ports.world import World
from postroom.flows.book import Book
from postroom.flows.handover import Handover, Next
from postroom.flows.lines import Line, Lines
from postroom.flows.raw import raw_of
from postroom.flows.recover import Recover

log = structlog.get_logger()

BATCH = 100
"""Deliveries that are read at a time."""
AHEAD = 1024 * 1024
"""Bytes of messages that are read ahead with them."""
ENOUGH = 5
"""Waiting messages that are worth one more connection: a reply alone needs one."""
BROKEN = 2
"""More messages in a row, than there are connections, that broke their sessions: then it is not the messages."""
LONG = 10.0
"""Seconds after which a drain makes room where other mailboxes wait for a place."""
_TO_GO = sources(Signal.BEGUN)


@dataclass(frozen=True, slots=True)
class Tools:
    """What every drain uses."""

    store: Store
    lines: Lines
    handover: Handover
    recover: Recover
    world: World


class Drain:
    """One mailbox's way out, until nothing is due, it failed, or it makes room. `run` says until when it rests."""

    def __init__(
        self,
        tools: Tools,
        lease: Lease,
        mailbox: Mailbox,
        *,
        day: Day | None,
        pace: Pace | None,
        moved: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._tools = tools
        self._lease = lease
        self._mailbox = mailbox
        self._day = day
        self._pace = pace
        self._moved = moved
        self._wanted = wanted
        self._connections = limits.budget(mailbox).connections or 1
        self.book = Book(tools.store, lease)
        self.hand: set[str] = set()
        """Deliveries that are ours at the moment."""
        self._queue: deque[Delivery] = deque()
        self._raws: dict[str, bytes] = {}
        self._reading = asyncio.Lock()
        self._workers: set[asyncio.Task[None]] = set()
        self._lines = 0
        self._broken: set[str] = set()  # since a message last came to its end
        self._stopping = False
        self._rest_until: datetime | None = None
        self._began = asyncio.get_running_loop().time()

    async def run(self) -> datetime | None:
        """Raises what went wrong that is no refusal, once every message under way came to its end."""
        fault: BaseException | None = None
        ending = False
        self._employ()
        try:
            while self._workers:
                done, _ = await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
                self._workers -= done
                for one in done:
                    if (found := one.exception()) is not None:
                        self.stop()
                        fault = fault or found
        except asyncio.CancelledError:
            ending = True
            for one in self._workers:
                one.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            raise
        finally:
            await self.book.close(ending=ending)
        if fault is not None:
            raise fault
        return self._rest_until

    def stop(self) -> None:
        """Begins nothing more."""
        self._stopping = True

    def _employ(self) -> None:
        name = f"outbox {self._mailbox.id} {len(self._workers) + 1}"
        self._workers.add(asyncio.create_task(self._work(), name=name))

    async def _work(self) -> None:
        """One connection: message after message. The outcome of each is committed with the beginning of the next, and
        while that is written the server works on the next envelope already."""
        line: Line | None = None
        begun: asyncio.Future[bool] | None = None
        taken: Delivery | None = None
        try:
            while True:
                if begun is None and (line is None or not line.usable):
                    self._put_back(line)
                    line = None
                    # The session first: who has taken a message begins it, so that they begin in their order.
                    if (taken is None and not await self._waits()) or (line := await self._line()) is None:
                        return
                if taken is None and (taken := await self._next()) is None:
                    return
                if line is None:
                    raise AssertionError("a message is begun over a session only")
                tried = await self._try(line, taken, begun)
                begun = None
                self._moved()
                if tried is None:
                    # Cancelled, held, or the mailbox does not send any more: what was read is not so, begin anew.
                    self.stop()
                    return
                settlement, then = tried
                if then is Next.GO_ON:
                    self._broken.clear()
                    following = self._at_hand() if line.usable else None
                    written = self.book.write(settlement, begin=following)
                    self.hand.discard(taken.id)
                    taken, begun = following, written if following is not None else None
                    if following is None:
                        await written
                    continue
                if then is Next.STOP:
                    self.stop()
                await self.book.write(settlement)
                if then is Next.STOP or await self._breaks_all(settlement.delivery):
                    return
                self._put_back(line, ended=True)
                line = None
                taken = await self._again(taken)
        finally:
            if taken is not None:
                self.hand.discard(taken.id)
            self._put_back(line)

    async def _try(
        self, line: Line, delivery: Delivery, begun: asyncio.Future[bool] | None
    ) -> tuple[Settlement, Next] | None:
        """None where it was not handed over after all."""

        async def begin() -> bool:
            nonlocal begun
            if begun is None:
                begun = self.book.write(begin=delivery)
            return await asyncio.shield(begun)

        try:
            raw = self._raws.pop(delivery.message_id, None)
            if raw is None:
                raw = await raw_of(self._tools.store, delivery)
            tried = await self._tools.handover.send(self._mailbox, line, delivery, raw, begin)
        except (StoreUnavailable, LeaseLost, MailboxGone):
            raise
        except Exception:
            log.exception("a message broke by a fault of ours", mailbox=self._mailbox.id, delivery=delivery.id)
            return await self._faulty(delivery, begun)
        return None if tried.settlement is None else (tried.settlement, tried.then)

    async def _breaks_all(self, delivery: Delivery) -> bool:
        """Whether this server breaks off whatever it is given. The rest must not be spent on that: it is held, and the
        oldest goes alone to see, as after any failure."""
        self._broken.add(delivery.id)
        if len(self._broken) <= self._connections + BROKEN or delivery.diagnosis is None or self._stopping:
            return False
        self.stop()
        await self._tools.recover.judged(self._mailbox, Direction.SMTP, delivery.diagnosis)
        return True

    async def _faulty(self, delivery: Delivery, begun: asyncio.Future[bool] | None) -> tuple[Settlement, Next] | None:
        """What is wrong with this message is ours, and must not keep the others waiting: it is put off. Where it was
        begun, nobody knows how far it came."""
        unknown = begun is not None
        if not await (begun if begun is not None else self.book.write(begin=delivery)):
            return None
        return self._tools.handover.faulty(self._mailbox, delivery, unknown=unknown), Next.AGAIN

    # What is next

    async def _waits(self) -> bool:
        """Whether there is a message that may begin now."""
        if not self._queue and not self._stopping:
            async with self._reading:
                if not self._queue and not self._stopping:
                    await self._read()
        if self._queue and not self._stopping:
            await self._keep_to_the_day(self._queue[0])
        return bool(self._queue) and not self._stopping

    async def _next(self) -> Delivery | None:
        """The oldest that waits and may begin now."""
        return self._at_hand() if await self._waits() else None

    def _at_hand(self) -> Delivery | None:
        """The same, without asking the store for more."""
        if self._stopping or not self._queue:
            return None
        first, now = self._queue[0], self._tools.world.now()
        if self._pace is not None and (at := self._pace.next_at(now)) > now:
            self._rest_until = at
            self.stop()
            return None
        if self._day is not None and self._day.clears_at(len(first.pending), now) is not None:
            return None  # _next says so, and stops
        if self._wanted() and asyncio.get_running_loop().time() - self._began > LONG:
            self.stop()
            return None
        self._spend(first, now)
        return self._queue.popleft()

    async def _keep_to_the_day(self, first: Delivery) -> None:
        now = self._tools.world.now()
        clears = self._day.clears_at(len(first.pending), now) if self._day is not None else None
        if clears is not None and not self._stopping:
            self.stop()
            spent = limits.used_up(self._mailbox, clears, now)
            await self._tools.recover.judged(self._mailbox, Direction.SMTP, spent)

    def _spend(self, delivery: Delivery, now: datetime) -> None:
        if self._pace is not None:
            self._pace.began(now)
        if self._day is not None:
            self._day.spend(len(delivery.pending), now)

    async def _read(self) -> None:
        due = await self._tools.store.due(self._lease, self._tools.world.now(), BATCH + len(self.hand))
        fresh = [one for one in due if one.id not in self.hand]
        ahead, size = [], 0
        for one in fresh:
            size += one.size
            if size <= AHEAD:
                ahead.append(one.message_id)
        self._raws = await self._tools.store.raws(ahead) if len(ahead) > 1 else {}
        self.hand.update(one.id for one in fresh)
        self._queue.extend(fresh)
        wanted = min(self._connections, 1 + len(fresh) // ENOUGH)
        while len(self._workers) < wanted and not self._stopping:
            self._employ()

    async def _again(self, delivery: Delivery) -> Delivery | None:
        """The same message, as it is after the session broke, where it may go at once."""
        found = await self._tools.store.delivery(delivery.id)
        if found is None or self._stopping:
            self.hand.discard(delivery.id)
            return None
        if found.state not in _TO_GO or found.next_attempt_at > self._tools.world.now():
            self.hand.discard(delivery.id)
            return None
        return found

    # Sessions

    async def _line(self) -> Line | None:
        """A session; None where there is none to be had. Where others of this mailbox go on, it has as many as its
        server grants, and nothing is wrong with it."""
        try:
            line = await self._tools.lines.take(self._mailbox)
        except Failure as failure:
            if self._lines:
                code = diagnose(failure.evidence).name
                log.info("no further connection", mailbox=self._mailbox.id, having=self._lines, code=code)
                self._connections = self._lines
                return None
            self.stop()
            await self._tools.recover.failed(self._mailbox, Direction.SMTP, failure)
            return None
        self._lines += 1
        return line

    def _put_back(self, line: Line | None, *, ended: bool = False) -> None:
        if line is None:
            return
        self._lines -= 1
        if ended:
            self._tools.lines.end(line)
        else:
            self._tools.lines.give(self._mailbox.id, line)
