"""Connecting many mailboxes: side by side within each provider's budget, each address alone. It reads no file."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import structlog

from postroom.core import provider
from postroom.core.diagnosis import Action, Diagnosis
from postroom.core.discovered import Discovered
from postroom.core.health import is_common
from postroom.core.mailbox import Credential, Endpoint, UnconfirmedPolicy
from postroom.core.ports.store import AddressTaken, Store, StoreUnavailable
from postroom.core.ports.wire import DiscoveryWire
from postroom.flows.connect import Connect, NewMailbox, NotConnected
from postroom.flows.doctor import Way, Ways, leads_to_the_sign_in, ways_of
from postroom.flows.probe import Connection, Probe, Report

log = structlog.get_logger()

AT_ONCE = 16
"""Mailboxes that are tried at the same time, at all providers together."""
RESTS = (3.0, 12.0)
"""Seconds before a mailbox is tried again whose failure was a passing one. It keeps its place at its server for so
long, so that a server that has too many connections gets fewer."""


class Outcome(StrEnum):
    """What became of one mailbox. `present`: it was connected before. `untried`: its provider was given up, or the run
    was ended."""

    CONNECTED = "connected"
    PRESENT = "present"
    FAILED = "failed"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Applicant:
    """A mailbox that is to be connected, and the line that names it. An endpoint that is None is looked up; `username`
    is what is signed in with there, the address unless given."""

    line: int
    address: str
    credential: Credential
    name: str = ""
    imap: Endpoint | None = None
    smtp: Endpoint | None = None
    username: str | None = None
    ca_certificate: str | None = None
    hold_hours: int = 72
    folders: tuple[str, ...] = ("INBOX",)
    reference: str | None = None
    unconfirmed: UnconfirmedPolicy = UnconfirmedPolicy.ASK
    sync_days: int | None = 30

    def mailbox(self, ways: Ways) -> NewMailbox:
        connection = Connection(
            address=self.address,
            name=self.name,
            imap=ways.imap[0].endpoint,
            smtp=ways.smtp[0].endpoint,
            credential=self.credential,
            ca_certificate=self.ca_certificate,
        )
        return NewMailbox(
            connection,
            self.hold_hours,
            self.folders,
            self.reference,
            self.unconfirmed,
            sync_days=self.sync_days,
        )


@dataclass(frozen=True, slots=True)
class Why:
    """Why a mailbox was not connected: `code` of the catalogue or one of ours, the words for a person, the first thing
    to do."""

    code: str
    message: str
    first_step: str = ""

    @classmethod
    def of(cls, diagnosis: Diagnosis) -> Why:
        return cls(diagnosis.name, diagnosis.message, next(iter(diagnosis.steps), ""))


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mailbox; `why` where it is not connected."""

    applicant: Applicant
    outcome: Outcome
    why: Why | None = None
    mailbox_id: str | None = None


class Refusals(Protocol):
    """Sign-ins that were refused, over more than one run: the same one again may lock the account."""

    def known(self, applicant: Applicant) -> Why | None: ...
    def note(self, applicant: Applicant, why: Why) -> None: ...


@dataclass(slots=True)
class _Domain:
    """What is known of where a domain's mailboxes are. Its first mailbox is tried alone, for the others to follow."""

    found: Discovered | None = None
    asked_for: str = ""
    scouted: bool = False
    serving: tuple[Endpoint | None, Endpoint | None] = (None, None)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)


