"""A try of every step of both directions, saving nothing. What follows from it is connect's and recover's work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from postroom.core import provider
from postroom.core.diagnosis import Diagnosis, Failure, diagnose
from postroom.core.mailbox import Account, Credential, Direction, Endpoint
from postroom.core.ports.wire import ImapWire, SmtpWire, Step


@dataclass(frozen=True, slots=True)
class Connection:
    """What is needed to try a mailbox."""

    address: str
    name: str
    imap: Endpoint
    smtp: Endpoint
    credential: Credential
    ca_certificate: str | None = None

    def account(self, direction: Direction) -> Account:
        endpoint = self.imap if direction is Direction.IMAP else self.smtp
        known = provider.of(self.address, self.imap.host).key
        return Account(direction, endpoint, self.credential, known, self.ca_certificate)


@dataclass(frozen=True, slots=True)
class Probe:
    """A try of every step of one direction."""

    direction: Direction
    steps: tuple[Step, ...]
    diagnosis: Diagnosis | None = None

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


class Prober:
    """Tries connections."""

    def __init__(self, imap: ImapWire, smtp: SmtpWire) -> None:
        self._imap = imap
        self._smtp = smtp

    async def probe(
        self, connection: Connection, folders: tuple[str, ...] = ("INBOX",), on_step: OnStep | None = None
    ) -> Report:
        """Tries both directions at once, up to the sign-in and, for IMAP, the opening of each folder. Saves nothing."""
        imap, smtp = await asyncio.gather(
            self._probe_imap(connection.account(Direction.IMAP), folders, on_step),
            self._probe_smtp(connection.account(Direction.SMTP), on_step),
        )
        return Report(imap, smtp)

    async def _probe_imap(self, account: Account, folders: tuple[str, ...], on_step: OnStep | None) -> Probe:
        seen = _Steps(Direction.IMAP, on_step)
        try:
            session = await self._imap.open(account, seen)
            try:
                for folder in folders:
                    await session.select(folder)
            finally:
                await session.logout()
        except Failure as failure:
            return seen.probe(failure)
        return seen.probe()

    async def _probe_smtp(self, account: Account, on_step: OnStep | None) -> Probe:
        seen = _Steps(Direction.SMTP, on_step)
        try:
            session = await self._smtp.open(account, seen)
        except Failure as failure:
            return seen.probe(failure)
        await session.quit()
        return seen.probe()


class _Steps:
    """Keeps the steps of one direction, and hands each on as it happens."""

    def __init__(self, direction: Direction, on_step: OnStep | None) -> None:
        self._direction = direction
        self._on_step = on_step
        self._steps: list[Step] = []

    def __call__(self, step: Step) -> None:
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(self._direction, step)

    def probe(self, failure: Failure | None = None) -> Probe:
        return Probe(self._direction, tuple(self._steps), diagnose(failure.evidence) if failure else None)
