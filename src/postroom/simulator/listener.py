"""A listening port that can go down and come back as the same port. It does not serve what it accepts."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Listener:
    """One port. While it is down it stays bound: the kernel refuses connections and hands it to nobody as free."""

    def __init__(self, host: str, port: int, accepted: Callable[[socket.socket], None]) -> None:
        """Binds at once; raises OSError when the port is taken. `accepted` is called with each new connection."""
        self._accepted = accepted
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = self._bind((host, port))
        self._address = self._socket.getsockname()
        self._accepting: asyncio.Task[None] | None = None

    def _bind(self, address: tuple[str, int]) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        try:
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        return bound

    @property
    def port(self) -> int:
        return int(self._address[1])

    @property
    def is_up(self) -> bool:
        return self._accepting is not None

    def up(self) -> None:
        if self._accepting is None:
            self._socket.listen(128)
            self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def down(self) -> None:
        if self._accepting is not None:
            await self._stop()
            self._socket.close()
            self._socket = self._bind(self._address)

    async def close(self) -> None:
        await self._stop()
        self._socket.close()

    async def _stop(self) -> None:
        accepting, self._accepting = self._accepting, None
        if accepting is not None:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                _log.warning("a connection to port %d could not be accepted: %s", self.port, error)
                await asyncio.sleep(0.1)  # out of descriptors, most likely: do not spin
                continue
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accepted(connection)
