"""The SMTP submission service (RFC 5321, RFC 6409, RFC 4954). It keeps no mail: accounts do.

Our own, not a library's: a fault must be able to strike at any stage with any bytes, cut an answer in the middle, and
accept a message without ever saying so; SMTP servers to build on own their stream and answer by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial

from postroom.simulator.connection import Connection, ConnectionEnded, LineTooLong
from postroom.simulator.fault import Service
from postroom.simulator.sasl import MECHANISMS, Credentials, SaslError, exchange, refusal
from postroom.simulator.session import House, Session

_PATH = re.compile(r"(FROM|TO):\s*<(?:@[^:>]*:)?([^<>\s]*)>((?: \S+)*)\s*", re.IGNORECASE)
_MAX_RECIPIENTS = 1000
_Reply = Callable[[str], Awaitable[bytes]]


class SmtpSession(Session):
    """One client's session. `sender` is None outside a mail transaction."""

    service = Service.SMTP

    def __init__(self, connection: Connection, house: House) -> None:
        super().__init__(connection, house)
        self.sender: str | None = None
        self.recipients: list[str] = []
        self._greeted = False
        self._refused = False
        self._reads_body = False
        self._starts_tls = False
        self._commands: dict[str, tuple[str | None, _Reply]] = {
            "EHLO": ("ehlo", self._ehlo),
            "HELO": ("ehlo", self._helo),
            "STARTTLS": ("starttls", self._starttls),
            "MAIL": ("mail", self._mail),
            "RCPT": ("rcpt", self._rcpt),
            "DATA": ("data", self._data),
            "RSET": (None, self._rset),
            "NOOP": ("noop", self._noop),
            "QUIT": ("quit", self._quit),
            "VRFY": (None, self._vrfy),
        }

    def end(self) -> None:
        """An SMTP session holds nothing that others wait for."""

    async def greet(self) -> None:
        async def greeting() -> bytes:
            return b"220 localhost ESMTP Postroom simulator\r\n"

        played = await self.perform("greeting", greeting)
        self._refused = played is not None and not played.effective  # only QUIT is left then (RFC 5321 3.1)

    def goodbye(self, reason: str) -> bytes:
        return f"421 4.3.2 {reason}\r\n".encode()

    async def serve_one(self) -> None:
        try:
            line = (await self.connection.read_line()).decode("utf-8", "replace")
        except LineTooLong:
            await self.connection.send(b"500 5.5.2 Line too long\r\n")
            raise ConnectionEnded("line too long") from None
        word, _, rest = line.partition(" ")
        word = word.strip().upper()
        if self._refused and word != "QUIT":
            await self.connection.send(b"503 5.5.1 The service was refused; only QUIT is left\r\n")
        elif word == "AUTH":
            await self._auth(rest)
        elif word in self._commands:
            stage, reply = self._commands[word]
            if stage is None:
                await self.connection.send(await reply(rest))
            else:
                await self.perform(stage, partial(reply, rest), argument=line)
            await self._after(word)
        else:
            await self.connection.send(b"500 5.5.1 The command is not known\r\n")

    async def _after(self, word: str) -> None:
        """What follows an answer that was given: the body, the handshake, the end."""
        if word == "QUIT":
            raise ConnectionEnded("quit")
        if self._starts_tls:
            self._starts_tls = False
            await self.upgrade()
            self._greeted, self.account = False, None
            self._reset()
        if self._reads_body:
            self._reads_body = False
            body = await self.connection.read_body(self.house.max_message_size)
            envelope = " ".join([self.sender or "", *self.recipients])
            await self.perform("dot", partial(self._accept, body), argument=envelope)
            self._reset()

    def _reset(self) -> None:
        self.sender = None
        self.recipients = []

    async def _ehlo(self, rest: str) -> bytes:
        self._greeted = True
        self._reset()
        names = ["PIPELINING", f"SIZE {self.house.max_message_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if not self.connection.secure:
            names.append("STARTTLS")
        if self.can_sign_in:
            names.append(f"AUTH {' '.join(MECHANISMS)}")
        lines = ["localhost", *self.offered(*names)]
        return "".join(f"250-{line}\r\n" for line in lines[:-1]).encode() + f"250 {lines[-1]}\r\n".encode()

    async def _helo(self, rest: str) -> bytes:
        self._greeted = True
        self._reset()
        return b"250 localhost\r\n"

    async def _starttls(self, rest: str) -> bytes:
        if self.connection.secure or not self.offered("STARTTLS"):
            return b"502 5.5.1 STARTTLS is not offered\r\n"
        self._starts_tls = True
        return b"220 2.0.0 Begin TLS\r\n"

    async def _auth(self, rest: str) -> None:
        async def ask(challenge: bytes) -> bytes:
            await self.connection.send(b"334 " + challenge + b"\r\n")
            return await self.connection.read_line()

        problem = None
        mechanism, _, initial = rest.strip().partition(" ")
        if not self._greeted:
            problem = b"503 5.5.1 EHLO first\r\n"
        elif self.account is not None:
            problem = b"503 5.5.1 Signed in already\r\n"
        elif not self.offered("AUTH"):
            problem = b"502 5.5.1 AUTH is not offered\r\n"
        elif not self.can_sign_in:
            problem = b"538 5.7.11 Sign-in is not allowed without TLS\r\n"
        elif mechanism.upper() not in MECHANISMS:
            problem = b"504 5.5.4 The mechanism is not offered\r\n"
        if problem is not None:
            await self.connection.send(problem)
            return
        try:
            credentials = await exchange(mechanism, initial.strip().encode() or None, ask)
        except SaslError as error:
            await self.connection.send(f"501 5.5.2 {error}\r\n".encode())
            return
        await self.perform("auth", partial(self._verify, credentials), username=credentials.username)

    async def _verify(self, credentials: Credentials) -> bytes:
        if (account := self.house.opened(credentials)) is not None:
            self.account = account
            self.token = credentials.secret if credentials.is_token else ""
            return b"235 2.7.0 Signed in\r\n"
        challenge = refusal(credentials.mechanism)
        if challenge is not None and not self.connection.is_muted:
            await self.connection.send(b"334 " + challenge + b"\r\n")
            await self.connection.read_line()
        return b"535 5.7.8 Authentication credentials invalid\r\n"

    async def _mail(self, rest: str) -> bytes:
        match = _PATH.fullmatch(rest.strip())
        if not self._greeted:
            return b"503 5.5.1 EHLO first\r\n"
        if self.account is None:
            return b"530 5.7.0 Authentication required\r\n"
        if self.sender is not None:
            return b"503 5.5.1 One MAIL at a time\r\n"
        if match is None or match[1].upper() != "FROM":
            return b"501 5.5.4 MAIL FROM:<address> expected\r\n"
        utf8 = False
        for parameter in match[3].split():
            name, _, value = parameter.partition("=")
            if name.upper() == "SIZE" and value.isascii() and value.isdigit():
                if int(value[:20]) > self.house.max_message_size:
                    return b"552 5.3.4 The message is larger than this server takes\r\n"
            elif name.upper() == "SMTPUTF8":
                utf8 = True
            elif name.upper() not in ("BODY", "AUTH"):
                return b"555 5.5.4 The parameter is not known\r\n"
        if not match[2].isascii() and not utf8:
            return b"553 5.6.7 The address needs SMTPUTF8\r\n"
        self.sender = match[2]
        return b"250 2.1.0 Sender accepted\r\n"

    async def _rcpt(self, rest: str) -> bytes:
        match = _PATH.fullmatch(rest.strip())
        if self.sender is None:
            return b"503 5.5.1 MAIL first\r\n"
        if match is None or match[1].upper() != "TO" or "@" not in match[2]:
            return b"501 5.5.4 RCPT TO:<address> expected\r\n"
        if match[3]:
            return b"555 5.5.4 The parameter is not known\r\n"
        if len(self.recipients) >= _MAX_RECIPIENTS:
            return b"452 4.5.3 Too many recipients\r\n"
        receiver = self.house.accounts.find(match[2])
        if receiver is not None and not receiver.has_room_for(1):
            return b"552 5.2.2 The recipient's mailbox is full\r\n"
        self.recipients.append(match[2])
        return b"250 2.1.5 Recipient accepted\r\n"

    async def _data(self, rest: str) -> bytes:
        if not self.recipients:
            return b"503 5.5.1 RCPT first\r\n"
        self._reads_body = True
        return b"354 End with a dot on a line of its own\r\n"

    async def _accept(self, body: bytes | None) -> bytes:
        if body is None:
            return b"552 5.3.4 The message is larger than this server takes\r\n"
        if self.account is None or self.sender is None:
            return b"503 5.5.1 No mail transaction\r\n"
        submission = self.house.accounts.submit(self.account, self.sender, self.recipients, body)
        return f"250 2.0.0 Accepted as {submission.number}\r\n".encode()

    async def _rset(self, rest: str) -> bytes:
        self._reset()
        return b"250 2.0.0 Reset\r\n"

    async def _noop(self, rest: str) -> bytes:
        return b"250 2.0.0 Done\r\n"

    async def _vrfy(self, rest: str) -> bytes:
        return b"252 2.5.0 Send it and see\r\n"

    async def _quit(self, rest: str) -> bytes:
        return b"221 2.0.0 Goodbye\r\n"
