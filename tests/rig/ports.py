"""Loopback ports for the rig's servers: picks free ones, waits for them to open and to close."""

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable, Iterable

HOST = "127.0.0.1"

# Below the ephemeral range (32768…), so that no outgoing connection takes a port while its server is stopped.
FIRST, LAST = 15000, 32000

PATIENCE = 30.0  # seconds; servers answer in well under one, but the machine may be busy

_taken: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on and that this run has not handed out before."""
    while True:
        port = random.randrange(FIRST, LAST)
        if port not in _taken and _can_bind(port):
            _taken.add(port)
            return port


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            return False
    return True


def is_open(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


async def until_open(ports: Iterable[int], alive: Callable[[], bool]) -> None:
    """Wait until every port accepts connections. Raises TimeoutError, or ConnectionError when `alive` turns false."""
    deadline = time.monotonic() + PATIENCE
    for port in ports:
        while not is_open(port):
            if not alive():
                raise ConnectionError(f"the server ended before it opened port {port}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"port {port} did not open within {PATIENCE:.0f} s")
            await asyncio.sleep(0.02)


async def until_closed(ports: Iterable[int]) -> None:
    """Wait until nobody listens on these ports any more. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    for port in ports:
        while not _can_bind(port):
            if time.monotonic() > deadline:
                raise TimeoutError(f"port {port} was still in use {PATIENCE:.0f} s after the server was stopped")
            await asyncio.sleep(0.02)
