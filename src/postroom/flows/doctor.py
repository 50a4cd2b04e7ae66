"""The doctor's visit: candidates tried in order, both directions at once, until one serves. It saves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from postroom.core.candidates import Candidate
from postroom.core.diagnosis import Action
from postroom.core.mailbox import Credential, Direction, Endpoint
from postroom.flows.probe import Connection, OnStep, Probe, Prober, Report

MOST_TRIES = 4
"""Ways of one direction that are tried: each may take a probe's whole time."""
LAST_START = 20.0
"""Seconds after which no further way is begun: a visit ends within this and one probe's time."""
PROGRESS = ("resolve", "connect", "tls", "greeting", "capabilities", "starttls")
"""The steps before the sign-in, by how much it tells that they were reached."""
BEFORE_SIGN_IN = frozenset(PROGRESS)


@dataclass(frozen=True, slots=True)
class Way:
    """Where one direction may be served, and where that is from: a candidate's source, or `options`."""

    endpoint: Endpoint
    source: str


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways of both directions, best first; a direction without any cannot be tried."""

    imap: tuple[Way, ...]
    smtp: tuple[Way, ...]


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
        """For each direction the way that serves; else the one whose failure tells most."""
        return _chosen(self.imap), _chosen(self.smtp)

    @property
    def report(self) -> Report:
        return Report(
            *(_with_others(one, tried) for one, tried in zip(self.chosen, (self.imap, self.smtp), strict=True))
        )


def ways(candidates: Iterable[Candidate], direction: Direction) -> list[Way]:
    """Each server once, best first. Another user name at the same server is no other way: it fails alike."""
    found: dict[tuple[str, int, str], Way] = {}
    for one in candidates:
        endpoint = one.imap if direction is Direction.IMAP else one.smtp
        found.setdefault((endpoint.host, endpoint.port, endpoint.security), Way(endpoint, one.source))
    return list(found.values())


def ways_of(
    candidates: Iterable[Candidate],
    imap: Endpoint | None = None,
    smtp: Endpoint | None = None,
    username: str | None = None,
) -> Ways:
    """What is given by name, or else what was found, signed in to as `username` where that is given."""
    found = tuple(candidates)

    def of(direction: Direction, given: Endpoint | None) -> tuple[Way, ...]:
        if given is not None:
            return (Way(given, "options"),)
        named = ways(found, direction)
        return tuple(
            replace(one, endpoint=replace(one.endpoint, username=username or one.endpoint.username)) for one in named
        )

    return Ways(of(Direction.IMAP, imap), of(Direction.SMTP, smtp))


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose connection is looked at. Without `sign_in` every step before the sign-in is tried."""

    address: str
    credential: Credential
    ca_certificate: str | None = None
    folders: tuple[str, ...] = ("INBOX",)
    sign_in: bool = True
    aliases: tuple[str, ...] = ()

    def connection(self, imap: Way, smtp: Way) -> Connection:
        ends = imap.endpoint, smtp.endpoint
        return Connection(self.address, "", *ends, self.credential, self.ca_certificate, aliases=self.aliases)


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
        *,
        in_turn: bool = False,
    ) -> Visit:
        """Tries both directions at once, each until a way leads to the sign-in: what fails from there on is not the
        settings' fault, and a password refused once is not shown to another server. `on_next` is told of each way
        after the first. It takes at most LAST_START and a probe's seconds.

        `in_turn`: one direction after the other, and where receiving refuses the password sending is not signed in to;
        it takes twice as long."""
        connection = patient.connection(imap[0], smtp[0])

        async def receiving(way: Way) -> Probe:
            here = replace(connection, imap=way.endpoint)
            return await self._prober.receiving(here, patient.folders, on_step, sign_in=patient.sign_in)

        async def sending(way: Way) -> Probe:
            here = replace(connection, smtp=way.endpoint)
            return await self._prober.sending(here, on_step, sign_in=patient.sign_in and not refused)

        async def in_order(direction: Direction, given: Sequence[Way]) -> tuple[Tried, ...]:
            probe = receiving if direction is Direction.IMAP else sending
            tried: list[Tried] = []
            began = asyncio.get_running_loop().time()
            for way in given[:MOST_TRIES]:
                if tried and asyncio.get_running_loop().time() - began > LAST_START:
                    break
                if tried and on_next is not None:
                    on_next(direction, way)
                tried.append(Tried(way, await probe(way)))
                if leads_to_the_sign_in(tried[-1].probe):
                    break
            return tuple(tried)

        refused = False
        if in_turn:
            received = await in_order(Direction.IMAP, imap)
            judged = _chosen(received).probe.diagnosis
            refused = judged is not None and judged.action is Action.REAUTHENTICATE
            sent = await in_order(Direction.SMTP, smtp)
        else:
            received, sent = await asyncio.gather(in_order(Direction.IMAP, imap), in_order(Direction.SMTP, smtp))
        return Visit(received, sent, (*imap[len(received) :], *smtp[len(sent) :]))


def _chosen(tried: tuple[Tried, ...]) -> Tried:
    return next((one for one in tried if leads_to_the_sign_in(one.probe)), None) or max(tried, key=_tells)


def _tells(tried: Tried) -> tuple[bool, int]:
    """How much a failure says: more where something names that server than where it was guessed, more the further it
    came. Of those alike, the first is the most trusted."""
    last = tried.probe.steps[-1].name if tried.probe.steps else "resolve"
    return tried.way.source != "guess", PROGRESS.index(last) if last in PROGRESS else len(PROGRESS)


def _with_others(chosen: Tried, tried: tuple[Tried, ...]) -> Probe:
    return replace(chosen.probe, others=tuple(one.probe for one in tried if one is not chosen))


def leads_to_the_sign_in(probe: Probe) -> bool:
    """Whether the settings are right as far as the sign-in. False also where none is offered: that port is for
    something else."""
    if probe.diagnosis is None:
        return True
    last = probe.steps[-1].name if probe.steps else "resolve"
    return last not in BEFORE_SIGN_IN and probe.diagnosis.code != "server_misconfigured"
