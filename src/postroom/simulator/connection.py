"""One accepted connection: lines, literals and bodies in, bytes out, as slowly or as briefly as a fault wants.

It does not know IMAP or SMTP.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from postroom.simulator.fault import Behaviour, Fault

MAX_LINE = 64 * 1024


class ConnectionEnded(Exception):
    """The connection is over, by the client's will or by a fault's."""


class LineTooLong(Exception):
    """The client sent more than MAX_LINE bytes without an end of line."""


class Connection:
    """The stream under a session. `secure` is true once TLS is spoken."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, secure: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._fault: Fault | None = None
        self._left_to_cut = 0
        self._muted = False
        self.secure = secure

    async def _fill(self) -> None:
        try:
            data = await self._reader.read(64 * 1024)
        except (OSError, ssl.SSLError) as error:
            raise ConnectionEnded(str(error)) from error
        if not data:
            raise ConnectionEnded("the client closed the connection")
        self._buffer += data

    @property
    def has_input(self) -> bool:
        return bool(self._buffer)

    @property
    def is_muted(self) -> bool:
        return self._muted

    async def wait_for_input(self) -> None:
        """Until at least one byte can be read. May be cancelled without losing anything."""
        if not self._buffer:
            await self._fill()

    async def read_line(self) -> bytes:
        """One line without its end (CRLF, or LF alone, which some clients send). Raises LineTooLong."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            if len(self._buffer) > MAX_LINE:
                raise LineTooLong
            searched = len(self._buffer)
            await self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if len(line) > MAX_LINE:
            raise LineTooLong
        return line.removesuffix(b"\r")

    async def read_some(self) -> bytes:
        """What has come, at least a byte."""
        await self.wait_for_input()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    async def read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def read_body(self, limit: int) -> bytes | None:
        """What follows DATA, to the line with a dot alone, dots unstuffed (RFC 5321 4.5.2); None if over `limit` bytes.

        Only CRLF.CRLF ends it: reading a bare LF as a line's end is how messages are smuggled.
        """
        body = bytearray(b"\r\n")  # so that a dot on the first line is met like any other
        too_long = False
        while True:
            searched = max(0, len(body) - 4)
            body += self._buffer
            self._buffer.clear()
            end = body.find(b"\r\n.\r\n", searched)
            if end >= 0:
                self._buffer += body[end + 5 :]
                if too_long or end > limit:
                    return None
                return bytes(body[: end + 2].replace(b"\r\n.", b"\r\n")[2:])
            if len(body) > limit + 2:
                too_long = True
                del body[:-4]
            await self._fill()

    async def send(self, data: bytes) -> None:
        """Write, under the fault in force if there is one. Raises ConnectionEnded where the answer is cut off."""
        if self._muted or not data:
            return
        fault = self._fault
        if fault is not None and fault.behaviour is Behaviour.CUT:
            data, cut = data[: self._left_to_cut], len(data) >= self._left_to_cut
            self._left_to_cut -= len(data)
            await self._write(data)
            if cut:
                raise ConnectionEnded("the answer was cut off on command")
        elif fault is not None and fault.rate is not None:
            for start in range(0, len(data), step := max(1, fault.rate // 20)):
                await self._write(data[start : start + step])
                await asyncio.sleep(step / fault.rate)
        else:
            await self._write(data)

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionEnded("the connection is closed")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, ssl.SSLError) as error:
            raise ConnectionEnded(str(error)) from error

    async def begin_fault(self, fault: Fault | None) -> None:
        """Answers are slow or cut from now on, until `begin_fault(None)`; waits for the fault's delay."""
        self._fault = fault
        if fault is not None:
            self._left_to_cut = fault.cut_after or 0
            await asyncio.sleep(fault.delay)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Nothing is sent inside: for commands that take effect without being answered."""
        self._muted = True
        try:
            yield
        finally:
            self._muted = False

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Upgrade. What the client sent before the handshake is thrown away (RFC 3207 4.2). Raises ConnectionEnded."""
        self._buffer.clear()
        try:
            await self._writer.start_tls(context)
        except (OSError, ssl.SSLError) as error:
            raise ConnectionEnded(f"TLS handshake: {error}") from error
        self.secure = True

    async def hang(self) -> None:
        """Say nothing until the client gives up."""
        while True:
            self._buffer.clear()
            await self._fill()

    def say_and_close(self, last_words: bytes) -> None:
        """Close from outside the session, after some last words."""
        if not self._writer.is_closing():
            self._writer.write(last_words)
            self._writer.close()

    async def closed(self, patience: float) -> None:
        """Close once all is written, given up after `patience` seconds.

        Without TLS what the client still sends is read to its end first: closing over unread bytes makes the kernel
        reset the connection, and the client would lose our last words.
        """
        try:
            async with asyncio.timeout(patience):
                if not self.secure and not self._writer.is_closing():
                    self._writer.write_eof()
                    while await self._reader.read(64 * 1024):
                        pass
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, ssl.SSLError, TimeoutError):
            self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()
