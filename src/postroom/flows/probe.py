"""A try of every step of both directions, saving nothing. What follows from it is connect's and recover's work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from postroom.core import provider
from postroom.core.diagnosis import Diagnosis, Failure, diagnose, settled
from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.mailbox import Account, Credential, Direction, Endpoint, signs_in_as_another
from postroom.core.ports.wire import Answer, ImapSession, ImapWire, SmtpSession, SmtpWire, Step
from postroom.core.settings import neighbours

SECONDS = 14.0
"""For all steps of one direction: a failure is told within 15 seconds, the way to the person included."""
FAREWELL = 1.0
"""Seconds that a server may take over good-bye when all is known."""
NEIGHBOURS = 4.0
"""Seconds for a look at the other ports and securities of a server whose settings do not fit."""
READ = "r"
"""The right to SELECT a folder and read its messages (RFC 4314 2.1)."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What is needed to try a mailbox."""

    address: str
    name: str
    imap: Endpoint
    smtp: Endpoint
    credential: Credential
    ca_certificate: str | None = None
    saved: bool = False
    """Whether the mailbox is connected with this: what fails is then tried again by itself."""
    aliases: tuple[str, ...] = ()
    """Other addresses that are to be sent from."""

    def account(self, direction: Direction) -> Account:
        endpoint = self.imap if direction is Direction.IMAP else self.smtp
        known = provider.of(self.address, self.imap.host).key
        return Account(direction, endpoint, self.credential, known, self.ca_certificate)


@dataclass(frozen=True, slots=True)
class Probe:
    """A try of every step of one direction at `endpoint`. `others` are the ways that were tried beside this one.
    `refused` are the aliases that the server will not let us send from: that stops no mailbox."""

    direction: Direction
    steps: tuple[Step, ...]
    diagnosis: Diagnosis | None = None
    endpoint: Endpoint | None = None
    others: tuple[Probe, ...] = ()
    refused: tuple[tuple[str, Diagnosis], ...] = ()

    @property
    def ok(self) -> bool:
        return self.diagnosis is None


