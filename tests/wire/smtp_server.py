"""A scripted SMTP server on loopback: each test writes what it hears and says. It has no behaviour of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security
from postroom.wire.smtp import Session, Smtp, Timeouts
from postroom.wire.stream import Guard

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BRISK = Timeouts(step=10, reply=10, block=20, answer=10)


class Heard:
    """One client's connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.lines: list[bytes] = []

    async def hear(self, beginning: str = "") -> bytes:
        line = (await self.reader.readuntil(b"\r\n"))[:-2]
        self.lines.append(line)
        assert line.upper().startswith(beginning.upper().encode()), line
        return line

    def say(self, *lines: str | bytes) -> None:
        for line in lines:
            self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    async def greet(self, *keywords: str) -> None:
        self.say("220 scripted.test ESMTP")
        await self.hear("EHLO")
        offered = ["scripted.test", *keywords]
        self.say(*[f"250-{word}" for word in offered[:-1]], f"250 {offered[-1]}")

    async def message(self) -> bytes:
        """The body as it came, up to the final dot."""
        body = b""
        while not body.endswith(b"\r\n.\r\n") and body != b".\r\n":
            body += await self.reader.readuntil(b"\r\n")
        return body

    def cut(self) -> None:
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()

    async def silence(self) -> None:
        """Until the client goes away."""
        while await self.reader.read(65536):
            pass


Script = Callable[[Heard], Awaitable[None]]


class Scripted:
    """A running server. `problems` are what scripts found wrong; `heard` all connections so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: list[Heard] = []
        self.problems: list[BaseException] = []

    def account(self, username: str = "", password: str = "", security: Security = Security.NONE) -> Account:
        endpoint = Endpoint("127.0.0.1", self.port, security, username)
        return Account(Direction.SMTP, endpoint, Credential(password=password))

    async def open(self, timeouts: Timeouts = BRISK) -> Session:
        return await client(timeouts).open(self.account())


def client(timeouts: Timeouts = BRISK) -> Smtp:
    return Smtp(Guard(allow_private=True), now=lambda: NOW, name="client.test", timeouts=timeouts)


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Scripted]:
    """Runs `script` for every connection; what it asserts wrongly fails the test at the end."""
    running: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = Heard(reader, writer)
        server.heard.append(heard)
        running.add(asyncio.current_task())
        try:
            await script(heard)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, as it may
        except BaseException as problem:
            server.problems.append(problem)
        finally:
            writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 26)
    server = Scripted(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        if running:  # clients are gone: scripts see that, and have their say about what came
            await asyncio.wait(running, timeout=1)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for problem in server.problems:
            if not isinstance(problem, asyncio.CancelledError):
                raise problem
