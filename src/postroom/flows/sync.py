"""From the cursor to the newest message: fetch, parse, record, a transaction a batch. It does not wait for news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import structlog

from postroom.core import bounce
from postroom.core.cursor import Change, Cursor, Outcome, Selected, Sized, batches, compare
from postroom.core.diagnosis import Failure
from postroom.core.identity import Kind
from postroom.core.message import Parsed, Unreadable
from postroom.core.parse import parse
from postroom.core.ports.store import Arrival, Lease, Store
from postroom.core.ports.wire import Fetched, ImapSession
from postroom.core.ports.world import World

log = structlog.get_logger()

AHEAD = 2
"""Batches fetched while one is being parsed and recorded."""
Batch = tuple[list[Sized], list[Fetched]]
"""What was asked for, and what came of it."""
LONGEST_WORDS = 300
"""Characters of a server's words that are kept."""
REFUSALS = 3
"""Times that a server refuses one message, the last two of them alone, before it is set apart without its bytes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The message at which a server ended our reading, and its words."""

    uid: int
    times: int
    words: str


class Sync:
    """Reads folders into the store."""

    def __init__(self, store: Store, world: World, *, max_message_bytes: int) -> None:
        self._store = store
        self._world = world
        self._max = max_message_bytes
        self._refused: dict[tuple[str, str, int], Refused] = {}

    async def folder(self, lease: Lease, session: ImapSession, selected: Selected) -> int:
        """Brings everything beyond the cursor of the selected folder; how many messages it brought.

        Raises Failure where the session breaks: what was recorded stays, the cursor stands there.
        """
        cursor = await self._store.cursor(lease.mailbox_id, selected.folder)
        change = compare(cursor, selected)
        if change is Change.NONE:
            return 0
        if cursor is None or change is not Change.NEW:
            if change is not Change.FIRST:
                log.warning("folder numbered anew", mailbox=lease.mailbox_id, folder=selected.folder, change=change)
            if change is Change.WOUND_BACK:
                await self._store.forget(lease, selected.folder, selected.uid_validity)
            cursor = Cursor(lease.mailbox_id, selected.folder, selected.uid_validity)
        return await self.catch_up(lease, session, cursor)

    async def news(self, lease: Lease, session: ImapSession, folder: str) -> int:
        """The same after the server announced something in the folder that is selected."""
        cursor = await self._store.cursor(lease.mailbox_id, folder)
        return await self.catch_up(lease, session, cursor) if cursor else 0

    async def catch_up(self, lease: Lease, session: ImapSession, cursor: Cursor) -> int:
        """Fetches from the cursor on; the next batch is on its way while one is parsed and recorded."""
        sizes = await session.sizes(cursor.last_uid + 1)
        cursor = replace(cursor, total=len(sizes), done=0)
        if not sizes:
            await self._store.record(lease, replace(cursor, synced_at=self._world.now()), [])
            return 0
        fetched: asyncio.Queue[Batch | None] = asyncio.Queue(AHEAD)
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(self._fetch(session, cursor, sizes, fetched))
            while (batch := await fetched.get()) is not None:
                cursor = await self._record(lease, cursor, *batch)
        if (broken := fetching.result()) is not None:
            self._note_refusal(cursor, sizes, broken)
            raise broken
        self._refused.pop(_key(cursor), None)
        return cursor.done

    async def _fetch(
        self, session: ImapSession, cursor: Cursor, sizes: list[Sized], fetched: asyncio.Queue[Batch | None]
    ) -> Failure | None:
        """Hands over what came, also where the session breaks: over a line that never holds for a whole batch, the
        folder is read all the same."""
        broken = None
        refused = self._refused.get(_key(cursor))
        alone = 1 if refused is not None and refused.uid == sizes[0].uid else 0
        for wanted in (*([sizes[:1]] * alone), *batches(sizes[alone:])):
            got: list[Fetched] = []
            uids = [one.uid for one in wanted if one.size <= self._max and not self._given_up(cursor, one.uid)]
            try:
                async for one in _fetch(session, uids):
                    got.append(one)  # noqa: PERF401 - what came before a break is kept
            except Failure as failure:
                broken = failure
                wanted = self._reached(wanted, got)
            if wanted:
                await fetched.put((wanted, got))
            if broken is not None:
                break
        await fetched.put(None)
        return broken

    def _note_refusal(self, cursor: Cursor, sizes: list[Sized], broken: Failure) -> None:
        """A line that was lost says nothing about a message; a server that says NO or BYE at one, again and again,
        cannot give it, and would keep us from all that came after it."""
        first = next((one.uid for one in sizes if one.uid > cursor.last_uid), None)
        if broken.evidence.status is None or first is None:
            return
        before = self._refused.get(_key(cursor))
        times = before.times + 1 if before is not None and before.uid == first else 1
        self._refused[_key(cursor)] = Refused(first, times, broken.evidence.raw.strip()[-LONGEST_WORDS:])

    def _given_up(self, cursor: Cursor, uid: int) -> Refused | None:
        refused = self._refused.get(_key(cursor))
        return refused if refused is not None and refused.uid == uid and refused.times >= REFUSALS else None

    def _reached(self, wanted: list[Sized], got: list[Fetched]) -> list[Sized]:
        """The beginning of a batch that came without a gap: what is missing behind it may have been on its way."""
        uids = {one.uid for one in got}
        return list(takewhile(lambda one: one.uid in uids or one.size > self._max, wanted))

    async def _record(self, lease: Lease, cursor: Cursor, wanted: list[Sized], got: list[Fetched]) -> Cursor:
        arrivals = await asyncio.to_thread(self._arrivals, lease, cursor, wanted, got)
        done = cursor.done + len(wanted)
        cursor = replace(cursor, last_uid=wanted[-1].uid, done=done, synced_at=self._world.now())
        if done >= cursor.total:
            await self._store.record(lease, replace(cursor, total=0, done=0), arrivals)
        else:
            await self._store.record(lease, cursor, arrivals)
        return cursor

    def _arrivals(self, lease: Lease, cursor: Cursor, wanted: list[Sized], got: list[Fetched]) -> list[Arrival]:
        by_uid = {one.uid: one for one in got}
        arrivals = []
        for sized in wanted:
            fetched = by_uid.get(sized.uid)
            arrival = Arrival(
                uid=sized.uid,
                outcome=Outcome.SKIPPED,
                received_at=self._world.now(),
                message_id=self._world.identifier(Kind.MESSAGE, lease.mailbox_id),
                conversation_id=self._world.identifier(Kind.CONVERSATION, lease.mailbox_id),
                event_id=self._world.identifier(Kind.EVENT),
                size=sized.size,
            )
            if fetched is not None:
                arrivals.append(_read(arrival, fetched))
            elif sized.size > self._max:
                reason = f"{sized.size} bytes, more than the {self._max} that are set as the limit"
                log.warning("message skipped", mailbox=lease.mailbox_id, uid=sized.uid, reason=reason)
                arrivals.append(replace(arrival, reason=reason))
            elif (refused := self._given_up(cursor, sized.uid)) is not None:
                log.warning("message cannot be fetched", mailbox=lease.mailbox_id, uid=sized.uid)
                reason = f"the mail server could not give this message, in {refused.times} tries: {refused.words}"
                arrivals.append(replace(arrival, outcome=Outcome.QUARANTINED, raw=b"", reason=reason))
            else:
                arrivals.append(
                    replace(
                        arrival, reason="the server did not give it: removed before it was fetched, or unreadable there"
                    )
                )
        return arrivals


