"""Settings that may serve an address, best first. It looks nothing up: wire does, and hands in what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postroom.core.mailbox import Endpoint, Security
from postroom.core.provider import GENERIC, Provider, of

SOURCES = ("provider", "autoconfig", "srv", "mx", "guess")
"""Where a candidate can come from, the most trusted first."""
MOST = 12
"""Candidates that are worth a try: each wrong one costs a person seconds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to reach an address. `source` is where it comes from: provider, autoconfig, srv, mx or guess."""

    imap: Endpoint
    smtp: Endpoint
    provider: str
    source: str


def from_provider(address: str, provider: Provider, source: str = "provider") -> list[Candidate]:
    """The provider's own settings; several where it has regions or ways to write the user name. None for generic."""
    sites = provider.sites_for(_domain(address))
    return [Candidate(one.imap.endpoint(address), one.smtp.endpoint(address), provider.key, source) for one in sites]


def guesses(address: str) -> list[Candidate]:
    """The usual hosts of the address's own domain, TLS before STARTTLS (RFC 8314 3), never unprotected."""
    domain = _domain(address)
    if not domain:
        return []
    pairs = [(f"imap.{domain}", f"smtp.{domain}"), (f"mail.{domain}", f"mail.{domain}"), (domain, domain)]
    ways = [
        ((993, Security.TLS), (465, Security.TLS)),
        ((993, Security.TLS), (587, Security.STARTTLS)),
        ((143, Security.STARTTLS), (587, Security.STARTTLS)),
    ]
    return [
        Candidate(Endpoint(imap, *receive, address), Endpoint(smtp, *send, address), GENERIC.key, "guess")
        for receive, send in ways
        for imap, smtp in pairs
    ]


def merge(address: str, *found: Iterable[Candidate]) -> list[Candidate]:
    """All candidates by trust in their source, each way once, at most MOST; within a source the order stays.

    One found by a domain's own records gets the provider that its host shows.
    """
    ranked = sorted((one for some in found for one in some), key=lambda one: _rank(one.source))
    best: dict[tuple[Endpoint, Endpoint], Candidate] = {}
    for one in ranked:
        known = one.provider if one.provider != GENERIC.key else of(address, one.imap.host).key
        best.setdefault((one.imap, one.smtp), Candidate(one.imap, one.smtp, known, one.source))
    return list(best.values())[:MOST]


def _rank(source: str) -> int:
    return SOURCES.index(source) if source in SOURCES else len(SOURCES)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip().rstrip(".").lower()
