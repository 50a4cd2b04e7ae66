"""One IMAP session: reads commands, keeps the state, signs in. What folders and messages do is beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from postroom.simulator.connection import MAX_LINE, Connection, ConnectionEnded, LineTooLong
from postroom.simulator.fault import Service
from postroom.simulator.imap.command import Arguments, Bad, No, literal_header
from postroom.simulator.imap.view import View
from postroom.simulator.sasl import MECHANISMS, Credentials, SaslError, exchange, refusal
from postroom.simulator.session import House, Session


class State(IntEnum):
    """RFC 3501 3; a command that needs one state may be given in a later one, except signing in."""

    ANY = 0
    NOT_AUTHENTICATED = 1
    AUTHENTICATED = 2
    SELECTED = 3


Act = Callable[["ImapSession", Arguments, bool], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """`act(session, arguments, by_uid)` returns the text of its tagged OK, or raises No or Bad.

    `stage` is where a fault can strike. Without `expunges` the session must not be told of expunges with its answer.
    """

    act: Act
    needs: State
    stage: str | None = None
    expunges: bool = True


class ImapSession(Session):
    """`view` is the selected folder; `changed` is set when something happened in it."""

    service = Service.IMAP

    def __init__(self, connection: Connection, house: House, commands: dict[str, Command]) -> None:
        super().__init__(connection, house)
        self.view: View | None = None
        self.changed = asyncio.Event()
        self.told: set[int] = set()  # UIDs whose flags this command has answered already
        self._commands = commands
        self._starts_tls = False

    @property
    def state(self) -> State:
        if self.view is not None:
            return State.SELECTED
        return State.NOT_AUTHENTICATED if self.account is None else State.AUTHENTICATED

    def capabilities(self) -> str:
        if self.account is not None:
            idle = ["IDLE"] if self.account.idle else []
            idle += ["X-GM-EXT-1"] if self.account.threads else []
            names = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE"
            return " ".join(self.offered(*names.split(), "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE", *idle))
        starttls = [] if self.connection.secure else ["STARTTLS"]
        sign_in = [f"AUTH={name}" for name in MECHANISMS] if self.can_sign_in else ["LOGINDISABLED"]
        return " ".join(self.offered("IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", *starttls, *sign_in))

    async def greet(self) -> None:
        async def greeting() -> bytes:
            return f"* OK [CAPABILITY {self.capabilities()}] Postroom simulator ready\r\n".encode()

        await self.perform("greeting", greeting)

    def goodbye(self, reason: str) -> bytes:
        return f"* BYE {reason}\r\n".encode()

    def select(self, view: View | None) -> None:
        """Leave the folder that is selected and enter another, or none."""
        if self.view is not None:
            self.view.folder.unwatch(self.changed.set)
        self.view = view
        if view is not None:
            view.folder.watch(self.changed.set)

    def end(self) -> None:
        self.select(None)

    async def serve_one(self) -> None:
        try:
            data = await self._read_command()
        except LineTooLong:
            await self.connection.send(self.goodbye("line too long"))
            raise ConnectionEnded("line too long") from None
        if data is None:
            return
        args = Arguments(data)
        try:
            tag = args.tag()
            args.space()
            word = args.keyword()
        except Bad as error:
            await self.connection.send(f"* BAD {error}\r\n".encode())
            return
        try:
            await self._dispatch(tag, word, args, data)
        except (No, Bad) as error:
            await self.connection.send(_tagged(tag, error))
        if word == "LOGOUT":
            raise ConnectionEnded("logged out")
        if self._starts_tls:
            self._starts_tls = False
            await self.upgrade()

    async def _read_command(self) -> bytes | None:
        """A command with its literals; None where a literal was refused and the command with it."""
        line = await self.connection.read_line()
        data = bytearray(line)
        room = MAX_LINE + (self.house.max_message_size if self.account else 0)
        while (header := literal_header(line)) is not None:
            if len(data) + header.size > room:
                await self._refuse_literal(bytes(data), waits=header.waits)
                return None
            if header.waits:
                await self.connection.send(b"+ Ready for the literal\r\n")
            data += b"\r\n" + await self.connection.read_exactly(header.size)
            line = await self.connection.read_line()
            data += line
            if len(data) > room + MAX_LINE:
                raise LineTooLong
        return bytes(data)

    async def _refuse_literal(self, data: bytes, *, waits: bool) -> None:
        """A client that waits is told; one that does not wait is sending already, and there is no way but to end."""
        if not waits:
            await self.connection.send(self.goodbye("literal too large"))
            raise ConnectionEnded("literal too large")
        try:
            tag = Arguments(data).tag()
        except Bad:
            tag = "*"
        await self.connection.send(f"{tag} NO [TOOBIG] The literal is too large\r\n".encode())

    async def _dispatch(self, tag: str, word: str, args: Arguments, data: bytes) -> None:
        by_uid = word == "UID"
        if by_uid:
            args.space()
            word = args.keyword()
            if word not in ("FETCH", "STORE", "SEARCH", "COPY", "MOVE", "EXPUNGE"):
                raise Bad(f"UID {word} is not a command")
        if word in self.house.faults.removed(Service.IMAP):
            raise Bad(f"{word} is not offered")
        if word in ("LOGIN", "AUTHENTICATE"):
            await self._sign_in(tag, word, args)
            return
        command = self._commands.get(word)
        if command is None:
            raise Bad(f"{word} is not a command of this server")
        if command.needs is State.NOT_AUTHENTICATED and self.account is not None:
            raise Bad(f"{word} only before signing in")
        if command.needs > self.state:
            raise Bad(f"{word} only after {'selecting a folder' if self.account else 'signing in'}")
        act = partial(self._carry_out, tag, command, args, by_uid)
        if command.stage is None:
            await self.connection.send(await act())
        else:
            line = data.partition(b"\r\n")[0].decode("utf-8", "replace")
            await self.perform(command.stage, act, tag=tag, argument=line)

    async def _carry_out(self, tag: str, command: Command, args: Arguments, by_uid: bool) -> bytes:
        self.told.clear()
        try:
            answer = f"{tag} OK {await command.act(self, args, by_uid)}\r\n".encode()
        except (No, Bad) as error:
            answer = _tagged(tag, error)
        return self.updates(expunges=command.expunges or by_uid) + answer

    def updates(self, *, expunges: bool = True) -> bytes:
        """What the client has yet to be told about its folder."""
        self.changed.clear()
        return b"" if self.view is None else self.view.updates(expunges=expunges, silent=frozenset(self.told))

    def begin_tls(self) -> None:
        """TLS starts after this command's answer."""
        self._starts_tls = True

    async def _sign_in(self, tag: str, word: str, args: Arguments) -> None:
        if self.account is not None:
            raise Bad(f"{word} only before signing in")
        if not self.can_sign_in:
            raise No("[PRIVACYREQUIRED] Sign-in is not allowed without TLS")
        args.space()
        if word == "LOGIN":
            user = args.text()
            args.space()
            credentials = Credentials("PLAIN", user, args.text())
            args.end()
        else:
            credentials = await self._authenticate(args)
        verify = partial(self._verify, tag, credentials)
        await self.perform("auth", verify, tag=tag, username=credentials.username)

    async def _authenticate(self, args: Arguments) -> Credentials:
        async def ask(challenge: bytes) -> bytes:
            await self.connection.send(b"+ " + challenge + b"\r\n")
            return await self.connection.read_line()

        mechanism = args.keyword()
        initial = args.base64() if args.skip(b" ") else None
        args.end()
        if mechanism not in MECHANISMS or not self.offered(f"AUTH={mechanism}"):
            raise No(f"[CANNOT] {mechanism} is not offered")
        try:
            return await exchange(mechanism, initial, ask)
        except SaslError as error:
            raise Bad(str(error)) from None

    async def _verify(self, tag: str, credentials: Credentials) -> bytes:
        account = self.house.opened(credentials)
        if account is None:
            challenge = refusal(credentials.mechanism)
            if challenge is not None and not self.connection.is_muted:
                await self.connection.send(b"+ " + challenge + b"\r\n")
                await self.connection.read_line()
            return _tagged(tag, No("[AUTHENTICATIONFAILED] Invalid credentials"))
        others = [s for s in self.house.sessions.values() if s.service is Service.IMAP and s.account is account]
        if account.connection_limit is not None and len(others) >= account.connection_limit:
            return _tagged(tag, No("[LIMIT] Too many simultaneous connections"))
        self.account = account
        self.token = credentials.secret if credentials.is_token else ""
        return f"{tag} OK [CAPABILITY {self.capabilities()}] Signed in\r\n".encode()


def _tagged(tag: str, error: No | Bad) -> bytes:
    return f"{tag} {'NO' if isinstance(error, No) else 'BAD'} {error}\r\n".encode()