@dataclass(frozen=True, slots=True)
class Report:
    """A try of both directions."""

    imap: Probe
    smtp: Probe

    @property
    def ok(self) -> bool:
        return self.imap.ok and self.smtp.ok

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Of the step that failed; receiving first."""
        return self.imap.diagnosis or self.smtp.diagnosis


OnStep = Callable[[Direction, Step], None]


def no_token(failure: Failure) -> Report:
    """The report where it came to no connection, because there is no access token to show."""
    probes = []
    for direction in Direction:
        evidence = replace(failure.evidence, direction=direction)
        step = Step("token", False, evidence.raw or evidence.exception or "", 0.0, evidence)
        probes.append(Probe(direction, (step,), diagnose(evidence)))
    return Report(*probes)


class Prober:
    """Tries connections. `seconds` bounds all steps of one direction together."""

    def __init__(self, imap: ImapWire, smtp: SmtpWire, *, seconds: float = SECONDS) -> None:
        self._imap = imap
        self._smtp = smtp
        self._seconds = seconds

    async def probe(
        self, connection: Connection, folders: tuple[str, ...] = ("INBOX",), on_step: OnStep | None = None
    ) -> Report:
        """Tries both directions at once, up to the sign-in and, for IMAP, the opening of each folder. Saves nothing."""
        imap, smtp = await asyncio.gather(
            self.receiving(connection, folders, on_step), self.sending(connection, on_step)
        )
        return Report(imap, smtp)

    async def receiving(
        self,
        connection: Connection,
        folders: tuple[str, ...] = ("INBOX",),
        on_step: OnStep | None = None,
        *,
        sign_in: bool = True,
    ) -> Probe:
        """IMAP up to the opening of each folder; of another's folders also what we may do there. Without `sign_in` up
        to the sign-in."""
        account = connection.account(Direction.IMAP)
        steps = _Steps(account, on_step, self._seconds, trial=not connection.saved)
        try:
            if not sign_in:
                await self._imap.reach(account, steps.keep)
                return steps.probe()
            session = await self._imap.open(account, steps.keep)
            try:
                shared = signs_in_as_another(connection.address, account.endpoint.username)
                for folder in folders:
                    if not shared:
                        await session.select(folder)
                        continue
                    await session.select(folder, read_only=False)  # EXAMINE would not tell what may be written
                    await _rights(session, folder, steps)
            finally:
                await _leave(session.logout())
        except Failure as failure:
            return await steps.failed(failure, self._imap)
        return steps.probe()

    async def sending(self, connection: Connection, on_step: OnStep | None = None, *, sign_in: bool = True) -> Probe:
        """SMTP up to the sign-in, and where that is another's, whether the address may be sent from. No message is
        sent. Without `sign_in` up to the sign-in."""
        account = connection.account(Direction.SMTP)
        steps = _Steps(account, on_step, self._seconds, trial=not connection.saved)
        try:
            if not sign_in:
                await self._smtp.reach(account, steps.keep)
                return steps.probe()
            session = await self._smtp.open(account, steps.keep)
            try:
                if signs_in_as_another(connection.address, account.endpoint.username):
                    await _sender(session, connection.address, connection.address, steps)
                for alias in connection.aliases:
                    await steps.alias(session, alias, connection.address)
            finally:
                await _leave(session.quit())
        except Failure as failure:
            return await steps.failed(failure, self._smtp)
        return steps.probe()


async def _rights(session: ImapSession, folder: str, steps: _Steps) -> None:
    """Raises Failure where the server says that the folder may not be read."""
    if "ACL" not in session.capabilities:
        return
    async with steps.step("rights", Stage.SELECT) as said:
        letters = await session.rights(folder)
        said.detail = f"{folder}: {letters}" if letters is not None else "the server does not say"
        if letters is not None and READ not in letters:
            raise steps.failure(
                Stage.SELECT,
                raw=f"MYRIGHTS {folder} {letters or 'none'}: no permission to read",
                response_code="NOPERM",
                folder=folder,
            )


async def _sender(session: SmtpSession, address: str, recipient: str, steps: _Steps) -> None:
    """Raises Failure where the server will not let us send from the address.

    Exchange lets any sender pass here and refuses the message itself (5.2.252 SendAsDenied), and a temporary refusal
    proves nothing.
    """
    async with steps.step("sender", Stage.MAIL) as said:
        answer = await session.offer(address, recipient)
        refusal = _refusal(answer)
        if refusal is None:
            said.detail = f"{address} is accepted as sender, as far as the server tells without a message"
            return
        said.detail = refusal.raw
        verdict = diagnose(refusal)
        permanent = (refusal.smtp_code or 0) >= 500
        # To a recipient much is refused that says nothing about the sender: a full mailbox, an unknown alias.
        if permanent and (refusal.stage is Stage.MAIL or verdict.code == "access_restricted"):
            raise Failure(refusal)


def _refusal(answer: Answer) -> Evidence | None:
    return next((one.evidence for one in (answer.sender, *answer.recipients.values()) if one.evidence), None)


async def _leave(farewell: Coroutine[None, None, None]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            await farewell


class _Said:
    detail = ""


class _Steps:
    """Keeps the steps of one direction, hands each on as it happens, and bounds those that flows take themselves."""

    def __init__(self, account: Account, on_step: OnStep | None, seconds: float, *, trial: bool) -> None:
        self._account = account
        self._trial = trial
        self._on_step = on_step
        self._steps: list[Step] = []
        self._refused: list[tuple[str, Diagnosis]] = []
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + seconds

    def keep(self, step: Step) -> None:
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(self._account.direction, step)

    @asynccontextmanager
    async def step(self, name: str, stage: Stage) -> AsyncIterator[_Said]:
        """One step: what it says for itself when it went well, or the Failure that ended it, which passes on."""
        said = _Said()
        began = self._loop.time()
        left = max(0.0, self._ends - began)
        try:
            try:
                async with asyncio.timeout(left):
                    yield said
            except TimeoutError as error:
                words = f"TimeoutError: no answer for {round(left, 1):g} seconds"
                raise self.failure(stage, raw=words, exception=words) from error
        except Failure as failure:
            words = failure.evidence.raw or failure.evidence.exception or ""
            self.keep(Step(name, False, words, self._milliseconds(began), failure.evidence))
            raise
        self.keep(Step(name, True, said.detail, self._milliseconds(began)))

    def failure(
        self,
        stage: Stage,
        *,
        raw: str,
        exception: str | None = None,
        response_code: str | None = None,
        folder: str | None = None,
    ) -> Failure:
        """What flows themselves found, as evidence."""
        endpoint = self._account.endpoint
        return Failure(
            Evidence(
                direction=self._account.direction,
                stage=stage,
                raw=raw,
                provider=self._account.provider,
                response_code=response_code,
                exception=exception,
                host=endpoint.host,
                port=endpoint.port,
                security=str(endpoint.security),
                username=endpoint.username,
                folder=folder,
            )
        )

    def probe(self, diagnosis: Diagnosis | None = None) -> Probe:
        refused = tuple(self._refused)
        return Probe(self._account.direction, tuple(self._steps), diagnosis, self._account.endpoint, refused=refused)

    async def alias(self, session: SmtpSession, alias: str, recipient: str) -> None:
        """Whether an alias may be sent from: a refusal is kept, and nothing else suffers. Raises Failure where the
        session breaks."""
        try:
            await _sender(session, alias, recipient, self)
        except Failure as failure:
            if session.closed:
                raise
            self._refused.append((alias, diagnose(failure.evidence, trial=self._trial)))

    async def failed(self, failure: Failure, wire: ImapWire | SmtpWire) -> Probe:
        """The probe that a failure ended. Where port and security do not fit each other, or nothing listens, it is
        seen in the time that is left which setting of the same server answers as it should."""
        diagnosis = diagnose(failure.evidence, trial=self._trial)
        left = min(NEIGHBOURS, self._ends - self._loop.time())
        if _misfit(failure.evidence) and left > 0:
            works = await _first(wire, self._account, neighbours(self._account.direction, self._account.endpoint), left)
            if works is not None:
                diagnosis = settled(diagnosis, works)
        return self.probe(diagnosis)

    def _milliseconds(self, began: float) -> float:
        return (self._loop.time() - began) * 1000


def _misfit(evidence: Evidence) -> bool:
    """Whether another port or security of the same server may serve: nothing listens, or what answers is not what the
    settings say. A server that is busy or whose certificate is refused is left alone."""
    if evidence.stage is Stage.CONNECT:
        return (evidence.exception or "").startswith("ConnectionRefusedError")
    if evidence.stage is Stage.TLS:
        return evidence.tls is not None and evidence.tls.fault == "plain_port"
    return diagnose(evidence).code == "server_misconfigured"


async def _first(
    wire: ImapWire | SmtpWire, account: Account, endpoints: tuple[Endpoint, ...], seconds: float
) -> Endpoint | None:
    """The first of the endpoints, in their order, that answers up to the sign-in within so many seconds; all are tried
    at once, and none is signed in to."""

    async def answers(endpoint: Endpoint) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await wire.reach(replace(account, endpoint=endpoint))
        except (Failure, TimeoutError):
            return False
        return True

    there = await asyncio.gather(*(answers(one) for one in endpoints))
    return next((one for one, found in zip(endpoints, there, strict=True) if found), None)