class Bulk:
    """Connects many mailboxes. `rests` are the waits before a passing failure is met again, in seconds."""

    def __init__(
        self,
        store: Store,
        connect: Connect,
        discovery: DiscoveryWire,
        refusals: Refusals,
        *,
        at_once: int = AT_ONCE,
        rests: Sequence[float] = RESTS,
    ) -> None:
        self._store = store
        self._connect = connect
        self._discovery = discovery
        self._refusals = refusals
        self._rests = tuple(rests)
        self._all = asyncio.Semaphore(at_once)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._domains: dict[str, _Domain] = defaultdict(_Domain)
        self._tried: Counter[str] = Counter()
        self._failed: Counter[tuple[str, str]] = Counter()
        self.given_up: dict[str, Why] = {}
        """Providers, or hosts of none that is known, at which nothing more is tried."""

    async def run(self, applicants: Iterable[Applicant], on_result: Callable[[Result], None]) -> None:
        """Tries each, and tells of each as it is done. When cancelled, those under way are ended, whole or not at all,
        and CancelledError is raised. Raises StoreUnavailable; what is connected stays so."""
        try:
            async with asyncio.TaskGroup() as group:
                for one in applicants:
                    group.create_task(self._told(one, on_result), name=f"import line {one.line}")
        except BaseExceptionGroup as faults:
            raise faults.exceptions[0] from None

    async def _told(self, one: Applicant, on_result: Callable[[Result], None]) -> None:
        try:
            result = await self._judged(one)
        except StoreUnavailable:
            raise
        except Exception as fault:  # one mailbox must not end the others
            log.exception("an import broke by a fault of ours", line=one.line)
            result = Result(one, Outcome.FAILED, Why("fault", f"Postroom itself failed here: {type(fault).__name__}"))
        on_result(result)

    async def _judged(self, one: Applicant) -> Result:
        if await self._store.mailbox_by_address(one.address) is not None:
            return Result(one, Outcome.PRESENT)
        if (before := self._refusals.known(one)) is not None:
            return Result(one, Outcome.FAILED, before)
        if one.imap is not None and one.smtp is not None:
            return await self._visited(one, ways_of((), one.imap, one.smtp))
        # Asked once, however its capitals are written.
        domain = self._domains[one.address.rpartition("@")[2].casefold()]
        async with domain.alone:
            if domain.found is None:
                async with self._all:
                    domain.found, domain.asked_for = await self._discovery.discover(one.address), one.address
            ways = _ways(one, domain, domain.found)
            if not (ways.imap and ways.smtp):
                return Result(one, Outcome.FAILED, _nothing_found(one, domain.found))
            if not domain.scouted:
                domain.scouted = True
                return await self._visited(one, ways, domain)
        return await self._visited(one, _ways(one, domain, domain.found))

    async def _visited(self, one: Applicant, ways: Ways, domain: _Domain | None = None) -> Result:
        """One mailbox within the budget of where it is. `domain` learns which of the ways serve."""
        places = _places(one, ways)
        async with self._place(places):
            failure: NotConnected | None = None
            for rest in (0.0, *self._rests):
                if (why := self._gave_up(places)) is not None:
                    return Result(one, Outcome.UNTRIED, why)
                await asyncio.sleep(rest)
                try:
                    async with self._all:
                        view = await self._connect.add(one.mailbox(ways), ways=ways, in_turn=True)
                except AddressTaken:  # by somebody else, meanwhile
                    return Result(one, Outcome.PRESENT)
                except NotConnected as refused:
                    _learn(domain, refused.report.imap, refused.report.smtp)
                    if failure is None:
                        self._count(places, refused.report.diagnosis)
                    failure = refused
                    if not _passing(refused.report):
                        break
                else:
                    self._count(places, None)
                    if domain is not None:
                        domain.serving = view.mailbox.imap, view.mailbox.smtp
                    return Result(one, Outcome.CONNECTED, mailbox_id=view.mailbox.id)
        return self._refused(one, failure)

    def _refused(self, one: Applicant, failure: NotConnected | None) -> Result:
        diagnosis = failure.report.diagnosis if failure else None
        if failure is None or diagnosis is None:
            raise RuntimeError("a mailbox that was not connected has no diagnosis")
        why = Why.of(diagnosis)
        for probe in (failure.report.imap, failure.report.smtp):
            if probe.diagnosis is not None and probe.diagnosis.action is Action.REAUTHENTICATE:
                self._refusals.note(one, Why.of(probe.diagnosis))
        return Result(one, Outcome.FAILED, why)

    @asynccontextmanager
    async def _place(self, places: Sequence[str]) -> AsyncIterator[None]:
        """A place at each of the servers; always asked for in the same order, so that none waits for another."""
        if not places:
            yield
            return
        known = provider.by_key(places[0])
        budget = min(known.connections, known.smtp_connections)
        async with self._hosts.setdefault(places[0], asyncio.Semaphore(budget)), self._place(places[1:]):
            yield

    def _count(self, places: Sequence[str], diagnosis: Diagnosis | None) -> None:
        """Where many fail alike, the fault is not theirs: the others are spared a failed sign-in each."""
        for place in places:
            self._tried[place] += 1
            if diagnosis is None:
                continue
            self._failed[place, diagnosis.name] += 1
            alike = self._failed[place, diagnosis.name]
            if place not in self.given_up and is_common(alike, self._tried[place]):
                told = f"{alike} of {self._tried[place]} mailboxes tried at {_name(place)} failed alike"
                first = next(iter(diagnosis.steps), "")
                self.given_up[place] = Why(
                    "provider_given_up", f"Not tried: {told} ({diagnosis.name}: {diagnosis.message})", first
                )

    def _gave_up(self, places: Sequence[str]) -> Why | None:
        return next((self.given_up[one] for one in places if one in self.given_up), None)


