"""Keeps the flows going: one loop that ticks each when something was written or time has passed. It knows no story."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from postroom.core.ports.store import Store, StoreUnavailable
from postroom.flows.announce import Announce
from postroom.flows.certificates import Certificates
from postroom.flows.clients import Clients
from postroom.flows.outbox import Outbox
from postroom.flows.own import Own
from postroom.flows.prune import Prune
from postroom.flows.rescue import Rescue
from postroom.flows.sent import Sent

log = structlog.get_logger()

TICK = 1.0
"""Seconds after which rows are looked at though nothing was written: the clock may have made them due."""

BUSY = 0.1
"""Seconds between two looks while something is written all the time."""


SCANS = frozenset({"own", "sent", "rescue"})
SHARE = 4
"""Ticks that read rows of every mailbox rest four times as long as they took, up to a TICK: with thousands of mailboxes
signing in at once, and writing that they did, they would otherwise do nothing else."""

AHEAD = 60.0
"""Seconds between looks for what ends in days, or is older than it is kept."""


class Engine:
    """The running of a worker."""

    def __init__(
        self,
        store: Store,
        own: Own,
        outbox: Outbox,
        sent: Sent,
        rescue: Rescue,
        announce: Announce,
        clients: Clients,
        certificates: Certificates,
        prune: Prune,
    ) -> None:
        self._store = store
        self._own = own
        self._outbox = outbox
        self._sent = sent
        self._rescue = rescue
        self._announce = announce
        self._clients = clients
        self._certificates = certificates
        self._prune = prune
        self._trouble: dict[str, str] = {}
        self._started = False

    def trouble(self) -> str | None:
        """Why the engine does not work, None where it does."""
        if not self._started:
            return "the engine is starting"
        return next(iter(self._trouble.values()), None) or self._outbox.trouble()

    async def run(self) -> None:
        """Runs until cancelled, then closes in order: what is under way ended, the mailboxes given back."""
        try:
            await self._guarded("own", self._own.tick)
            self._started = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._loop("own", self._own.tick, 0.1))
                group.create_task(self._loop("outbox", self._outbox.tick, 0.01))
                group.create_task(self._loop("sent", self._sent.tick, 0.25))
                group.create_task(self._loop("rescue", self._rescue.tick, 0.25))
                group.create_task(self._loop("announce", self._announce.tick, 0.01))
                group.create_task(self._loop("clients", self._clients.tick, AHEAD))
                group.create_task(self._loop("certificates", self._certificates.ahead, AHEAD))
                group.create_task(self._loop("prune", self._prune.tick, AHEAD))
        finally:
            await self._close()

    async def _loop(self, name: str, tick: Callable[[], Awaitable[None]], rest: float) -> None:
        watcher = self._store.watcher()
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._guarded(name, tick)
            took = loop.time() - began
            await asyncio.sleep(max(rest, min(TICK, SHARE * took)) if name in SCANS else rest)
            await watcher.changed(TICK)
            # A single change is seen at once; a store that is written to all the time must not make every loop spin.
            await asyncio.sleep(max(0.0, began + BUSY - loop.time()) if loop.time() - began < 3 * rest else 0)

    async def _guarded(self, name: str, tick: Callable[[], Awaitable[None]]) -> None:
        try:
            await tick()
            self._trouble.pop(name, None)
        except StoreUnavailable as unavailable:
            if self._trouble.get(name) != str(unavailable):
                log.warning("store unavailable", flow=name, error=str(unavailable))
            self._trouble[name] = str(unavailable)
            await asyncio.sleep(TICK)
        except Exception as fault:
            log.exception("a flow broke by a fault of ours", flow=name)
            self._trouble[name] = f"{name} broke: {type(fault).__name__}"
            await asyncio.sleep(TICK)

    async def _close(self) -> None:
        # Probes send too: both have the same seconds to come to their end.
        await asyncio.gather(self._closed(self._rescue.close), self._closed(self._outbox.close))
        for close in (self._sent.close, self._announce.close, self._own.close):
            await self._closed(close)

    async def _closed(self, close: Callable[[], Awaitable[None]]) -> None:
        try:
            await close()
        except StoreUnavailable as unavailable:
            log.warning("store unavailable at shutdown", error=str(unavailable))
