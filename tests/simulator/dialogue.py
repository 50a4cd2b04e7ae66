"""A bare client that sends bytes and shows what comes back. It understands neither IMAP nor SMTP."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from postroom.simulator import Behaviour, Fault, Service, Simulator

from .conftest import ANNA, PASSWORD

PATIENCE = 5.0


class Dialogue:
    """One connection. Every wait is bounded by PATIENCE seconds and then fails the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Self]:
        host = "localhost" if tls else None
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=host)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    async def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def line(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return (await self.reader.readline()).decode()

    async def until(self, start: str) -> list[str]:
        """Lines up to and with the one that begins so."""
        lines: list[str] = []
        while not lines or not lines[-1].startswith(start):
            lines.append(await self.line())
            if lines[-1] == "":
                raise AssertionError(f"closed before {start!r}: {lines}")
        return lines

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def is_silent(self, seconds: float = 0.15) -> bool:
        """Whether nothing comes, neither a byte nor an end, for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False

    async def ask(self, command: str) -> list[str]:
        """An IMAP command with the tag `t`; all lines of its answer."""
        await self.send(f"t {command}\r\n")
        return await self.until("t ")

    async def reply(self, command: str) -> str:
        """An SMTP command; its reply, lines joined."""
        await self.send(f"{command}\r\n")
        return await self.smtp_reply()

    async def smtp_reply(self) -> str:
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "".join(lines)


@asynccontextmanager
async def imap(simulator: Simulator, *, address: str = ANNA, folder: str | None = "INBOX") -> AsyncIterator[Dialogue]:
    """Signed in, with a folder selected."""
    async with Dialogue.to(simulator.imap_port) as client:
        await client.line()
        assert (await client.ask(f'LOGIN {address} "{PASSWORD}"'))[-1].startswith("t OK")
        if folder:
            assert (await client.ask(f"SELECT {folder}"))[-1].startswith("t OK")
        yield client


def plain(address: str = ANNA, password: str = PASSWORD) -> str:
    return base64.b64encode(f"\0{address}\0{password}".encode()).decode()


@asynccontextmanager
async def smtp(simulator: Simulator, address: str = ANNA) -> AsyncIterator[Dialogue]:
    """Signed in."""
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        await client.reply("EHLO client.example")
        assert (await client.reply(f"AUTH PLAIN {plain(address)}")).startswith("235")
        yield client


async def submit(client: Dialogue, *recipients: str, message_id: str = "<m1@example.org>") -> str:
    """Send one message up to its final dot; the last reply."""
    assert (await client.reply(f"MAIL FROM:<{ANNA}>")).startswith("250")
    for recipient in recipients:
        assert (await client.reply(f"RCPT TO:<{recipient}>")).startswith("250")
    assert (await client.reply("DATA")).startswith("354")
    return await client.reply(f"Message-ID: {message_id}\r\nSubject: hello\r\n\r\nbody\r\n.")


def fault(protocol: str, stage: str, answer: str | None = None, behaviour: str | None = None, **more) -> Fault:
    """A fault in one line."""
    kind = None if behaviour is None else Behaviour(behaviour)
    return Fault(protocol=Service(protocol), stage=stage, answer=answer, behaviour=kind, **more)