def _ways(one: Applicant, domain: _Domain, found: Discovered) -> Ways:
    """What was found for another address of the domain, with this one's user name; what served that one comes first."""
    theirs = domain.asked_for.rpartition("@")[0], one.address.rpartition("@")[0]

    def own(endpoint: Endpoint) -> Endpoint:
        name = endpoint.username
        if name.casefold() == domain.asked_for.casefold():
            return replace(endpoint, username=one.address)
        return replace(endpoint, username=theirs[1]) if name == theirs[0] else endpoint

    candidates = tuple(replace(each, imap=own(each.imap), smtp=own(each.smtp)) for each in found.candidates)
    ways = ways_of(candidates, one.imap, one.smtp, one.username)
    imap, smtp = domain.serving
    return Ways(_first(ways.imap, imap), _first(ways.smtp, smtp))


def _first(ways: tuple[Way, ...], serving: Endpoint | None) -> tuple[Way, ...]:
    if serving is None:
        return ways
    return tuple(sorted(ways, key=lambda one: replace(one.endpoint, username=serving.username) != serving))


def _learn(domain: _Domain | None, imap: Probe, smtp: Probe) -> None:
    if domain is not None:
        imap_end, smtp_end = (one.endpoint if leads_to_the_sign_in(one) else None for one in (imap, smtp))
        domain.serving = imap_end or domain.serving[0], smtp_end or domain.serving[1]


def _passing(report: Report) -> bool:
    """Whether another try may go well, and shows no password that was refused."""
    told = [one.diagnosis for one in (report.imap, report.smtp) if one.diagnosis is not None]
    return all(one.action is Action.RETRY for one in told)


def _places(one: Applicant, ways: Ways) -> tuple[str, ...]:
    """Whose budgets this mailbox takes of: its provider's key, or the hosts of no provider that is known."""
    imap, smtp = ways.imap[0].endpoint.host, ways.smtp[0].endpoint.host
    known = provider.of(one.address, imap)
    return (known.key,) if known is not provider.GENERIC else tuple(sorted({imap.lower(), smtp.lower()}))


def _name(place: str) -> str:
    known = provider.by_key(place)
    return place if known is provider.GENERIC else known.name


def _nothing_found(one: Applicant, found: Discovered) -> Why:
    step = "Name the servers in the columns imap_host and smtp_host, with _port and _security where they need it."
    return Why("no_server_found", found.why_nothing(one.address), step)
