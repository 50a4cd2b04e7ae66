"""One more connection to a port, only to see whether TLS is spoken there. It says nothing of its own."""

from __future__ import annotations

import asyncio

from postroom.wire.dial import dial, encrypt
from postroom.wire.pipe import Pipe
from postroom.wire.tls import looking_context


async def answers_tls(address: str, port: int, host: str, seconds: float) -> bool:
    """Whether a TLS handshake succeeds there within so many seconds, whatever the certificate. Never raises."""
    pipe = Pipe()
    try:
        async with asyncio.timeout(seconds):
            await dial(pipe, address, port)
            await encrypt(pipe, looking_context(), host, seconds)
        return True
    except OSError:  # refused, no TLS, or no time left
        return False
    finally:
        if pipe.transport is not None:
            pipe.transport.abort()
