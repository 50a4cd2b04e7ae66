"""What IMAP and SMTP sessions share: acting under a fault, and ending. It does not know their commands."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from postroom.simulator.accounts import Account, Accounts
from postroom.simulator.certificates import Certificates
from postroom.simulator.connection import Connection, ConnectionEnded
from postroom.simulator.fault import CERTIFICATE_FAULTS, HANDSHAKE_FAILURE_ALERT, Behaviour, Fault, Faults, Service
from postroom.simulator.oauth.grants import AuthorizationServer
from postroom.simulator.sasl import Credentials

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class House:
    """What every session is given: the accounts, who may have tokens, the faults, the certificates, the limits."""

    accounts: Accounts
    oauth: AuthorizationServer
    faults: Faults
    certificates: Certificates
    max_message_size: int = 26_214_400
    plain_sign_in: bool = True
    sessions: dict[int, Session] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def next_number(self) -> int:
        return next(self._numbers)

    def opened(self, credentials: Credentials) -> Account | None:
        """The account that these credentials open."""
        account = self.accounts.find(credentials.username)
        if account is None:
            return None
        by_token = credentials.is_token and self.oauth.opens(credentials.secret, account.address)
        return account if by_token or account.accepts(credentials) else None


class Session(ABC):
    """One client's session. A subclass gives `service`, `greet` and `serve_one`."""

    service: Service

    def __init__(self, connection: Connection, house: House) -> None:
        self.connection = connection
        self.house = house
        self.number = house.next_number()
        self.account: Account | None = None
        self.token = ""  # the access token that it was signed in with

    async def run(self) -> None:
        """Serve until the client or a fault ends it; closing is the caller's. Never raises: a defect of ours is kept in
        `house.crashes`."""
        self.house.sessions[self.number] = self
        try:
            await self.greet()
            while True:
                await self.serve_one()
        except ConnectionEnded:
            pass
        except Exception as error:
            _log.exception("the simulator's %s session failed", self.service)
            self.house.crashes.append(f"{self.service}: {type(error).__name__}: {error}")
        finally:
            del self.house.sessions[self.number]
            self.end()

    @abstractmethod
    async def greet(self) -> None:
        """The first words of the server."""

    @abstractmethod
    async def serve_one(self) -> None:
        """One command, from reading it to its answer."""

    @abstractmethod
    def end(self) -> None:
        """Let go of what the session holds."""

    @abstractmethod
    def goodbye(self, reason: str) -> bytes:
        """The last words with which this protocol ends a session from the server's side."""

    @property
    def can_sign_in(self) -> bool:
        return self.connection.secure or self.house.plain_sign_in

    def offered(self, *names: str) -> list[str]:
        """These capabilities, without those that a fault took away (`SIZE 1000` goes by the name SIZE)."""
        removed = self.house.faults.removed(self.service)
        return [name for name in names if name.upper() not in removed and name.split()[0].upper() not in removed]

    async def perform(
        self,
        stage: str,
        act: Callable[[], Awaitable[bytes]],
        *,
        tag: str = "",
        argument: str = "",
        username: str | None = None,
    ) -> Fault | None:
        """Carry out one command, or let the fault strike that stands at its stage; returns the fault that answered.

        `act` does what is asked and returns the final answer. `username` is whose fault it would be where nobody
        is signed in yet.
        """
        who = username if username is not None else self.account.address if self.account else None
        fault = self.house.faults.strike(self.service, stage, who, argument)
        if fault is None:
            await self.connection.send(await act())
        elif fault.keeps_true_answer:
            await self.connection.begin_fault(fault)
            await self.connection.send(await act())
            await self.connection.begin_fault(None)
        else:
            if fault.effective:
                with self.connection.muted():
                    await act()
            await self.play(fault, stage, tag)
            return fault
        return None

    async def play(self, fault: Fault, stage: str, tag: str) -> None:
        """Give the fault's answer, then do as it behaves. Raises ConnectionEnded where that is the end."""
        await self.connection.begin_fault(fault)
        await self.say(fault, stage, tag)
        await self.connection.begin_fault(None)
        if fault.behaviour is Behaviour.CLOSE:
            raise ConnectionEnded("closed on command")
        if fault.behaviour is Behaviour.HANG:
            await self.connection.hang()

    async def say(self, fault: Fault, stage: str, tag: str) -> None:
        """The fault's answer, line by line. Raises ConnectionEnded where it is a goodbye."""
        for line in (fault.answer or "").splitlines():
            text = line.replace("{tag}", tag)
            await self.connection.send(text.encode("utf-8", "surrogateescape") + b"\r\n")
            if stage == "auth" and text.startswith(("+", "334")):
                await self.connection.read_line()
            if text.upper().startswith("* BYE") or text.startswith("421"):
                raise ConnectionEnded("the server said goodbye on command")

    async def upgrade(self) -> None:
        """STARTTLS was answered: speak TLS, or what the fault at `tls` wants."""
        fault = self.house.faults.strike(self.service, "tls")
        behaviour = fault.behaviour if fault else None
        if behaviour is Behaviour.CLOSE:
            raise ConnectionEnded("closed on command")
        if behaviour is Behaviour.HANG:
            await self.connection.hang()
        if behaviour is Behaviour.HANDSHAKE_FAILURE:
            await self.connection.wait_for_input()
            await self.connection.send(HANDSHAKE_FAILURE_ALERT)
            raise ConnectionEnded("the handshake failed on command")
        if behaviour is not Behaviour.PLAIN:
            certificate = behaviour if behaviour in CERTIFICATE_FAULTS else None
            await self.connection.start_tls(self.house.certificates.context(certificate))


async def first(*waits: Awaitable[object]) -> None:
    """Wait for whichever comes first; the others are cancelled. Raises what that one raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
