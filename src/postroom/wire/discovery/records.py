"""Asks DNS about a mail domain: SRV, MX, addresses. It connects to no mail server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import structlog
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.SRV import SRV

from postroom.core.candidates import Candidate
from postroom.core.discovered import Lookup, Outcome
from postroom.core.mailbox import Endpoint, Security
from postroom.core.provider import GENERIC
from postroom.wire.resolve import ascii_host

log = structlog.get_logger()

# RFC 8314 5.1: what has TLS from the first byte is wanted more.
_IMAP = (("_imaps._tcp", Security.TLS), ("_imap._tcp", Security.STARTTLS))
_SMTP = (("_submissions._tcp", Security.TLS), ("_submission._tcp", Security.STARTTLS))


OnLookup = Callable[[Lookup], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one question. `detail` is there where no record came."""

    name: str
    kind: str
    records: tuple[object, ...]
    outcome: Outcome
    detail: str
    milliseconds: float

    def told(self, source: str, detail: str = "", *, found: bool = True) -> Lookup:
        """As a lookup; `found` False where records came but are none that help."""
        outcome = self.outcome if found or self.outcome is not Outcome.FOUND else Outcome.NOTHING
        return Lookup(source, f"{self.name} {self.kind}", outcome, self.detail or detail, self.milliseconds)


class Records:
    """The lookups, by one resolver, each for at most `seconds`. One that fails finds nothing, and is told as such."""

    def __init__(self, resolver: dns.asyncresolver.Resolver | None, seconds: float) -> None:
        self._given = resolver
        self._seconds = seconds

    async def services(self, domain: str, username: str, on_lookup: OnLookup) -> list[Candidate]:
        """What the domain's SRV records name (RFC 6186, 8314); nothing unless both directions are there."""
        imap, smtp = await asyncio.gather(
            self._first_service(domain, _IMAP, username, on_lookup),
            self._first_service(domain, _SMTP, username, on_lookup),
        )
        return [Candidate(receive, send, GENERIC.key, "srv") for receive in imap for send in smtp]

    async def mail_exchangers(self, domain: str) -> tuple[Asked, list[str]]:
        """Host names of the domain's MX records (RFC 5321 5.1), most preferred first."""
        asked = await self._ask(domain, dns.rdatatype.MX)
        ranked = sorted((one for one in asked.records if isinstance(one, MX)), key=lambda one: one.preference)
        return asked, [host for one in ranked if (host := _host(one.exchange)) is not None]

    async def existing(self, hosts: set[str], on_lookup: OnLookup) -> set[str]:
        """Those that have an IPv4 or IPv6 address."""
        ordered = sorted(hosts)
        there = await asyncio.gather(*(self._exists(host, on_lookup) for host in ordered))
        return {host for host, found in zip(ordered, there, strict=True) if found}

    async def _first_service(
        self, domain: str, services: tuple[tuple[str, Security], ...], username: str, on_lookup: OnLookup
    ) -> list[Endpoint]:
        for answer in await asyncio.gather(
            *(self._service(f"{name}.{domain}", way, username, on_lookup) for name, way in services)
        ):
            if answer:
                return answer[:1]
        return []

    async def _service(self, name: str, security: Security, username: str, on_lookup: OnLookup) -> list[Endpoint]:
        asked = await self._ask(name, dns.rdatatype.SRV)
        ranked = sorted(
            (one for one in asked.records if isinstance(one, SRV)), key=lambda one: (one.priority, -one.weight)
        )
        # A target of "." says that the service is not there at all (RFC 2782), a port of 0 nothing.
        ends = [
            Endpoint(host, one.port, security, username)
            for one in ranked
            if one.port and (host := _host(one.target)) is not None
        ]
        said = ", ".join(f"{one.host}:{one.port}" for one in ends) or "the service is not offered"
        on_lookup(asked.told("srv", said, found=bool(ends)))
        return ends

    async def _exists(self, host: str, on_lookup: OnLookup) -> bool:
        try:
            name = ascii_host(host)
        except ValueError:
            return False
        both = await asyncio.gather(self._ask(name, dns.rdatatype.A), self._ask(name, dns.rdatatype.AAAA))
        # A host with one address exists, whatever became of the question for the other kind.
        telling = next((one for one in both if one.records), max(both, key=lambda one: one.outcome is Outcome.FAILED))
        on_lookup(telling.told("guess", "the host exists"))
        return bool(telling.records)

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> Asked:
        began = time.perf_counter()

        def asked(outcome: Outcome, detail: str = "", records: tuple[object, ...] = ()) -> Asked:
            return Asked(name, kind.name, records, outcome, detail, (time.perf_counter() - began) * 1000)

        try:
            # The resolver's own lifetime is exceeded by its pauses between tries.
            async with asyncio.timeout(self._seconds):
                answer = await self._resolver().resolve(
                    f"{name}.", kind, lifetime=self._seconds, search=False, raise_on_no_answer=False
                )
        except dns.resolver.NXDOMAIN:
            return asked(Outcome.ABSENT, "there is no such name")
        except (dns.exception.DNSException, OSError) as error:
            log.info("lookup failed", name=name, kind=kind.name, error=f"{type(error).__name__}: {error}")
            return asked(Outcome.FAILED, self._words(error))
        records = tuple(answer)
        return asked(Outcome.FOUND, "", records) if records else asked(Outcome.NOTHING, "there is no such record")

    def _words(self, error: Exception) -> str:
        if isinstance(error, (TimeoutError, dns.exception.Timeout)):
            return f"no answer within {self._seconds:g} seconds"
        if isinstance(error, dns.resolver.NoNameservers):
            return "the name servers answered with an error"
        if isinstance(error, dns.resolver.NoResolverConfiguration):
            return "this machine has no DNS server set"
        return f"{type(error).__name__}: {error}"

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._given is None:
            self._given = dns.asyncresolver.Resolver()
        return self._given


def _host(name: dns.name.Name) -> str | None:
    text = name.to_text(omit_final_dot=True).lower()
    plain = all(character.isascii() and (character.isalnum() or character in "-_.") for character in text)
    return text if plain and text.strip(".") else None
