"""A server of one test's own on loopback: what it says is the test's to write. It knows no protocol."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security

PASSWORD = "pass-word-of-the-test"


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[bytes] = []

    async def say(self, *lines: bytes) -> None:
        """Lines, each ended with CRLF."""
        await self.send(b"".join(line + b"\r\n" for line in lines))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> bytes:
        """The client's next line; empty at its end."""
        line = (await self.reader.readline()).rstrip(b"\r\n")
        self.heard.append(line)
        return line

    async def command(self, *beginning: bytes) -> bytes:
        """The client's next command, which must begin so; gives its tag."""
        line = await self.line()
        tag, _, words = line.partition(b" ")
        assert any(words.startswith(one) for one in beginning), f"wanted {beginning}, got {line!r}"
        return tag

    async def gone(self) -> None:
        """Waits until the client has closed."""
        while await self.reader.read(65536):
            pass


Story = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def served(story: Story, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Plays the story to every connection; gives the port. What fails in the story fails the test."""
    tasks: list[asyncio.Task[None]] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await story(Peer(reader, writer))
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # the client's leaving is the test's to judge; stories that are still waiting at the end are ended
        finally:
            writer.close()

    server = await asyncio.start_server(play, "127.0.0.1", 0, ssl=context, limit=2**20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # Bytes on their way reach the story before it is ended.
        _, pending = await asyncio.wait(tasks, timeout=1) if tasks else (set(), set())
        for task in pending:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def account(
    port: int,
    security: Security = Security.NONE,
    *,
    host: str = "localhost",
    username: str = "anna@example.test",
    password: str = PASSWORD,
    ca: str | None = None,
) -> Account:
    """An IMAP account on loopback."""
    endpoint = Endpoint(host, port, security, username)
    return Account(Direction.IMAP, endpoint, Credential(password=password), "generic", ca)
