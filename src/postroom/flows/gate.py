"""How many sign-ins may be under way at the same time: few at one server, more at all together. It signs in nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONE_SERVER = 32
"""A server that comes back finds so many of our mailboxes before its door, not thousands: the next one comes when one
is in, so that it sets the pace itself, and none runs out of time while it waits for the others."""
AT_ALL = 128


class Gate:
    """Lets sign-ins through. Who waits at a server takes no place at all together, so a dead one blocks no other."""

    def __init__(self, *, at_one_server: int = AT_ONE_SERVER, at_all: int = AT_ALL) -> None:
        self._at_one_server = at_one_server
        self._all = asyncio.Semaphore(at_all)
        self._servers: dict[str, tuple[asyncio.Semaphore, int]] = {}  # with how many are there or wait

    @asynccontextmanager
    async def at(self, host: str) -> AsyncIterator[None]:
        """While one sign-in is under way at this host."""
        places, there = self._servers.get(host, (asyncio.Semaphore(self._at_one_server), 0))
        self._servers[host] = places, there + 1
        try:
            async with places, self._all:
                yield
        finally:
            places, there = self._servers.pop(host)
            if there > 1:
                self._servers[host] = places, there - 1
