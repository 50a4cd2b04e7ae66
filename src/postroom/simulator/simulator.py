"""The simulated provider, and everything that can be commanded of it. Protocols, ports and accounts are beside it.

Nothing is written to disk: what it holds is gone when it ends.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, Unpack

from postroom.simulator.accounts import (
    Account,
    AccountChanges,
    AccountOptions,
    Accounts,
    Composed,
    OverQuota,
    Submission,
)
from postroom.simulator.certificates import Certificates
from postroom.simulator.fault import Fault, Faults, FieldError, NotThere, Service, StandingFault
from postroom.simulator.folder import Folder, StoredMessage
from postroom.simulator.imap.session import ImapSession
from postroom.simulator.oauth.grants import MAIL_SCOPE, AuthorizationServer, OAuthChanges
from postroom.simulator.ports import Ports
from postroom.simulator.replay import RecordFacts, fault_from_record
from postroom.simulator.session import House, Session
from postroom.simulator.state import simulator_state


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """A mail provider on loopback that fails on command.

    `async with Simulator() as simulator:` starts it; a port of 0 is a free one, and a
    control port of None is no control API (starts and stops faster). `now` gives INTERNALDATE and other
    times of messages (aware, UTC). Without `plain_sign_in` nobody may sign in before TLS. `max_message_size` is in
    bytes. Entering raises OSError when a port is taken.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        imap_port: int = 0,
        imaps_port: int = 0,
        smtp_port: int = 0,
        smtps_port: int = 0,
        oauth_port: int = 0,
        control_port: int | None = 0,
        now: Callable[[], datetime] = _utc_now,
        plain_sign_in: bool = True,
        max_message_size: int = 26_214_400,
    ) -> None:
        self.host = host
        self.accounts = Accounts(now)
        self.oauth = AuthorizationServer(now)
        self.faults = Faults()
        self._certificates = Certificates(host)
        self._house = House(self.accounts, self.oauth, self.faults, self._certificates, max_message_size, plain_sign_in)
        wanted = {
            (Service.IMAP, False): imap_port,
            (Service.IMAP, True): imaps_port,
            (Service.SMTP, False): smtp_port,
            (Service.SMTP, True): smtps_port,
            (Service.OAUTH, False): oauth_port,
        }
        self._ports = Ports(host, wanted, self._house)
        self.control_port = control_port
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            starting.push_async_callback(self._ports.close)
            await self._ports.open()
            if self.control_port is not None:
                # Here, so that commands which only name the simulator's words do not load a web framework.
                from postroom.simulator.control import serve_control

                control = serve_control(self, self.host, self.control_port)
                self.control_port = await starting.enter_async_context(control)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    # Where it is, and what is there

    @property
    def imap_port(self) -> int:
        return self._ports.number(Service.IMAP, tls=False)

    @property
    def imaps_port(self) -> int:
        return self._ports.number(Service.IMAP, tls=True)

    @property
    def smtp_port(self) -> int:
        return self._ports.number(Service.SMTP, tls=False)

    @property
    def smtps_port(self) -> int:
        return self._ports.number(Service.SMTP, tls=True)

    @property
    def oauth_port(self) -> int:
        return self._ports.number(Service.OAUTH, tls=False)

    @property
    def issuer(self) -> str:
        """The authorization server's address: what its metadata is found by (OpenID Discovery)."""
        return self._ports.issuer

    @property
    def ca_pem(self) -> str:
        """The certificate that clients must trust, PEM."""
        return self._certificates.ca_pem

    def client_context(self) -> ssl.SSLContext:
        """TLS for a client that trusts this simulator only."""
        return ssl.create_default_context(cadata=self.ca_pem)

    @property
    def sessions(self) -> list[Session]:
        return list(self._house.sessions.values())

    @property
    def crashes(self) -> list[str]:
        """Defects of the simulator itself that ended a session; empty unless there is a bug."""
        return self._house.crashes

    def listens(self, protocol: Service | str) -> bool:
        return self._ports.listens(_service(protocol))

    def state(self) -> dict[str, Any]:
        """Everything but passwords and message text, as JSON can hold it."""
        return simulator_state(self)

    # Accounts and mail

    def create_account(self, address: str, password: str, **options: Unpack[AccountOptions]) -> Account:
        """INBOX, Sent, Drafts, Trash and Junk unless other folders are named. Raises FieldError."""
        return self.accounts.create(address, password, **options)

    def change_account(self, address: str, *, drop_sessions: bool = True, **changes: Unpack[AccountChanges]) -> Account:
        """Change the password or an option. A new password or token ends the account's sessions, as providers do,
        unless `drop_sessions` is false. Raises NotThere, FieldError."""
        account = self.accounts.change(address, **changes)
        if drop_sessions and {"password", "access_token"} & changes.keys():
            self.kick(address=address, reason="The password was changed")
        return account

    def delete_account(self, address: str) -> None:
        """Raises NotThere."""
        account = self.accounts.get(address)
        self.kick(address=address, reason="The account is gone")
        del self.accounts.by_address[account.address.casefold()]

    def folder(self, address: str, name: str = "INBOX") -> Folder:
        """Raises NotThere."""
        folder = self.accounts.get(address).folder(name)
        if folder is None:
            raise NotThere("folder", f"{address} has no folder {name}")
        return folder

    def deliver(self, address: str, raw: bytes | None = None, **composed: Unpack[Composed]) -> StoredMessage:
        """Put a message into an INBOX, as it is or composed. Raises NotThere, and FieldError where it is full."""
        account = self.accounts.get(address)
        if raw is None:
            raw = self.accounts.compose(account.address, **composed)
        try:
            return self.accounts.deliver(account, raw)
        except OverQuota:
            raise FieldError("address", f"{address} is full: its quota is {account.quota} bytes") from None

    def renumber(self, address: str, folder: str = "INBOX") -> Folder:
        """A new UIDVALIDITY and new UIDs, as after a restore; sessions that have it open are ended. Raises NotThere."""
        found = self.folder(address, folder)
        self.accounts.renumber(found)
        for session in self.sessions:
            if isinstance(session, ImapSession) and session.view is not None and session.view.folder is found:
                session.connection.say_and_close(session.goodbye("The folder was rebuilt"))
        return found

    @property
    def outbox(self) -> list[Submission]:
        """Every message accepted over SMTP, in order."""
        return self.accounts.outbox

    def outbox_counts(self) -> dict[str, int]:
        """How often each Message-ID was accepted."""
        return dict(Counter(submission.message_id for submission in self.outbox))

    # Signing in with OAuth

    def change_oauth(self, **changes: Unpack[OAuthChanges]) -> None:
        """The client's secret, its redirect addresses, how long tokens last. Raises FieldError."""
        self.oauth.change(**changes)

    def give_tokens(self, address: str, scope: str = MAIL_SCOPE) -> dict[str, Any]:
        """Tokens for an account as the token endpoint gives them, without a browser. Raises NotThere."""
        return self.oauth.give(self.accounts.get(address).address, self.issuer, scope)

    def expire_tokens(self, address: str | None = None) -> None:
        """Access tokens die, of one account or all, and can be renewed; sessions go on. Raises NotThere."""
        self.oauth.expire(None if address is None else self.accounts.get(address).address)

    def revoke(self, address: str | None = None) -> int:
        """The person takes the access back (all people without an address): tokens die, and the sessions that were
        signed in with them end. Returns how many did. Raises NotThere."""
        gone = self.oauth.revoke(None if address is None else self.accounts.get(address).address)
        ended = [session for session in self.sessions if session.token in gone]
        for session in ended:
            session.connection.say_and_close(session.goodbye("The access was taken back"))
        return len(ended)

    # Failing

    async def add_fault(self, fault: Fault) -> StandingFault:
        entry = self.faults.add(fault)
        await self._ports.follow_faults()
        return entry

    async def clear_faults(self, fault_id: str | None = None) -> int:
        """End one fault or all; returns how many. Raises NotThere."""
        ended = self.faults.clear(fault_id)
        await self._ports.follow_faults()
        return ended

    async def replay(self, direction: str, stage: str, raw: str, **facts: Unpack[RecordFacts]) -> StandingFault:
        """Play a recorded failure; see fault_from_record. Raises FieldError."""
        return await self.add_fault(fault_from_record(direction, stage, raw, **facts))

    async def outage(self, protocol: Service | str, seconds: float | None = None) -> None:
        """Stop listening and drop every session; listen again on the same ports after `seconds`, or by `restore`."""
        if seconds is not None and seconds < 0:
            raise FieldError("seconds", "must be 0 or more")
        await self._ports.outage(_service(protocol), seconds)

    async def restore(self, protocol: Service | str) -> None:
        """End an outage."""
        await self._ports.restore(_service(protocol))

    def kick(
        self,
        *,
        address: str | None = None,
        protocol: Service | str | None = None,
        reason: str = "Disconnected by the administrator",
    ) -> int:
        """End sessions (of one account, of one protocol, or all) with a goodbye; returns how many."""
        account = None if address is None else self.accounts.get(address)
        service = None if protocol is None else _service(protocol)
        chosen = [
            session
            for session in self.sessions
            if (service is None or session.service is service) and (account is None or session.account is account)
        ]
        for session in chosen:
            session.connection.say_and_close(session.goodbye(reason))
        return len(chosen)


def _service(protocol: Service | str) -> Service:
    try:
        return Service(protocol)
    except ValueError:
        raise FieldError("protocol", f"must be one of {', '.join(Service)}") from None


async def serve(
    host: str = "127.0.0.1",
    *,
    imap_port: int = 0,
    imaps_port: int = 0,
    smtp_port: int = 0,
    smtps_port: int = 0,
    oauth_port: int = 0,
    control_port: int = 0,
    accounts: Iterable[tuple[str, str]] = (),
    ready: Callable[[Simulator], None] | None = None,
) -> None:
    """Run until cancelled: for a command line. `accounts` are (address, password); `ready` is called once it listens.
    Raises OSError when a port is taken, FieldError for an account that cannot be made."""
    simulator = Simulator(
        host,
        imap_port=imap_port,
        imaps_port=imaps_port,
        smtp_port=smtp_port,
        smtps_port=smtps_port,
        oauth_port=oauth_port,
        control_port=control_port,
    )
    for address, password in accounts:
        simulator.create_account(address, password)
    async with simulator:
        if ready is not None:
            ready(simulator)
        await asyncio.Event().wait()
