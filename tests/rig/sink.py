"""An SMTP server that records what it accepts and fails on command, to the letter of the reply.

It is aiosmtpd underneath. It delivers nothing and checks nothing about a message.
"""

# ruff: noqa: N802 (the names of the hooks are aiosmtpd's)

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.rig.background import background
from tests.rig.certificates import Certificates
from tests.rig.ports import HOST, PATIENCE, free_port

# Where in the dialogue a fault strikes. CONNECT: the greeting; BODY: while DATA is being sent; DOT: after it.
Stage = Literal["CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "DOT"]


@dataclass(frozen=True)
class Accepted:
    """A message for which the sink took responsibility. `raw` has CRLF and no dot-stuffing."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes = field(repr=False)
    message_id: str
    user: str | None  # who logged in, if anybody
    tls: bool


@dataclass
class Fault:
    """One thing that the sink does wrong, `times` often (None: until healed)."""

    at: Stage
    how: Literal["answer", "drop", "hang"]
    reply: str = ""
    matching: str = ""
    times: int | None = None
    keep: bool = False
    after: int = 0
    close: bool = False


class Sink:
    """The recording server on a port that stays the same over stop and start.

    `security` "tls" speaks TLS from the first byte, "starttls" offers it. With `users` (name to password) a log-in
    is needed before MAIL.
    """

    host = "localhost"

    def __init__(
        self,
        certificates: Certificates | None = None,
        *,
        security: Literal["none", "starttls", "tls"] = "none",
        users: Mapping[str, str] | None = None,
        size_limit: int = 32 * 1024 * 1024,
        smtputf8: bool = True,
    ) -> None:
        self.port = free_port()
        self.users = dict(users) if users is not None else None
        self.accepted: list[Accepted] = []
        self.connections = 0  # how many were opened since the beginning
        self.seen: list[str] = []  # the commands that came, by stage, in order
        self.ca_pem = certificates.ca_pem if certificates else ""
        self._security, self._size_limit, self._smtputf8 = security, size_limit, smtputf8
        self._faults: list[Fault] = []
        self._open: set[_Session] = set()
        self._listener: asyncio.Server | None = None
        self._tls: ssl.SSLContext | None = None
        if security != "none":
            if certificates is None:
                raise ValueError(f"a sink with {security} needs certificates=…")
            with TemporaryDirectory(prefix="postroom-sink-") as folder:
                self._tls = certificates.good().server_context(Path(folder))

    # What it received.

    @property
    def counts(self) -> Counter[str]:
        """How often each Message-ID was accepted. An exactly-once sender has ones only."""
        return Counter(message.message_id for message in self.accepted)

    async def wait_for(self, count: int, message_id: str | None = None) -> list[Accepted]:
        """Wait until `count` messages (of this Message-ID) were accepted and give them. Raises TimeoutError."""
        for _ in range(int(PATIENCE / 0.01)):
            found = [m for m in self.accepted if message_id in (None, m.message_id)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
        raise TimeoutError(f"{len(self.accepted)} messages came within {PATIENCE:.0f} s, {count} were expected")

    # What it does wrong.

    def answer(
        self, at: Stage, reply: str, *, matching: str = "", times: int | None = None, close: bool = False
    ) -> None:
        """Answer with this reply (lines parted by \\r\\n) instead of accepting.

        `matching`: only where the command's arguments contain this text. `close` ends the connection after it.
        """
        self._faults.append(Fault(at, "answer", reply, matching, times, close=close))

    def drop(
        self, at: Stage, *, matching: str = "", times: int | None = None, keep: bool = False, after: int = 0
    ) -> None:
        """Drop the connection without an answer.

        At DOT `keep=True` accepts the message first: its sender cannot know. At BODY it happens `after` bytes.
        """
        self._faults.append(Fault(at, "drop", matching=matching, times=times, keep=keep, after=after))

    def hang(self, at: Stage, *, matching: str = "", times: int | None = None, keep: bool = False) -> None:
        """Keep the connection open and never answer. At DOT `keep=True` accepts the message first."""
        self._faults.append(Fault(at, "hang", matching=matching, times=times, keep=keep))

    def heal(self) -> None:
        """Do nothing wrong any more. Connections that hang go on hanging: see `cut`."""
        self._faults.clear()

    def cut(self) -> None:
        """Drop every connection that is open now."""
        background().call(self._cut)

    def fault(self, at: Stage, text: str) -> Fault | None:
        """The fault that strikes at this stage, if any; it counts as used."""
        for fault in self._faults:
            if fault.at == at and fault.matching.lower() in text.lower() and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    # Its life.

    async def start(self) -> None:
        """Listen on `port`."""
        await background().join(self._start())

    async def stop(self) -> None:
        """Refuse connections and drop those that are open. What was accepted stays recorded."""
        await background().join(self._stop())

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._tls if self._security == "tls" else None
        self._listener = await loop.create_server(self._session, HOST, self.port, ssl=context)

    async def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._cut()
            await self._listener.wait_closed()
            self._listener = None

    def _session(self) -> "_Session":
        return _Session(
            self,
            data_size_limit=self._size_limit,
            enable_SMTPUTF8=self._smtputf8,
            hostname="sink.rig.test",
            ident="ESMTP",
            tls_context=self._tls if self._security == "starttls" else None,
            auth_require_tls=False,
            # Without users, AUTH is not offered at all.
            auth_exclude_mechanism=["LOGIN", "PLAIN"] if self.users is None else None,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        name, password = data.login.decode(), data.password.decode()
        good = self.users is not None and self.users.get(name) == password
        return AuthResult(success=good, handled=False, auth_data=name)

    def _cut(self) -> None:
        for session in list(self._open):
            session.abort()

    def opened(self, session: "_Session") -> None:
        """A connection was made."""
        self.connections += 1
        self._open.add(session)

    def closed(self, session: "_Session") -> None:
        """A connection is gone."""
        self._open.discard(session)

    async def handle_EHLO(
        self, server: "_Session", session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """The extensions to announce: no empty AUTH when there is nobody to log in."""
        session.host_name = hostname
        return [line for line in responses if line.rstrip() != "250-AUTH"]

    async def handle_DATA(self, server: "_Session", session: Session, envelope: Envelope) -> str:
        """The message is whole: record it, or fail as told."""
        raw = bytes(envelope.original_content or b"")
        message_id = str(message_from_bytes(raw, policy=compat32)["Message-ID"] or "").strip()
        fault = self.fault("DOT", message_id)
        if fault is None or fault.keep:
            self.accepted.append(
                Accepted(
                    sender=envelope.mail_from or "",
                    recipients=tuple(envelope.rcpt_tos),
                    raw=raw,
                    message_id=message_id,
                    user=session.auth_data if session.authenticated else None,
                    tls=session.ssl is not None or self._security == "tls",
                )
            )
        if fault is not None:
            await server.suffer(fault)
        return "250 2.0.0 Ok: queued" if fault is None else ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Session(SMTP):
    """One connection. Each command passes the sink's faults before aiosmtpd sees it."""

    def __init__(self, sink: Sink, **options: object) -> None:
        super().__init__(sink, **options)
        self._sink = sink
        self._greeted = False
        self._body: Fault | None = None
        self._body_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._original_transport is None:
            self._sink.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._sink.closed(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._body is not None:
            self._body_left -= len(data)
            if self._body_left <= 0:
                self.abort()

    def abort(self) -> None:
        """Drop the connection now."""
        if self.transport is not None:
            self.transport.abort()

    async def suffer(self, fault: Fault) -> None:
        """Do what the fault says. Only an answer comes back from here."""
        if fault.how == "answer":
            await super().push(fault.reply)
            if not fault.close:
                return
            self.transport.close()
        elif fault.how == "drop":
            self.abort()
        await asyncio.Event().wait()  # until the connection is lost, which cancels this

    async def push(self, status: str | bytes) -> None:
        if not self._greeted:
            self._greeted = True
            self._sink.seen.append("CONNECT")
            fault = self._sink.fault("CONNECT", "")
            if fault is not None:
                await self.suffer(fault)
                return
        if status:
            await super().push(status)

    async def _struck(self, at: Stage, argument: str | None) -> bool:
        self._sink.seen.append(f"{at} {argument or ''}".strip() if at in ("MAIL", "RCPT") else at)
        fault = self._sink.fault(at, argument or "")
        if fault is not None:
            await self.suffer(fault)
        return fault is not None

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self._struck("EHLO", hostname):
            await super().smtp_EHLO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:
        if not await self._struck("STARTTLS", arg):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        mechanism = re.match(r"\S*", arg or "")
        if not await self._struck("AUTH", mechanism[0] if mechanism else ""):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self._struck("MAIL", arg):
            return
        if self._sink.users is not None and not self.session.authenticated:
            await self.push("530 5.7.0 Authentication required")
        else:
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self._struck("RCPT", arg):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if await self._struck("DATA", arg):
            return
        self._body = self._sink.fault("BODY", "")
        self._body_left = self._body.after if self._body else 0
        try:
            await super().smtp_DATA(arg)
        finally:
            self._body = None
