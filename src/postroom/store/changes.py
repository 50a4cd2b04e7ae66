"""Wakes whoever waits for a write. It carries no news: whoever wakes re-reads its rows."""

from __future__ import annotations

import asyncio


class Changes:
    """Counts writes; only used from the store's event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def awaited(self) -> bool:
        return bool(self._waiters)

    def tell(self) -> None:
        """Something was written: wakes everyone who waits, and whoever comes later and has not seen it."""
        self.count += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, seconds: float) -> None:
        """Until the next `tell`, or `seconds`."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)


class ChangeWatcher:
    """core.ports.store.Watcher. The count that was seen is its own, so no write between a look and a wait is lost."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._seen = changes.count
        self._asked: int | None = None

    async def changed(self, seconds: float) -> None:
        if self._changes.count == self._seen:
            await self._changes.wait(seconds)
        self._seen = self._changes.count

    def moved(self) -> bool:
        moved = self._asked != self._changes.count
        self._asked = self._changes.count
        return moved
