"""What a look at a folder asks for: a first reading, a catch-up, a comparison with the server. It parses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from postroom.core import provider
from postroom.core.cursor import Change, Cursor, Gap, Order, Passed, Reconciled, Selected, compare, older, unchanged
from postroom.core.events import Event, EventType, reconciled_data
from postroom.core.identity import Kind
from postroom.core.mailbox import Mailbox
from postroom.core.message import Flow
from postroom.core.ports.store import Lease, Store
from postroom.core.ports.wire import ImapSession
from postroom.core.ports.world import World
from postroom.core.uids import Uids
from postroom.flows.reading import Limits, Reading
from postroom.flows.refusals import Refusals

log = structlog.get_logger()

GAPS_SHARE = 0.8
"""Of a provider's bytes a day, what may be spent on gaps: the rest is for what comes new."""
SENT_SHARE = 0.1
"""And on what was sent from elsewhere."""


@dataclass(frozen=True, slots=True)
class Brought:
    """How many messages a look brought, and whether its time was over before its work was."""

    messages: int
    more: bool = False


class Sync:
    """Reads folders into the store."""

    def __init__(
        self, store: Store, world: World, *, max_message_bytes: int, reconcile_every: timedelta = timedelta(hours=6)
    ) -> None:
        self._store = store
        self._world = world
        self._max = max_message_bytes
        self._reconcile_every = reconcile_every
        self._refusals = Refusals()
        self._giants = asyncio.Lock()

    async def folder(
        self,
        lease: Lease,
        session: ImapSession,
        mailbox: Mailbox,
        selected: Selected,
        *,
        seconds: float | None = None,
        reconnected: bool = False,
        flow: Flow = Flow.INBOUND,
    ) -> Brought:
        """Reads all that the selected folder has to be read, for at most so many seconds, and compares it with the
        ledger where that is due or the session is new. What is in a Sent folder goes the other way: `flow`.

        Raises Failure where the session breaks: what was recorded stays, the cursor stands there.
        """
        cursor = replace(await self._cursor(lease, session, mailbox, selected, flow), flow=flow)
        brought = Brought(0)
        if cursor.gaps or cursor.synced_at is None or compare(cursor, selected) is not Change.NONE:
            reading = self._reading(lease, session, mailbox, cursor, seconds)
            cursor = await reading.run()
            brought = Brought(reading.brought, reading.more)
        if not brought.more and (reconnected or self._is_due(cursor)):
            healed = await self._reconcile(lease, session, mailbox, selected, cursor)
            brought = replace(brought, messages=brought.messages + healed)
        return brought

    async def has_news(self, lease: Lease, shown: Selected) -> bool:
        """Whether a look at this folder would find anything to do, by what STATUS says of it."""
        cursor = await self._store.cursor(lease.mailbox_id, shown.folder)
        if cursor is None or cursor.gaps or cursor.synced_at is None:
            return True
        return compare(cursor, shown) is not Change.NONE or self._is_due(cursor)

    async def news(self, lease: Lease, session: ImapSession, mailbox: Mailbox, folder: str) -> Brought:
        """What the server announced in the folder that is selected."""
        cursor = await self._store.cursor(lease.mailbox_id, folder)
        if cursor is None:
            return Brought(0)
        reading = self._reading(lease, session, mailbox, cursor, None)
        await reading.run()
        return Brought(reading.brought)

    def _reading(
        self, lease: Lease, session: ImapSession, mailbox: Mailbox, cursor: Cursor, seconds: float | None
    ) -> Reading:
        budget = provider.by_key(mailbox.provider).imap_bytes_a_day
        share = GAPS_SHARE / len(mailbox.folders) if cursor.flow is Flow.INBOUND else SENT_SHARE
        a_day = None if budget is None else int(budget * share)
        limits = Limits(self._max, a_day, seconds)
        return Reading(self._store, self._world, session, lease, cursor, self._refusals, limits, self._giants)

    # Where to begin

    async def _cursor(
        self, lease: Lease, session: ImapSession, mailbox: Mailbox, selected: Selected, flow: Flow
    ) -> Cursor:
        cursor = await self._store.cursor(lease.mailbox_id, selected.folder)
        change = compare(cursor, selected)
        if change is Change.WOUND_BACK and cursor is not None:
            there = await session.uids()
            if there.highest >= cursor.last_uid:
                log.warning("the server's UIDNEXT is wrong", mailbox=mailbox.id, folder=selected.folder)
                change = Change.NEW
        if cursor is not None and change in (Change.NONE, Change.NEW):
            return await self._widened(lease, session, mailbox, cursor)
        if cursor is not None:
            log.warning("folder numbered anew", mailbox=mailbox.id, folder=selected.folder, change=change)
        if change is Change.WOUND_BACK:
            await self._store.forget(lease, selected.folder, selected.uid_validity)
        return await self._begin(lease, session, mailbox, selected, cursor, flow)

    async def _begin(
        self,
        lease: Lease,
        session: ImapSession,
        mailbox: Mailbox,
        selected: Selected,
        before: Cursor | None,
        flow: Flow,
    ) -> Cursor:
        """A folder that is read for the first time, or was numbered anew: then as far back as the first time, so that
        what came meanwhile is read and what is known is seen to be."""
        now = self._world.now()
        began_at = before.began_at if before is not None else now
        since = before.since if before is not None else _since(now, mailbox.sync_days)
        there = await session.uids()
        wanted = await session.uids(since=since.date()) if since is not None else there
        gaps = (Gap(there.lowest, there.highest, Order.NEWEST),) if there else ()
        cursor = Cursor(
            lease.mailbox_id,
            selected.folder,
            selected.uid_validity,
            last_uid=there.highest,
            gaps=gaps,
            began_at=began_at,
            since=since,
            flow=flow,
        )
        if before is not None:
            cursor = replace(cursor, spent=before.spent, reconciled=Reconciled(healed=before.reconciled.healed))
        await self._store.record(lease, cursor, [], _skipped(cursor, there, wanted))
        return cursor

    async def _widened(self, lease: Lease, session: ImapSession, mailbox: Mailbox, cursor: Cursor) -> Cursor:
        """Where people want older mail than they did when the mailbox was connected, it is read now."""
        if cursor.since is None or cursor.began_at is None:
            return cursor
        since = _since(cursor.began_at, mailbox.sync_days)
        if since is not None and since >= cursor.since:
            return cursor
        there = await session.uids(Uids.between(1, cursor.last_uid))
        wanted = there if since is None else there & await session.uids(since=since.date())
        gap = (Gap(there.lowest, there.highest, Order.NEWEST),) if there else ()
        cursor = replace(cursor, since=since, gaps=(*cursor.gaps, *gap))
        await self._store.widen(lease, cursor, _skipped(cursor, there, wanted))
        return cursor

    # The comparison

    def _is_due(self, cursor: Cursor) -> bool:
        at = cursor.reconciled.at
        return at is None or not timedelta(0) <= self._world.now() - at < self._reconcile_every

    async def _reconcile(
        self, lease: Lease, session: ImapSession, mailbox: Mailbox, selected: Selected, cursor: Cursor
    ) -> int:
        """Every UID that the server has is in the ledger, or is read now; how many were."""
        now = self._world.now()
        if unchanged(cursor, selected):
            await self._store.record(lease, replace(cursor, reconciled=replace(cursor.reconciled, at=now)), [])
            return 0
        there = (await session.uids()) & Uids.between(1, cursor.last_uid)
        missing = there - await self._known(cursor) - cursor.pending
        brought = 0
        if missing:
            log.warning(
                "messages were missing in the ledger", mailbox=mailbox.id, folder=cursor.folder, count=len(missing)
            )
            cursor = cursor.without(missing)
            await self._store.reopen(lease, cursor, missing)
            reading = self._reading(lease, session, mailbox, cursor, None)
            cursor = await reading.run()
            brought = reading.brought
        known = await self._known(cursor)
        found = Reconciled(now, len(there), len(there & known), cursor.reconciled.healed + len(missing & known))
        cursor = replace(cursor, reconciled=found, highest_modseq=selected.highest_modseq)
        events = [self._event(mailbox, cursor, len(missing & known))] if missing & known else []
        await self._store.record(lease, cursor, [], (), events)
        return brought

    async def _known(self, cursor: Cursor) -> Uids:
        return await self._store.known(cursor, 1, cursor.last_uid)

    def _event(self, mailbox: Mailbox, cursor: Cursor, healed: int) -> Event:
        data = reconciled_data(mailbox, cursor, healed)
        identifier = self._world.identifier(Kind.EVENT)
        return Event(identifier, EventType.MAILBOX_RECONCILED, self._world.now(), mailbox.id, data)


def _since(at: datetime, days: int | None) -> datetime | None:
    return None if days is None else at - timedelta(days=days)


def _skipped(cursor: Cursor, there: Uids, wanted: Uids) -> Sequence[Passed]:
    if cursor.since is None or cursor.began_at is None:
        return ()
    return older(cursor.began_at, (cursor.began_at - cursor.since).days, there, wanted)
