"""HTTP to hosts that strangers name: connects only to addresses that the guard lets through. It knows no request."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import lru_cache

import httpcore2
import httpx2

from postroom.wire.resolve import Guard, resolve
from postroom.wire.tls import trusting_context

AT_ONCE = 100
"""Connections at the same time."""
KEPT_SECONDS = 30.0
"""For which a connection that nobody uses is kept."""


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """Looks the host up, asks the guard, and connects to the address that was asked about: a name that means another
    address a moment later (DNS rebinding) changes nothing. The certificate is checked against the name.

    `keep` is how many connections may stay open for the next request to the same name and port; two names at one
    address never share one. Raises PrivateHost, OSError where the lookup fails, ValueError for what is no host, and
    httpx2's exceptions.
    """

    def __init__(self, guard: Guard, *, context: ssl.SSLContext | None = None, keep: int = 0) -> None:
        super().__init__(verify=context or _context(), trust_env=False)
        # httpx makes its pool without a way to say how connections are made; its own is empty yet.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context or _context(),
            max_connections=AT_ONCE,
            max_keepalive_connections=keep,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=_Guarded(guard),
        )


class _Guarded(httpcore2.AsyncNetworkBackend):
    """Makes the connections of a pool."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Tries the addresses of the host in turn, as long as none could be connected to."""
        refused: Exception | None = None
        for address in await resolve(host, port, self._guard):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refused = error
        raise refused or OSError("the host has no address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    """Not the one that mail shares: httpcore writes its ALPN protocols into it."""
    return trusting_context.__wrapped__()
