"""HTTP to hosts that strangers name: connects only to addresses that the guard lets through. It knows no request."""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx2

from postroom.wire.resolve import Guard, resolve
from postroom.wire.tls import trusting_context

_PORTS = {"http": 80, "https": 443}


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Looks the host up, asks the guard, and connects to the address that was asked about: a name that means another
    address a moment later (DNS rebinding) changes nothing. The certificate is checked against the name.

    Raises PrivateHost, OSError where the lookup fails, ValueError for what is no host, and httpx2's exceptions.
    """

    def __init__(self, guard: Guard, *, context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._inner = httpx2.AsyncHTTPTransport(
            verify=context or _context(),
            trust_env=False,
            # No connection is used twice: they are told apart by address, and two names at one address would share one
            # whose certificate was checked for the first name only.
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Tries the addresses of the host in turn, as long as none could be connected to."""
        url = request.url
        if url.scheme not in _PORTS:
            raise httpx2.UnsupportedProtocol("the address must begin with https:// or http://")
        addresses = await resolve(url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme], self._guard)
        refused: httpx2.TransportError | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refused = error
        raise refused or OSError("the host has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    """Not the one that mail shares: httpcore writes its ALPN protocols into it."""
    return trusting_context.__wrapped__()


def _pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """The same request, Host header and all, to one address."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")},
    )
