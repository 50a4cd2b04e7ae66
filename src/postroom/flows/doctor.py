"""The doctor's visit: candidates tried in order, both directions at once, until one serves. It saves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from postroom.core.candidates import Candidate
from postroom.core.mailbox import Credential, Direction, Endpoint
from postroom.flows.probe import Connection, OnStep, Probe, Prober, Report

MOST_TRIES = 4
"""Ways of one direction that are tried: each may take a probe's whole time."""
BEFORE_SIGN_IN = frozenset({"resolve", "connect", "tls", "greeting", "capabilities", "starttls"})


@dataclass(frozen=True, slots=True)
class Way:
    """Where one direction may be served, and where that is from: a candidate's source, or `options`."""

    endpoint: Endpoint
    source: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A way and what came of it."""

    way: Way
    probe: Probe


@dataclass(frozen=True, slots=True)
class Visit:
    """What was tried, in order, and what was left untried; at least one way of each direction."""

    imap: tuple[Tried, ...]
    smtp: tuple[Tried, ...]
    untried: tuple[Way, ...] = ()

    @property
    def chosen(self) -> tuple[Tried, Tried]:
        """For each direction the way that serves; else the first, for it is the most trusted."""
        return _chosen(self.imap), _chosen(self.smtp)

    @property
    def report(self) -> Report:
        imap, smtp = self.chosen
        return Report(imap.probe, smtp.probe)


def ways(candidates: Iterable[Candidate], direction: Direction) -> list[Way]:
    """Each server once, best first. Another user name at the same server is no other way: it fails alike."""
    found: dict[tuple[str, int, str], Way] = {}
    for one in candidates:
        endpoint = one.imap if direction is Direction.IMAP else one.smtp
        found.setdefault((endpoint.host, endpoint.port, endpoint.security), Way(endpoint, one.source))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose connection is looked at. Without `sign_in` every step before the sign-in is tried."""

    address: str
    credential: Credential
    ca_certificate: str | None = None
    folders: tuple[str, ...] = ("INBOX",)
    sign_in: bool = True

    def connection(self, imap: Way, smtp: Way) -> Connection:
        return Connection(self.address, "", imap.endpoint, smtp.endpoint, self.credential, self.ca_certificate)


OnTry = Callable[[Direction, Way], None]


class Doctor:
    """Tries ways in order."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    async def visit(
        self,
        patient: Patient,
        imap: Sequence[Way],
        smtp: Sequence[Way],
        on_step: OnStep | None = None,
        on_next: OnTry | None = None,
    ) -> Visit:
        """Tries both directions at once, each until a way leads to the sign-in: what fails from there on is not the
        settings' fault, and a password refused once is not shown to another server. `on_next` is told of each way
        after the first."""
        connection = patient.connection(imap[0], smtp[0])

        async def receiving(way: Way) -> Probe:
            here = replace(connection, imap=way.endpoint)
            return await self._prober.receiving(here, patient.folders, on_step, sign_in=patient.sign_in)

        async def sending(way: Way) -> Probe:
            return await self._prober.sending(replace(connection, smtp=way.endpoint), on_step, sign_in=patient.sign_in)

        async def in_order(direction: Direction, given: Sequence[Way]) -> tuple[Tried, ...]:
            probe = receiving if direction is Direction.IMAP else sending
            tried: list[Tried] = []
            for way in given[:MOST_TRIES]:
                if tried and on_next is not None:
                    on_next(direction, way)
                tried.append(Tried(way, await probe(way)))
                if _leads_to_the_sign_in(tried[-1].probe):
                    break
            return tuple(tried)

        received, sent = await asyncio.gather(in_order(Direction.IMAP, imap), in_order(Direction.SMTP, smtp))
        return Visit(received, sent, (*imap[len(received) :], *smtp[len(sent) :]))


def _chosen(tried: tuple[Tried, ...]) -> Tried:
    return next((one for one in tried if _leads_to_the_sign_in(one.probe)), tried[0])


def _leads_to_the_sign_in(probe: Probe) -> bool:
    """False also where no sign-in is offered: that port is for something else."""
    if probe.diagnosis is None:
        return True
    last = probe.steps[-1].name if probe.steps else "resolve"
    return last not in BEFORE_SIGN_IN and probe.diagnosis.code != "server_misconfigured"
