"""Bytes in and out of one transport, with a bounded buffer and bounded waits. It knows no protocol and no account."""

from __future__ import annotations

import asyncio
from typing import Final, cast

HIGH_WATER: Final = 256 * 1024
"""Bytes that may wait unread before the peer is held back."""

WRITE_BUFFER: Final = 64 * 1024


class Pipe(asyncio.Protocol):
    """One connection's bytes. One task reads and one writes at a time."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.ended = False
        self.error: BaseException | None = None
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._arrival: asyncio.Future[bool] | None = None
        self._drain: asyncio.Future[bool] | None = None
        self._gone: asyncio.Future[bool] | None = None
        self._writing_paused = False
        self._reading_paused = False

    def attach(self, transport: asyncio.Transport) -> None:
        """Bytes go through `transport` from now on."""
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER)

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(cast(asyncio.Transport, transport))  # uvloop's transports are none by inheritance

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > HIGH_WATER and not self._reading_paused and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()
        _settle(self._arrival, value=True)

    def eof_received(self) -> bool:
        self._end(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self.transport = None  # asyncio's transports cannot even be aborted any more
        _settle(self._gone, value=True)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        _settle(self._drain, value=True)

    def _end(self, error: BaseException | None) -> None:
        self.ended = True
        self.error = self.error or error
        _settle(self._arrival, value=True)
        _settle(self._drain, value=True)

    # What the stream calls

    async def arrival(self, seconds: float) -> bool:
        """Waits for more bytes or the end; False where neither came in `seconds`."""
        if self.ended:
            return True
        if self._reading_paused and self.transport is not None:
            self._reading_paused = False
            self.transport.resume_reading()
        self._arrival = self._loop.create_future()
        return await self._wait(self._arrival, seconds)

    async def drained(self, seconds: float) -> bool:
        """Waits until more may be written; False where not one buffer's worth went out in `seconds`."""
        if not self._writing_paused or self.ended:
            return True
        self._drain = self._loop.create_future()
        return await self._wait(self._drain, seconds)

    async def gone(self, seconds: float) -> bool:
        """Closes and waits until the transport has let go."""
        if self.transport is None:
            return True
        self._gone = self._loop.create_future()
        self.transport.close()
        return await self._wait(self._gone, seconds)

    async def _wait(self, future: asyncio.Future[bool], seconds: float) -> bool:
        timer = self._loop.call_later(seconds, _settle, future, False)
        try:
            return await future
        finally:
            timer.cancel()

    def take(self, size: int) -> bytes:
        """The first `size` bytes of the buffer, which must be there."""
        with memoryview(self.buffer) as view:
            taken = bytes(view[:size])
        del self.buffer[:size]
        return taken


def _settle(future: asyncio.Future[bool] | None, value: bool) -> None:
    if future is not None and not future.done():
        future.set_result(value)
