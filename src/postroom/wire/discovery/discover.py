"""Looks for the settings of an address in every way at once. It tries no settings: a probe does."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time

import dns.asyncresolver
import httpx2
import structlog

from postroom.core import provider
from postroom.core.candidates import Candidate, from_provider, guesses, merge
from postroom.core.discovered import Discovered, Lookup, Outcome, in_order
from postroom.wire.discovery import autoconfig
from postroom.wire.discovery.records import OnLookup, Records
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

    async def discover(self, address: str) -> Discovered:
        """Best first; empty for what is no address. An address of a provider's own domain is answered from the table
        without asking anyone. Never raises for what the network does: what fails is told as a lookup that failed."""
        address = address.strip()
        domain = _domain_of(address)
        if domain is None:
            return Discovered()
        known = provider.by_domain(domain)
        if known is not None and (settings := from_provider(address, known)):
            lookup = Lookup("provider", domain, Outcome.FOUND, known.name)
            return Discovered(tuple(merge(address, settings)), (lookup,))
        lookups = [Lookup("provider", domain, Outcome.NOTHING, "not in the built-in table")]
        # Each request and lookup is bounded by itself, all in parallel: a silent one takes nothing with it.
        found = await asyncio.gather(
            self._autoconfig(address, domain, lookups.append),
            self._records.services(domain, address, lookups.append),
            self._mail_exchangers(address, domain, lookups.append),
            self._guesses(address, lookups.append),
        )
        return Discovered(tuple(merge(address, *found)), in_order(lookups))

    async def close(self) -> None:
        """Drops the connections."""
        await self._client.aclose()

    async def _autoconfig(self, address: str, domain: str, on_lookup: OnLookup) -> list[Candidate]:
        """The first place that has a usable file; both are asked at once."""
        places = autoconfig.urls(address, domain)
        files = await asyncio.gather(*(self._settings(url, query, address) for url, query in places))
        for lookup, _ in files:
            on_lookup(lookup)
        return next((settings for _, settings in files if settings), [])

    async def _settings(self, url: str, query: dict[str, str], address: str) -> tuple[Lookup, list[Candidate]]:
        began = time.perf_counter()

        def told(outcome: Outcome, detail: str) -> Lookup:
            return Lookup("autoconfig", url, outcome, detail, (time.perf_counter() - began) * 1000)

        try:
            async with asyncio.timeout(self._seconds), self._client.stream("GET", url, params=query) as response:
                if response.status_code != 200:
                    return told(Outcome.NOTHING, f"the web server answered {response.status_code}"), []
                document = await _read(response)
            settings = autoconfig.candidates(document, address)
        except autoconfig.NotAutoconfig as error:
            # Many web servers answer every address with their front page: that is no broken settings file.
            return told(Outcome.NOTHING, f"what is there is no settings file: {error}"), []
        except (httpx2.HTTPError, httpx2.InvalidURL, PrivateHost, OSError, ValueError) as error:
            log.debug("no autoconfig here", url=url, error=f"{type(error).__name__}: {error}")
            return told(*self._judged(error)), []
        if not settings:
            return told(Outcome.NOTHING, "the file names no servers that can be used with TLS"), []
        return told(Outcome.FOUND, "a settings file"), settings

    def _judged(self, error: Exception) -> tuple[Outcome, str]:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Outcome.FAILED, f"the certificate was refused: {cause.verify_message}"
            if isinstance(cause, socket.gaierror):
                absent = cause.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
                return (Outcome.ABSENT, "there is no such name") if absent else (Outcome.FAILED, str(cause.strerror))
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, (TimeoutError, httpx2.TimeoutException)):
            return Outcome.FAILED, f"no answer within {self._seconds:g} seconds"
        if isinstance(error, httpx2.ConnectError):
            return Outcome.NOTHING, "nothing answers there"  # most domains have no web server for it
        return Outcome.FAILED, f"{type(error).__name__}: {error}"

    async def _mail_exchangers(self, address: str, domain: str, on_lookup: OnLookup) -> list[Candidate]:
        asked, hosts = await self._records.mail_exchangers(domain)
        known = next((known for host in hosts if (known := provider.by_mx(host)) is not None), None)
        said = f"{hosts[0]}: {known.name if known else 'no known provider'}" if hosts else "no mail is taken there"
        on_lookup(asked.told("mx", said, found=known is not None))
        return from_provider(address, known, "mx") if known else []

    async def _guesses(self, address: str, on_lookup: OnLookup) -> list[Candidate]:
        possible = guesses(address)
        hosts = {host for one in possible for host in (one.imap.host, one.smtp.host)}
        there = await self._records.existing(hosts, on_lookup)
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
