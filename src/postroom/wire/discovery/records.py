"""Asks DNS about a mail domain: SRV, MX, addresses. It connects to no mail server."""

from __future__ import annotations

import asyncio

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import structlog
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.SRV import SRV

from postroom.core.candidates import Candidate
from postroom.core.mailbox import Endpoint, Security
from postroom.core.provider import GENERIC
from postroom.wire.resolve import ascii_host

log = structlog.get_logger()

# RFC 8314 5.1: what has TLS from the first byte is wanted more.
_IMAP = (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS))
_SMTP = (("_submissions._tcp", Security.TLS), ("_submission._tcp", Security.STARTTLS))


class Records:
    """The lookups, by one resolver, each for at most `seconds`. One that fails is logged and finds nothing."""

    def __init__(self, resolver: dns.asyncresolver.Resolver | None, seconds: float) -> None:
        self._given = resolver
        self._seconds = seconds

    async def services(self, domain: str, username: str) -> list[Candidate]:
        """What the domain's SRV records name (RFC 6186, 8314); nothing unless both directions are there."""
        imap, smtp = await asyncio.gather(
            self._first_service(domain, _IMAP, username), self._first_service(domain, _SMTP, username)
        )
        return [Candidate(receive, send, GENERIC.key, "srv") for receive in imap for send in smtp]

    async def mail_exchangers(self, domain: str) -> list[str]:
        """Host names of the domain's MX records (RFC 5321 5.1), most preferred first."""
        found = [one for one in await self._ask(domain, dns.rdatatype.MX) if isinstance(one, MX)]
        ranked = sorted(found, key=lambda one: one.preference)
        return [host for one in ranked if (host := _host(one.exchange)) is not None]

    async def existing(self, hosts: set[str]) -> set[str]:
        """Those that have an IPv4 or IPv6 address."""
        ordered = sorted(hosts)
        there = await asyncio.gather(*(self._exists(host) for host in ordered))
        return {host for host, found in zip(ordered, there, strict=True) if found}

    async def _first_service(
        self, domain: str, services: tuple[tuple[str, Security], ...], username: str
    ) -> list[Endpoint]:
        for answer in await asyncio.gather(
            *(self._service(f"{name}.{domain}", way, username) for name, way in services)
        ):
            if answer:
                return answer[:1]
        return []

    async def _service(self, name: str, security: Security, username: str) -> list[Endpoint]:
        found = [one for one in await self._ask(name, dns.rdatatype.SRV) if isinstance(one, SRV)]
        ranked = sorted(found, key=lambda one: (one.priority, -one.weight))
        # A target of "." says that the service is not there at all (RFC 2782), a port of 0 nothing.
        return [
            Endpoint(host, one.port, security, username)
            for one in ranked
            if one.port and (host := _host(one.target)) is not None
        ]

    async def _exists(self, host: str) -> bool:
        try:
            name = ascii_host(host)
        except ValueError:
            return False
        return any(await asyncio.gather(self._ask(name, dns.rdatatype.A), self._ask(name, dns.rdatatype.AAAA)))

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[object]:
        try:
            # The resolver's own lifetime is exceeded by its pauses between tries.
            async with asyncio.timeout(self._seconds):
                answer = await self._resolver().resolve(
                    f"{name}.", kind, lifetime=self._seconds, search=False, raise_on_no_answer=False
                )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as error:
            log.info("lookup failed", name=name, kind=kind.name, error=f"{type(error).__name__}: {error}")
            return []
        return list(answer)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._given is None:
            self._given = dns.asyncresolver.Resolver()
        return self._given


def _host(name: dns.name.Name) -> str | None:
    text = name.to_text(omit_final_dot=True).lower()
    plain = all(character.isascii() and (character.isalnum() or character in "-_.") for character in text)
    return text if plain and text.strip(".") else None
