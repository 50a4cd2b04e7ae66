"""Reads one folder in one session: news first, then the gaps; fetched ahead, parsed and recorded behind. It decides not
which gaps there are (sync)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import structlog

from postroom.core.cursor import Cursor, Gap, Order, Outcome, Sized, batches, gone
from postroom.core.diagnosis import Failure
from postroom.core.identity import Kind
from postroom.core.mailbox import Direction
from postroom.core.ports.store import Arrival, Lease, Store
from postroom.core.ports.wire import Fetched, Idled, ImapSession
from postroom.core.ports.world import World
from postroom.core.uids import Uids
from postroom.flows.refusals import Refusals
from postroom.flows.taking import read

log = structlog.get_logger()

AHEAD = 2
"""Batches fetched while one is being parsed and recorded."""
LOOK = 1.0
"""Seconds between looks for new mail while a gap is read."""
MOST = 250
"""Messages in one batch."""
FEWEST_BYTES, FIRST_BYTES, MOST_BYTES = 64 * 1024, 1024 * 1024, 8 * 1024 * 1024
"""A batch takes the line about as long as LOOK: its size follows what the line carries."""
FIRST_SIZED, SIZED = 250, 2000
"""Messages of a gap whose sizes are asked for at once, at first and at most: a bad line does not carry many answers."""
PART = 64 * 1024
"""Bytes of a message that are asked for at once where the line is lost each time that it comes whole."""
FEW = 200
"""New messages that are read as they come; more are a gap, so that what comes after them need not wait."""


NONE = Uids()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of the largest message that is fetched; bytes of a gap that may be fetched in a day (None: as many as there
    are); seconds after which a gap is left for others to have their turn (None: never)."""

    message: int
    day: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What was asked for and what came of it. `accounted` are first and last UID of what is through with it; `up_to`
    is the UID to which a new gap reaches; `again` is read once more later."""

    wanted: Sequence[Sized] = ()
    got: Sequence[Fetched] = ()
    gone: Uids = NONE
    accounted: tuple[int, int] | None = None
    up_to: int | None = None
    again: Uids = NONE
    total: int | None = None

    @property
    def on_disk(self) -> bool:
        """Whether a message of it is too big to have come into memory."""
        return any(not isinstance(one.raw, bytes) for one in self.got)

    def applied(self, cursor: Cursor) -> Cursor:
        """The cursor when this is recorded."""
        if self.up_to is not None:
            cursor = cursor.up_to(self.up_to, Order.OLDEST)
        if self.accounted is not None:
            cursor = cursor.accounted(*self.accounted)
        return cursor.without(self.again)


class Reading:
    """One run through a folder that is selected."""

    def __init__(
        self,
        store: Store,
        world: World,
        session: ImapSession,
        lease: Lease,
        cursor: Cursor,
        refusals: Refusals,
        limits: Limits,
        giants: asyncio.Lock,
    ) -> None:
        self.cursor = cursor
        self.brought = 0
        self._store, self._world, self._session, self._lease = store, world, session, lease
        self._refusals = refusals
        self._limits = limits
        self._giants = giants
        self._ahead = cursor
        self._queue: asyncio.Queue[Batch | None] = asyncio.Queue(AHEAD)
        self._finished = False
        self._tried: set[int] = set()
        self._visited: set[Gap] = set()
        self._cut_short = False
        self._loop = asyncio.get_running_loop()
        self._began = self._looked = self._loop.time()
        self._bytes = FIRST_BYTES
        self._total = 0

    async def run(self) -> Cursor:
        """Reads what is new and what lies in gaps, as far as the limits allow; the cursor as it is stored then.

        Raises Failure where the session breaks: what was recorded stays, the cursor stands there.
        """
        recording: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(self._fetch())
            while (batch := await self._queue.get()) is not None:
                if batch.on_disk:
                    await self._alone(batch, recording)
                    recording = None
                    continue
                arrivals = await asyncio.to_thread(self._arrivals, batch)
                if recording is not None:
                    await recording
                recording = group.create_task(self._record(batch, arrivals, last=self._finished and self._is_last()))
        if (broken := fetching.result()) is not None:
            raise broken
        if not self._cut_short and (self.cursor.total or self.cursor.synced_at is None):
            self.cursor = replace(self.cursor, total=0, done=0, per_minute=0, synced_at=self._world.now())
            await self._store.record(self._lease, self.cursor, [])
        return self.cursor

    async def _alone(self, batch: Batch, recording: asyncio.Task[None] | None) -> None:
        """Of messages that are too big to be in memory beside others, those of one batch are, over all mailboxes."""
        if recording is not None:
            await recording
        async with self._giants:
            arrivals = await asyncio.to_thread(self._arrivals, batch)
            await self._record(batch, arrivals, last=self._finished and self._is_last())

    @property
    def more(self) -> bool:
        """Whether its time was over before its work was."""
        return self._cut_short and not self._in_time()

    def _is_last(self) -> bool:
        return self._queue.qsize() == 1  # the end alone

    # Fetching

    async def _fetch(self) -> Failure | None:
        """Hands over what came, also where the session breaks: over a line that never holds for a whole batch, the
        folder is read all the same."""
        broken = None
        try:
            await self._news()
            while (gap := self._next_gap()) is not None and self._may_go_on():
                self._visited.add(gap)
                await self._gap(gap)
        except Failure as failure:
            broken = failure
        self._finished = True
        await self._queue.put(None)
        return broken

    def _may_go_on(self) -> bool:
        self._cut_short = not (self._in_time() and self._ahead.spent.left(self._limits.day, self._world.now()))
        return not self._cut_short

    def _in_time(self) -> bool:
        return self._limits.seconds is None or self._loop.time() - self._began < self._limits.seconds

    def _next_gap(self) -> Gap | None:
        """A message that the server refused waits until all others are read, and is tried once in a run."""
        gaps = [gap for gap in self._ahead.gaps if gap not in self._visited]
        refused = self._refusals.of(self._ahead)
        alone = [gap for gap in gaps if gap.first == gap.last and gap.first in refused]
        others = tuple(gap for gap in gaps if gap not in alone)
        if others:
            return replace(self._ahead, gaps=others).next_gap
        untried = [gap for gap in alone if gap.first not in self._tried]
        return min(untried, key=lambda gap: self._refusals.turn(self._ahead, gap.first), default=None)

    async def _put(self, batch: Batch) -> None:
        self._ahead = batch.applied(self._ahead)
        size = sum(len(one.raw) for one in batch.got)
        self._ahead = replace(self._ahead, spent=self._ahead.spent.more(size, self._world.now()))
        await self._queue.put(batch)

    async def _news(self) -> None:
        self._looked = self._loop.time()
        sizes = await self._session.sizes(self._ahead.last_uid + 1)
        if not sizes:
            return
        refused = self._refusals.of(self._ahead)
        if len(sizes) > FEW or sum(one.size for one in sizes) > MOST_BYTES or any(one.uid in refused for one in sizes):
            await self._put(Batch(up_to=sizes[-1].uid))
            return
        await self._batch(sizes, (self._ahead.last_uid + 1, sizes[-1].uid), Order.OLDEST, NONE)

    async def _look(self) -> None:
        """What has come meanwhile goes first."""
        if self._loop.time() - self._looked < LOOK and not self._session.news:
            return
        self._looked = self._loop.time()
        if self._session.news or await self._session.noop() is Idled.NEWS:
            await self._news()

    async def _gap(self, gap: Gap) -> None:
        here = Uids.between(gap.first, gap.last)
        there = await self._session.uids(here)
        known = await self._store.known(self._ahead, gap.first, gap.last)
        later = Uids.of(uid for uid in self._refusals.of(self._ahead) if gap.first != gap.last and uid in there)
        left = there - known - later
        self._total = max(self._total, self.cursor.done) + len(left)
        await self._put(Batch(total=self._total))
        sized = FIRST_SIZED
        while left:
            chunk = left.lowermost(sized) if gap.order is Order.OLDEST else left.uppermost(sized)
            left -= chunk
            sized = min(2 * sized, SIZED)
            sizes = await self._session.sizes_of(chunk)
            if vanished := chunk - Uids.of(one.uid for one in sizes):
                await self._put(Batch(gone=vanished))
            for wanted in self._cut(sizes, gap.order):
                uids = [one.uid for one in wanted]
                through = (here.lowest, uids[-1]) if gap.order is Order.OLDEST else (uids[0], here.highest)
                here -= Uids.between(*through)
                await self._batch(wanted, through, gap.order, known | later, later)
                await self._look()
                if not self._may_go_on():
                    return
        if here:
            never = here - known - later if gap.order is Order.OLDEST else NONE
            await self._put(Batch(gone=never, accounted=(here.lowest, here.highest), again=later & here))

    def _cut(self, sizes: list[Sized], order: Order) -> Sequence[list[Sized]]:
        """Batches in the order in which they are read; UIDs ascend in each, as servers give them."""
        if order is Order.OLDEST:
            return batches(sizes, most=MOST, most_bytes=self._bytes)
        return [run[::-1] for run in batches(sizes[::-1], most=MOST, most_bytes=self._bytes)]

    async def _batch(
        self, wanted: Sequence[Sized], through: tuple[int, int], order: Order, known: Uids, later: Uids = NONE
    ) -> None:
        """Fetches a batch; UIDs from `through[0]` to `through[1]` are through with it."""
        fetch = [one.uid for one in wanted if self._is_fetched(one)]
        if sum(one.size for one in wanted) > MOST_BYTES:
            await self._queue.join()  # a giant has the memory for itself
        began = self._loop.time()
        got: list[Fetched] = []
        missing = Uids.of(fetch)
        flushed = Uids()
        size = 0
        try:
            async for one in self._coming(fetch):
                got.append(one)
                size += len(one.raw)
                if size >= 2 * MOST_BYTES:  # more than its sizes said
                    flushed |= Uids.of(one.uid for one in got)
                    await self._put(Batch(_of(wanted, got), got))
                    got, size = [], 0
        except Failure as failure:
            missing -= flushed | Uids.of(one.uid for one in got)
            self._refusals.note(self._ahead, missing.lowest, failure)
            await self._put(self._reached(wanted, got, missing, through, order))
            raise
        self._pace(self._loop.time() - began, len(wanted))
        missing -= flushed | Uids.of(one.uid for one in got)
        withheld = await self._session.uids(missing) if missing else missing
        for uid in withheld:
            self._refusals.withheld(self._ahead, uid)
            self._tried.add(uid)
        never = Uids.between(*through) - known - Uids.of(one.uid for one in wanted) if order is Order.OLDEST else NONE
        await self._put(
            Batch(
                wanted=[one for one in wanted if one.uid not in withheld and one.uid not in flushed],
                got=got,
                gone=never | (missing - withheld),
                accounted=through,
                again=withheld | (later & Uids.between(*through)),
            )
        )

    async def _coming(self, uids: Sequence[int]) -> AsyncIterator[Fetched]:
        if len(uids) == 1 and self._refusals.by_parts(self._ahead, uids[0]):
            whole = await self._by_parts(uids[0])
            if whole is not None:
                yield whole
        elif uids:
            async for one in self._session.fetch(uids):
                yield one

    async def _by_parts(self, uid: int) -> Fetched | None:
        """What came of it over lines that were lost since is not asked for again, while this process lives."""
        came = self._refusals.begun(self._ahead, uid)
        while len(came) <= self._limits.message:
            part = await self._session.part(uid, len(came), PART)
            if part is None:
                return None
            came += part.whole()
            if len(part.raw) < PART:
                return replace(part, raw=bytes(came))
        came.clear()  # its size was a lie
        return None

    def _is_fetched(self, one: Sized) -> bool:
        return one.size <= self._limits.message and not self._refusals.given_up(self._ahead, one.uid)

    def _reached(
        self, wanted: Sequence[Sized], got: list[Fetched], missing: Uids, through: tuple[int, int], order: Order
    ) -> Batch:
        """What a broken line has brought. The cursor goes on as far as nothing is missing; that may have been on its
        way, and what came behind it is in the ledger."""
        reached = list(takewhile(lambda one: one.uid not in missing, wanted))
        if order is Order.NEWEST or not reached:
            return Batch(_of(wanted, got), got)
        came = {one.uid for one in got}
        passed = [one for one in reached if not self._is_fetched(one)]
        now = [one for one in wanted if one.uid in came]
        return Batch([*now, *passed], got, accounted=(through[0], reached[-1].uid))

    def _pace(self, seconds: float, messages: int) -> None:
        if seconds > LOOK:
            self._bytes = max(FEWEST_BYTES, self._bytes // 2)
        elif seconds < LOOK / 2 and messages > 1:
            self._bytes = min(MOST_BYTES, self._bytes * 2)

    # Recording

    def _arrivals(self, batch: Batch) -> list[Arrival]:
        by_uid = {one.uid: one for one in batch.got}
        found: list[Arrival] = []
        for sized in batch.wanted:
            arrival = Arrival(
                uid=sized.uid,
                outcome=Outcome.SKIPPED,
                received_at=self._world.now(),
                message_id=self._world.identifier(Kind.MESSAGE, self._lease.mailbox_id),
                conversation_id=self._world.identifier(Kind.CONVERSATION, self._lease.mailbox_id),
                event_id=self._world.identifier(Kind.EVENT),
                size=sized.size,
            )
            fetched = by_uid.get(sized.uid)
            if fetched is not None:
                found.append(read(arrival, fetched))
            elif sized.size > self._limits.message:
                reason = f"{sized.size} bytes, more than the {self._limits.message} that are set as the limit"
                log.warning("message skipped", mailbox=self._lease.mailbox_id, uid=sized.uid, reason=reason)
                found.append(replace(arrival, reason=reason))
            elif sized.uid not in batch.gone:
                log.warning("message cannot be fetched", mailbox=self._lease.mailbox_id, uid=sized.uid)
                reason = self._refusals.reason(self.cursor, sized.uid)
                found.append(replace(arrival, outcome=Outcome.QUARANTINED, raw=b"", reason=reason))
        return found

    async def _record(self, batch: Batch, arrivals: list[Arrival], *, last: bool) -> None:
        now = self._world.now()
        cursor = batch.applied(self.cursor)
        done = cursor.done + len(batch.wanted)
        total = max(cursor.total if batch.total is None else batch.total, done if cursor.total else 0)
        self.brought += len(batch.wanted)
        spent = cursor.spent.more(sum(len(one.raw) for one in batch.got), now)
        minutes = (self._loop.time() - self._began) / 60
        cursor = replace(
            cursor,
            total=total,
            done=done if total else 0,
            per_minute=int(self.brought / minutes) if total and minutes else 0,
            spent=spent,
        )
        if last and not cursor.gaps:
            cursor = replace(cursor, total=0, done=0, per_minute=0, synced_at=now)
        await self._store.record(self._lease, cursor, arrivals, gone(batch.gone))
        for arrival in arrivals:
            self._refusals.settled(cursor, arrival.uid)
        self.cursor = cursor
        await self._store.heard(self._lease.mailbox_id, Direction.IMAP, now)
        self._queue.task_done()


def _of(wanted: Sequence[Sized], got: Sequence[Fetched]) -> list[Sized]:
    came = {one.uid for one in got}
    return [one for one in wanted if one.uid in came]
