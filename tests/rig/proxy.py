"""A TCP proxy between a client and a real server, with a network's faults on command.

It sees bytes only: a pattern can match in plain text, never inside TLS.
"""

import asyncio
import random
import re
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from tests.rig.background import background
from tests.rig.ports import HOST, free_port

Direction = Literal["to_client", "to_server"]

_CHUNK = 65536
_MEMORY = 1024  # bytes of the past that a pattern may begin in


@dataclass
class _Cut:
    direction: Direction
    bytes_left: int | None = None
    pattern: re.Pattern[bytes] | None = None
    before: bool = False
    seen: bytes = b""

    def strikes(self, data: bytes) -> int | None:
        """How much of the data still passes before the connection is cut; None when it is not cut yet."""
        if self.bytes_left is not None:
            if self.bytes_left <= len(data):
                return self.bytes_left
            self.bytes_left -= len(data)
        if self.pattern is not None:
            known = len(self.seen)
            found = self.pattern.search(self.seen + data)
            if found:
                return max(0, (found.start() if self.before else found.end()) - known)
            self.seen = (self.seen + data)[-_MEMORY:]
        return None


@dataclass(frozen=True, eq=False)
class _Line:
    """One connection: the task that serves it and its two directions."""

    serving: asyncio.Task[None]
    pumps: list[asyncio.Task[None]]


class Proxy:
    """Listens on `port` and hands everything to `upstream_port`.

    `delay` (seconds) is added in each direction, as distance would; it may be changed at any time. Faults act on
    connections that are open and on those to come until `heal`; a cut acts once.
    """

    host = "localhost"

    def __init__(self, upstream_port: int, *, upstream_host: str = HOST, delay: float = 0.0) -> None:
        self.port = free_port()
        self.delay = delay
        self.opened = 0  # connections since the beginning
        self.passed: dict[Direction, int] = {"to_client": 0, "to_server": 0}  # bytes
        self._upstream = (upstream_host, upstream_port)
        self._listener: asyncio.Server | None = None
        self._cuts: list[_Cut] = []
        self._lines: set[_Line] = set()
        self._trouble = 0.0
        self._chance = random.Random(0)
        self.troubles: dict[str, int] = {"late": 0, "cut": 0, "malformed": 0}  # how often each was done
        self._flow: asyncio.Event | None = None

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._lines)

    # Faults.

    def cut(self) -> None:
        """Reset every open connection now."""
        background().run(self._cut_all())

    def cut_after(self, count: int, direction: Direction) -> None:
        """Reset the connection once `count` more bytes have passed in this direction (whichever connection)."""
        self._cuts.append(_Cut(direction, bytes_left=count))

    def cut_when(self, pattern: bytes, direction: Direction, *, before: bool = False) -> None:
        """Reset the connection when text matching this regular expression has passed, or `before` it passes."""
        self._cuts.append(_Cut(direction, pattern=re.compile(pattern), before=before))

    def blackhole(self) -> None:
        """Let nothing through and close nothing, as a dead route does. New connections open and stay silent."""
        background().call(self._gate().clear)

    def trouble(self, share: float, seed: str) -> None:
        """From now on so large a share of what the server says comes late, is cut off, or is no answer any more."""
        self._trouble = share
        self._chance = random.Random(seed)

    async def refuse(self) -> None:
        """Refuse new connections and reset the open ones."""
        await background().join(self._stop_listening())

    async def heal(self) -> None:
        """End every fault: what a black hole kept back now passes, and connections are accepted again."""
        self._cuts.clear()
        self.delay = self._trouble = 0.0
        background().call(self._gate().set)
        if self._listener is None:
            await self.start()

    # Its life.

    async def start(self) -> None:
        """Listen."""
        await background().join(self._start())

    async def stop(self) -> None:
        """Close everything."""
        await background().join(self._stop_listening())

    async def _start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, HOST, self.port)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
            self._listener = None
        await self._cut_all()

    def _gate(self) -> asyncio.Event:
        if self._flow is None:
            self._flow = asyncio.Event()
            self._flow.set()
        return self._flow

    async def _cut_all(self) -> None:
        lines = list(self._lines)
        for line in lines:
            for pump in line.pumps:
                pump.cancel()
        await asyncio.gather(*(line.serving for line in lines))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            _reset(writer)
            return
        pumps = [
            asyncio.create_task(self._pump(reader, upstream_writer, "to_server")),
            asyncio.create_task(self._pump(upstream_reader, writer, "to_client")),
        ]
        line = _Line(asyncio.current_task(), pumps)
        self._lines.add(line)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
            orderly = all(task.done() and not task.cancelled() and not task.exception() for task in pumps)
            for end in (writer, upstream_writer):
                if orderly:
                    end.close()
                else:
                    _reset(end)
        finally:
            self._lines.discard(line)
            for task in pumps:
                task.cancel()
            for outcome in await asyncio.gather(*pumps, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                    raise outcome

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction) -> None:
        """Read and write apart, so that `delay` is distance and not a brake on throughput."""
        loop = asyncio.get_running_loop()
        on_the_way: asyncio.Queue[tuple[float, bytes | OSError]] = asyncio.Queue(maxsize=256)

        async def receive() -> None:
            data: bytes | OSError = b"-"
            while data and isinstance(data, bytes):
                try:
                    data = await reader.read(_CHUNK)
                except OSError as error:
                    data = error
                await on_the_way.put((loop.time() + self.delay, data))

        receiving = asyncio.create_task(receive())
        try:
            while True:
                due, data = await on_the_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._gate().wait()
                if isinstance(data, OSError):
                    raise data
                if not data:
                    writer.write_eof()
                    return
                await self._forward(data, writer, way)
        finally:
            receiving.cancel()

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter, way: Direction) -> None:
        for cut in self._cuts:
            if cut.direction != way:
                continue
            allowed = cut.strikes(data)
            if allowed is not None:
                self._cuts.remove(cut)
                writer.write(data[:allowed])
                self.passed[way] += allowed
                await writer.drain()
                raise ConnectionResetError
        if self._trouble and way == "to_client" and self._chance.random() < self._trouble:
            data = await self._troubled(data, writer)
        writer.write(data)
        self.passed[way] += len(data)
        await writer.drain()

    async def _troubled(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        kind = self._chance.choice([*self.troubles])
        if kind == "malformed" and not data.startswith(b"* "):
            kind = "late"  # only the beginning of an answer: nobody could tell that a message's own text was changed
        self.troubles[kind] += 1
        if kind == "cut":
            writer.write(data[: self._chance.randrange(len(data))])
            await writer.drain()
            raise ConnectionResetError
        if kind == "late":
            await asyncio.sleep(0.05 + self._chance.random() * 0.2)
            return data
        first, _, rest = data.partition(b"\n")
        return b"* %s\r\n%s" % (bytes(self._chance.choices(range(33, 127), k=len(first) % 80)), rest)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset (RST) instead of an orderly end."""
    plug = writer.get_extra_info("socket")
    if plug is not None and not writer.is_closing():
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
