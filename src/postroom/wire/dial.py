"""Opens one TCP connection to an address and puts TLS on it. It tries nothing twice and judges no failure."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Final

from postroom.wire.pipe import Pipe

UNSENT: Final = 128 * 1024
KEEPALIVE: Final = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 4}
"""Seconds of silence before the kernel asks whether the peer lives, seconds between questions, and their number.
Without them it asks after two hours, when a NAT between has long forgotten the connection."""


async def dial(pipe: Pipe, address: str, port: int) -> None:
    """TCP to an IP address. Raises OSError; the caller bounds the time."""
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: pipe, address, port)
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # not everywhere
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Without this the kernel takes megabytes at once and then shows no progress while it sends them.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)


async def encrypt(pipe: Pipe, context: ssl.SSLContext, host: str, seconds: float) -> ssl.SSLObject:
    """TLS on an open connection, for `host` in ASCII. Raises ssl.SSLError, or OSError where the connection ends."""
    if pipe.transport is None or pipe.ended:
        raise ConnectionResetError("the server closed the connection")
    transport = await asyncio.get_running_loop().start_tls(
        pipe.transport,
        pipe,
        context,
        server_hostname=host,
        ssl_handshake_timeout=seconds,
        ssl_shutdown_timeout=2,
    )
    if transport is None:
        raise ConnectionResetError("the server closed the connection")
    pipe.attach(transport)
    session: ssl.SSLObject = transport.get_extra_info("ssl_object")
    return session
