"""Which mailboxes are ours: heartbeat, claims, and a watch for each that may receive. It talks to no mail server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from postroom.core.health import Health, State
from postroom.core.mailbox import Direction
from postroom.core.ports.store import Lease, Store
from postroom.core.ports.world import World
from postroom.flows.watch import Watch

log = structlog.get_logger()

TTL = timedelta(seconds=15)
"""A worker that was not heard of for so long has died; its mailboxes go to another."""
HEARD = TTL / 3
"""In which every worker that lives speaks again, after the clock of all was set forward."""
GIVEN = 50
"""Mailboxes that are left to other workers with one heartbeat: each of them signs in anew there."""
READ = TTL
"""Between readings of all leases while nothing was written."""
STOPPED = frozenset({State.PAUSED, State.NEEDS_REAUTH})


@dataclass(slots=True)
class Watched:
    """A running watch and when it began."""

    task: asyncio.Task[None]
    began: datetime


class Own:
    """Holds the leases of this worker."""

    def __init__(self, store: Store, watch: Watch, world: World, worker_id: str, host: str) -> None:
        self._store = store
        self._watch = watch
        self._world = world
        self.worker_id = worker_id
        self._host = host
        self._watches: dict[str, Watched] = {}
        self._leases: dict[str, Lease] = {}
        self._unsettled: dict[str, Health] = {}
        self._watcher = store.watcher()
        self._beat_at: datetime | None = None
        self._read_at: datetime | None = None
        self.generation = 0
        """Grows where the leases change."""
        self._away: tuple[datetime, timedelta] | None = None  # until when, and for how long

    def lease(self, mailbox_id: str) -> Lease | None:
        return self._leases.get(mailbox_id)

    @property
    def leases(self) -> list[Lease]:
        return list(self._leases.values())

    def read_anew(self) -> None:
        """Rows were written in a way that nobody is told of: the next tick reads them."""
        self._read_at = None

    async def tick(self) -> None:
        """Once a second or when something was written: whatever the rows say is made so."""
        now = self._world.now()
        patience = self._patience(now)
        moved = self._watcher.moved()
        if moved:
            self._read_at = None
        if self._beat_at is None or now - self._beat_at >= TTL / 5 or now < self._beat_at:
            await self._store.heartbeat(self.worker_id, self._host, now, TTL)
            if await self._shared(now, patience):
                self._read_at = None
            self._beat_at = now
        elif moved:
            await self._store.claim(self.worker_id, now, patience=patience)
        if self._read_at is None or not timedelta(0) <= now - self._read_at < READ:
            await self._read(now)
        for mailbox_id in [one for one in self._watches if one not in self._leases]:
            self._stop(mailbox_id)
        for mailbox_id, lease in self._leases.items():
            self._see(lease, self._unsettled.get(mailbox_id), now)

    async def _shared(self, now: datetime, patience: timedelta) -> bool:
        """Each worker has its share: one that joins takes what the others leave it. Whether leases changed."""
        given = await self._store.give_back(self.worker_id, now, GIVEN, patience=patience)
        if given:
            log.info("mailboxes are left to other workers", mailboxes=given)
        return bool(await self._store.claim(self.worker_id, now, patience=patience)) or bool(given)

    async def _read(self, now: datetime) -> None:
        """Thousands of rows: only where something was written, and now and then."""
        leases = {lease.mailbox_id: lease for lease in await self._store.leases(self.worker_id)}
        unsettled = await self._store.unsettled(self.worker_id, Direction.IMAP)
        self._unsettled = {one.mailbox_id: one for one in unsettled}
        if leases != self._leases:
            self._leases = leases
            self.generation += 1
        self._read_at = now

    def _patience(self, now: datetime) -> timedelta:
        """Who slept, or whose clock was set forward, finds every other worker long unheard of, though they live: they
        get as long again to speak."""
        if self._beat_at is not None and now - self._beat_at > TTL:
            self._away = (now + HEARD, now - self._beat_at)
        if self._away is not None and not now < self._away[0] <= now + HEARD:
            self._away = None
        return self._away[1] if self._away is not None else timedelta(0)

    def _see(self, lease: Lease, health: Health | None, now: datetime) -> None:
        watched = self._watches.get(lease.mailbox_id)
        running = watched is not None and not watched.task.done()
        if health is None:
            if not running:
                self._start(lease, now)
        elif health.state in STOPPED:
            self._stop(lease.mailbox_id)
        elif health.next_probe_at is not None and health.next_probe_at <= now:
            changed = watched is not None and health.state is State.CONNECTING and watched.began <= health.since
            if running and changed:
                self._stop(lease.mailbox_id)
            if not running or changed:
                self._start(lease, now)

    def _start(self, lease: Lease, now: datetime) -> None:
        task = asyncio.create_task(self._watch.run(lease), name=f"watch {lease.mailbox_id}")
        task.add_done_callback(_report)
        self._watches[lease.mailbox_id] = Watched(task, now)

    def _stop(self, mailbox_id: str) -> None:
        watched = self._watches.pop(mailbox_id, None)
        if watched is not None:
            watched.task.cancel()

    async def close(self) -> None:
        """Ends the watches and gives the mailboxes back."""
        tasks = [watched.task for watched in self._watches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._store.resign(self.worker_id)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        log.error("a watch ended by a fault of ours", task=task.get_name(), exc_info=fault)
