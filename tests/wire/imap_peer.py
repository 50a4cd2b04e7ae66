"""An IMAP server of one test's own: greeting and sign-in as usual, and then the test's story. It knows no folders."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from postroom.core.diagnosis.evidence import Evidence, Failure
from postroom.wire.imap import Imap, Session
from postroom.wire.resolve import Guard
from tests.wire.peer import PASSWORD, Peer, account, served

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN SASL-IR IDLE LITERAL-"

Story = Callable[[Peer], Awaitable[None]]


def client(**options: float) -> Imap:
    """A client that may connect to loopback. Its patience is long: the machine may stall."""
    return Imap(Guard(allow_private=True), now=lambda: NOW, client_id={}, **{"timeout": 90, "patience": 90, **options})


async def sign_in(peer: Peer, capabilities: bytes = CAPABILITIES) -> None:
    """The server's part until the client is signed in."""
    await peer.say(b"* OK [CAPABILITY " + capabilities + b"] ready")
    tag = await peer.command(b"AUTHENTICATE PLAIN ", b"LOGIN ")
    await peer.say(tag + b" OK [CAPABILITY " + capabilities + b"] signed in")


async def selected(peer: Peer, exists: int = 3, *more: bytes) -> None:
    """Answers SELECT or EXAMINE."""
    tag = await peer.command(b"SELECT ", b"EXAMINE ")
    await peer.say(
        b"* %d EXISTS" % exists,
        b"* 0 RECENT",
        b"* OK [UIDVALIDITY 42] fine",
        b"* OK [UIDNEXT 100] next",
        *more,
        tag + b" OK [READ-ONLY] done",
    )


@asynccontextmanager
async def session(story: Story, capabilities: bytes = CAPABILITIES, **options: float) -> AsyncIterator[Session]:
    """A session with a server that plays `story` after sign-in."""

    async def whole(peer: Peer) -> None:
        await sign_in(peer, capabilities)
        await story(peer)
        await peer.gone()

    async with served(whole) as port:
        opened = await client(**options).open(account(port))
        try:
            yield opened
        finally:
            opened.abort()


async def refused(story: Story, *, seconds: float = 90, **options: object) -> Evidence:
    """The evidence of an opening that fails, which holds no password."""
    async with served(story) as port:
        with pytest.raises(Failure) as caught:
            await client(timeout=seconds).open(account(port, **options))
    assert PASSWORD not in f"{caught.value!r} {caught.value} {caught.value.evidence!r}"
    assert b64encode(PASSWORD.encode()).decode() not in repr(caught.value.evidence)
    return caught.value.evidence
