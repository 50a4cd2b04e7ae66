"""Looks for the settings of an address in every way at once. It tries no settings: a probe does."""

from __future__ import annotations

import asyncio
import re

import dns.asyncresolver
import httpx2
import structlog

from postroom.core import provider
from postroom.core.candidates import Candidate, from_provider, guesses, merge
from postroom.wire.discovery import autoconfig
from postroom.wire.discovery.records import Records
from postroom.wire.http import GuardedTransport
from postroom.wire.resolve import Guard, PrivateHost, ascii_host

log = structlog.get_logger()

LARGEST = 64 * 1024
"""Bytes of a settings file; real ones have 1 to 5 KB."""
_DOMAIN = re.compile(r"(?!.{254})([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)


class Discovery:
    """`DiscoveryWire`. `seconds` bounds each request and lookup; `resolver` and `transport` are the network."""

    def __init__(
        self,
        guard: Guard,
        *,
        seconds: float = 5,
        resolver: dns.asyncresolver.Resolver | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._seconds = seconds
        self._records = Records(resolver, seconds)
        self._client = httpx2.AsyncClient(
            transport=transport or GuardedTransport(guard),
            timeout=seconds,
            follow_redirects=True,
            max_redirects=3,
            trust_env=False,
            headers={"user-agent": "Postroom", "accept-encoding": "identity"},
            event_hooks={"request": [_only_https]},
        )

    async def discover(self, address: str) -> list[Candidate]:
        """Best first; empty for what is no address. An address of a provider's own domain is answered from the table
        without asking anyone. Never raises for what the network does: what fails is logged and finds nothing."""
        address = address.strip()
        domain = _domain_of(address)
        if domain is None:
            return []
        known = provider.by_domain(domain)
        if known is not None and (settings := from_provider(address, known)):
            return merge(address, settings)
        # Each request and lookup is bounded by itself, all in parallel: a silent one takes nothing with it.
        found = await asyncio.gather(
            self._autoconfig(address, domain),
            self._records.services(domain, address),
            self._mail_exchangers(address, domain),
            self._guesses(address),
        )
        return merge(address, *found)

    async def close(self) -> None:
        """Drops the connections."""
        await self._client.aclose()

    async def _autoconfig(self, address: str, domain: str) -> list[Candidate]:
        """The first place that has a usable file; both are asked at once."""
        places = autoconfig.urls(address, domain)
        files = await asyncio.gather(*(self._fetched(url, query) for url, query in places))
        for document in files:
            if document is None:
                continue
            try:
                if settings := autoconfig.candidates(document, address):
                    return settings
            except autoconfig.NotAutoconfig as error:
                log.info("autoconfig is not usable", domain=domain, error=str(error))
        return []

    async def _fetched(self, url: str, query: dict[str, str]) -> bytes | None:
        try:
            async with asyncio.timeout(self._seconds), self._client.stream("GET", url, params=query) as response:
                return await _read(response) if response.status_code == 200 else None
        except (httpx2.HTTPError, httpx2.InvalidURL, PrivateHost, OSError, ValueError) as error:
            log.debug("no autoconfig here", url=url, error=f"{type(error).__name__}: {error}")
            return None

    async def _mail_exchangers(self, address: str, domain: str) -> list[Candidate]:
        for host in await self._records.mail_exchangers(domain):
            known = provider.by_mx(host)
            if known is not None:
                return from_provider(address, known, "mx")
        return []

    async def _guesses(self, address: str) -> list[Candidate]:
        possible = guesses(address)
        hosts = {host for one in possible for host in (one.imap.host, one.smtp.host)}
        there = await self._records.existing(hosts)
        return [one for one in possible if one.imap.host in there and one.smtp.host in there]


async def _read(response: httpx2.Response) -> bytes:
    document = b""
    async for piece in response.aiter_raw():
        document += piece
        if len(document) > LARGEST:
            raise ValueError(f"the settings file has more than {LARGEST} bytes")
    return document


async def _only_https(request: httpx2.Request) -> None:
    if request.url.scheme != "https":
        raise httpx2.UnsupportedProtocol("settings are taken over HTTPS only")


def _domain_of(address: str) -> str | None:
    """The domain in ASCII; None for what is no address of a domain."""
    local, _, domain = address.rpartition("@")
    try:
        plain = ascii_host(domain)
    except ValueError:
        return None
    return plain if local and _DOMAIN.fullmatch(plain) else None