def _key(cursor: Cursor) -> tuple[str, str, int]:
    return cursor.mailbox_id, cursor.folder, cursor.uid_validity


async def _fetch(session: ImapSession, uids: Sequence[int]) -> AsyncIterator[Fetched]:
    if uids:
        async for one in session.fetch(uids):
            yield one


def _bounce(raw: bytes, parsed: Parsed) -> bounce.Bounce | None:
    try:
        return bounce.read(raw, parsed)
    except Exception:  # what a report does to its reader keeps nobody from the message
        log.exception("report not read", size=len(raw))
        return None


def _read(arrival: Arrival, fetched: Fetched) -> Arrival:
    arrival = replace(
        arrival,
        raw=fetched.raw,
        size=len(fetched.raw),
        received_at=fetched.internal_date or arrival.received_at,
    )
    try:
        parsed = parse(fetched.raw)
        return replace(arrival, outcome=Outcome.FETCHED, parsed=parsed, bounce=_bounce(fetched.raw, parsed))
    except Unreadable as unreadable:
        return replace(arrival, outcome=Outcome.QUARANTINED, reason=str(unreadable))
    except Exception as fault:  # whatever a message does to a parser, the next message comes through
        log.exception("parser failed", size=len(fetched.raw))
        return replace(
            arrival, outcome=Outcome.QUARANTINED, reason=f"the message broke the parser: {type(fault).__name__}"
        )
