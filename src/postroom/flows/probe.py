"""A try of every step of both directions, saving nothing. What follows from it is connect's and recover's work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from postroom.core import provider
from postroom.core.diagnosis import Diagnosis, Failure, diagnose
from postroom.core.mailbox import Account, Credential, Direction, Endpoint
from postroom.core.ports.wire import ImapWire, OnStep, SmtpWire, Step
from postroom.core.ports.world import World


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


class Prober:
    """Tries connections."""

    def __init__(self, imap: ImapWire, smtp: SmtpWire, world: World) -> None:
        self._imap = imap
        self._smtp = smtp
        self._world = world

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
        steps: list[Step] = []

        def seen(step: Step) -> None:
            steps.append(step)
            if on_step is not None:
                on_step(step)

        try:
            session = await self._imap.open(account, seen)
            try:
                for folder in folders:
                    began = self._world.now()
                    try:
                        selected = await session.select(folder)
                    except Failure as failure:
                        seen(
                            Step(
                                "select",
                                ok=False,
                                detail=folder,
                                milliseconds=self._since(began),
                                evidence=failure.evidence,
                            )
                        )
                        raise
                    detail = f"{folder}: {selected.exists} messages"
                    seen(Step("select", ok=True, detail=detail, milliseconds=self._since(began)))
            finally:
                await session.logout()
        except Failure as failure:
            return Probe(Direction.IMAP, tuple(steps), diagnose(failure.evidence))
        return Probe(Direction.IMAP, tuple(steps))

    async def _probe_smtp(self, account: Account, on_step: OnStep | None) -> Probe:
        steps: list[Step] = []

        def seen(step: Step) -> None:
            steps.append(step)
            if on_step is not None:
                on_step(step)

        try:
            session = await self._smtp.open(account, seen)
        except Failure as failure:
            return Probe(Direction.SMTP, tuple(steps), diagnose(failure.evidence))
        await session.quit()
        return Probe(Direction.SMTP, tuple(steps))

    def _since(self, began: datetime) -> float:
        return (self._world.now() - began).total_seconds() * 1000
