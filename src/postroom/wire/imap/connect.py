"""From an account to a signed-in session: greeting, capabilities, STARTTLS, sign-in, ID. It selects no folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from postroom import __version__
from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Account, Security
from postroom.core.ports.wire import OnStep
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Data, Response, Status, parse
from postroom.wire.imap.names import quotable, quoted
from postroom.wire.imap.session import Session
from postroom.wire.imap.signin import sign_in
from postroom.wire.imap.tokens import Unparsable
from postroom.wire.stream import Guard, Stream

PATIENCE: Final = 60
"""Seconds of silence that a command may take once we are signed in: SELECT of a huge folder, the end of an APPEND."""

POSTROOM: Final = {"name": "Postroom", "version": __version__}


class Imap:
    """Opens IMAP sessions (RFC 3501, 9051)."""

    def __init__(
        self,
        guard: Guard,
        *,
        now: Callable[[], datetime],
        client_id: Mapping[str, str] | None = None,
        spool: Path | None = None,
        timeout: float = 15,
        patience: float = PATIENCE,
    ) -> None:
        """`client_id` is what ID (RFC 2971) tells the server; `spool` the folder in which big messages lie while they
        come (None: where temporary files are); `timeout` are seconds for each step of opening, `patience` seconds of
        silence later."""
        self._guard = guard
        self._now = now
        self._spool = spool
        self._client_id = dict(POSTROOM if client_id is None else client_id)
        self._timeout = timeout
        self._patience = patience

    async def open(self, account: Account, on_step: OnStep | None = None) -> Session:
        """Raises Failure with the evidence of the step that failed."""
        stream = await Stream.open(account, self._guard, on_step, timeout=self._timeout, now=self._now)
        try:
            dialogue = Dialogue(stream, self._spool)
            if await self._reached(dialogue):
                await self._introduce(dialogue)
            else:
                await self._sign_in(dialogue, account)
        except BaseException:
            stream.abort()
            raise
        stream.timeout = self._patience
        return Session(dialogue)

    async def reach(self, account: Account, on_step: OnStep | None = None) -> None:
        """Everything before the sign-in, and good-bye. Raises Failure as `open` does."""
        stream = await Stream.open(account, self._guard, on_step, timeout=self._timeout, now=self._now)
        try:
            dialogue = Dialogue(stream)
            await self._reached(dialogue)
            await Session(dialogue).logout()
        finally:
            stream.abort()

    async def _reached(self, dialogue: Dialogue) -> bool:
        """Up to the sign-in; whether the server says that we are signed in already."""
        signed_in = await self._greeted(dialogue)
        if not dialogue.capabilities:
            await _capabilities(dialogue)
        if dialogue.stream.account.endpoint.security is Security.STARTTLS:
            await _start_tls(dialogue)
        return signed_in

    async def _greeted(self, dialogue: Dialogue) -> bool:
        """Whether the greeting says that we are signed in already (PREAUTH)."""
        async with dialogue.stream.step("greeting", Stage.GREETING) as report:
            dialogue.begin(Stage.GREETING)
            await dialogue.stream.first_word()
            greeting = await _greeting(dialogue)
            report.detail = greeting.text
            if greeting.word != "PREAUTH":
                return False
            if dialogue.stream.account.endpoint.security is Security.STARTTLS:
                # Signed in, STARTTLS is not allowed any more (RFC 9051 6.2.1): somebody may have made it so.
                raise dialogue.stream.failure(greeting.line, exception="ProtocolError: PREAUTH before STARTTLS")
            return True

    async def _sign_in(self, dialogue: Dialogue, account: Account) -> None:
        async with dialogue.stream.step("sign_in", Stage.AUTH) as report:
            before = dialogue.capabilities
            await sign_in(dialogue, account)
            report.detail = f"{dialogue.stream.mechanism} as {account.endpoint.username}"
            dialogue.begin(Stage.CAPABILITY)
            if dialogue.capabilities is before:
                await dialogue.must(b"CAPABILITY")
            # Some, 163.com among them, announce ID before the sign-in only, and want it after.
            dialogue.capabilities |= before & {"ID"}
            await self._introduce(dialogue)

    async def _introduce(self, dialogue: Dialogue) -> None:
        """Says who we are (ID, RFC 2971), without which 163.com and others refuse SELECT, and takes names and headers
        in UTF-8 (RFC 6855), without which servers hide or rewrite such messages. One round trip for both."""
        offered = dialogue.capabilities
        commands: list[bytes] = []
        if "ID" in offered and self._client_id:
            commands.append(b"ID (" + b" ".join(_id_fields(self._client_id)) + b")")
        if offered & {"ENABLE", "IMAP4REV2"} and offered & {"UTF8=ACCEPT", "UTF8=ONLY"}:
            commands.append(b"ENABLE UTF8=ACCEPT")

        def keep(data: Data) -> None:
            if data.name == "ENABLED":
                dialogue.utf8 = "UTF8=ACCEPT" in {str(token).upper() for token in data.tokens()}

        dialogue.begin(Stage.CAPABILITY)
        for tag in [await dialogue.send(command) for command in commands]:
            await dialogue.result(tag, keep)


async def _greeting(dialogue: Dialogue) -> Status:
    line = await dialogue.stream.read_line(record=False)
    greeting: Response | None
    try:
        greeting = parse((line,))
    except Unparsable:
        greeting = None
    if isinstance(greeting, Status) and greeting.untagged and greeting.word in ("OK", "PREAUTH", "BYE"):
        await dialogue.take_note(greeting)
        return greeting
    if isinstance(greeting, Status) and greeting.untagged:
        # RFC 9051 7.1 has no such greeting; Yahoo greets with "* NO [UNAVAILABLE]" when it is in trouble.
        dialogue.stream.record("S", line)
        raise dialogue.stream.failure(greeting.line, status=greeting.word, response_code=greeting.code)
    dialogue.stream.record("S", line)
    said = dialogue.stream.rest_of(line)
    raise dialogue.stream.failure(said, exception="ProtocolError: what answers there is no IMAP server")


async def _capabilities(dialogue: Dialogue) -> None:
    async with dialogue.stream.step("capabilities", Stage.CAPABILITY) as report:
        dialogue.begin(Stage.CAPABILITY)
        await dialogue.must(b"CAPABILITY")
        report.detail = " ".join(sorted(dialogue.capabilities))


async def _start_tls(dialogue: Dialogue) -> None:
    async with dialogue.stream.step("starttls", Stage.STARTTLS):
        dialogue.begin(Stage.STARTTLS)
        if "STARTTLS" not in dialogue.capabilities:
            capabilities = "* CAPABILITY " + " ".join(sorted(dialogue.capabilities))
            raise dialogue.stream.failure(capabilities, exception="NotOffered: STARTTLS")
        await dialogue.must(b"STARTTLS")
    await dialogue.stream.start_tls(_agree_on_tls)
    dialogue.capabilities = frozenset()  # what was said in plain text may have been anybody's (RFC 9051 6.2.1)
    await _capabilities(dialogue)


async def _agree_on_tls(stream: Stream) -> None:
    again = Dialogue(stream)
    await _greeting(again)
    await again.must(b"STARTTLS")


def _id_fields(client_id: Mapping[str, str]) -> list[bytes]:
    pairs = [(name.encode(), value.encode()) for name, value in client_id.items()]
    return [quoted(word) for pair in pairs if all(map(quotable, pair)) for word in pair]
