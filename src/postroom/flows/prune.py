"""Removes what is older than it is kept, a little at a time, so that nobody waits for it. It decides not how long."""

from __future__ import annotations

import asyncio

import structlog

from postroom.core.ports.store import Store
from postroom.core.ports.world import World
from postroom.core.retention import Retention

log = structlog.get_logger()

STEPS = 200
"""Steps of one tick, at most; what is left waits for the next one."""
REST = 0.05
"""Seconds between steps: others write meanwhile."""


class Prune:
    """Keeps the tables from growing for ever."""

    def __init__(self, store: Store, world: World, retention: Retention) -> None:
        self._store = store
        self._world = world
        self._retention = retention

    async def tick(self) -> None:
        """Until nothing is left that is too old, or for so many steps."""
        removed = 0
        for _ in range(STEPS):
            pruned = await self._store.prune(self._retention, self._world.now())
            removed += pruned.rows
            if not pruned.more:
                break
            await asyncio.sleep(REST)
        if removed:
            log.info("old rows are removed", rows=removed)
