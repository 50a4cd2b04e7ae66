"""Opens an SMTP session: greeting, EHLO, STARTTLS, sign-in (RFC 5321, 3207, 4954). It sends no message."""

from __future__ import annotations

import binascii
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime

from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Account, Security
from postroom.core.ports.wire import OnStep
from postroom.wire.sasl import Mechanism, mechanisms_for, names_for, unsendable
from postroom.wire.smtp.dialogue import Dialogue
from postroom.wire.smtp.reply import Capabilities, Lines, capabilities_of
from postroom.wire.smtp.session import Session, Timeouts
from postroom.wire.stream import Guard, Stream

_NOT_UNDERSTOOD = frozenset({500, 501, 502, 504, 550, 554})
_UNKNOWN_MECHANISM = 504
_LONGEST_COMMAND = 510  # RFC 5321 4.5.3.1.4, without CRLF


class Smtp:
    """`SmtpWire`. `name` is what EHLO says we are: a host name, or an address literal in brackets (RFC 5321 4.1.3)."""

    def __init__(
        self,
        guard: Guard,
        *,
        now: Callable[[], datetime],
        name: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._guard = guard
        self._now = now
        self._name = (name or _own_name()).encode("ascii")
        self._timeouts = timeouts or Timeouts()

    async def open(self, account: Account, on_step: OnStep | None = None) -> Session:
        """Up to and with the sign-in, which an empty user name leaves out (a relay that knows us by our address).

        Raises Failure with the evidence of the step that failed, within 15 seconds a step.
        """
        stream = await Stream.open(account, self._guard, on_step, timeout=self._timeouts.step, now=self._now)
        try:
            return await self._converse(Dialogue(stream), sign_in=bool(account.endpoint.username))
        except BaseException:
            stream.abort()
            raise

    async def reach(self, account: Account, on_step: OnStep | None = None) -> None:
        """Everything before the sign-in, and good-bye. Raises Failure as `open` does."""
        stream = await Stream.open(account, self._guard, on_step, timeout=self._timeouts.step, now=self._now)
        try:
            session = await self._converse(Dialogue(stream), sign_in=False)
            await session.quit()
        finally:
            stream.abort()

    async def _converse(self, dialogue: Dialogue, *, sign_in: bool) -> Session:
        account = dialogue.stream.account
        await self._greeting(dialogue)
        capabilities = await self._capabilities(dialogue)
        if account.endpoint.security is Security.STARTTLS:
            await self._start_tls(dialogue, capabilities)
            capabilities = await self._capabilities(dialogue)  # RFC 3207 4.2: what was said before counts no more
        if sign_in:
            await self._sign_in(dialogue, capabilities)
        return Session(dialogue, capabilities, self._timeouts)

    async def _greeting(self, dialogue: Dialogue) -> None:
        async with dialogue.stream.step("greeting", Stage.GREETING) as report:
            await dialogue.stream.first_word()
            reply = await dialogue.reply(self._timeouts.step)
            if not reply.accepted:
                raise dialogue.failure(reply)
            report.detail = reply.lines[0]

    async def _capabilities(self, dialogue: Dialogue) -> Capabilities:
        async with dialogue.stream.step("capabilities", Stage.EHLO) as report:
            reply = await dialogue.ask(b"EHLO " + self._name, self._timeouts.step)
            if reply.accepted:
                capabilities = capabilities_of(reply)
                report.detail = ", ".join(sorted(capabilities.keywords)) or "none"
                return capabilities
            if reply.code not in _NOT_UNDERSTOOD:
                raise dialogue.failure(reply)
            older = await dialogue.ask(b"HELO " + self._name, self._timeouts.step)
            if not older.accepted:
                raise dialogue.failure(Lines(reply.code, reply.lines + older.lines))
            report.detail = "none: the server knows HELO only"
            return Capabilities(raw=reply.raw)

    async def _start_tls(self, dialogue: Dialogue, capabilities: Capabilities) -> None:
        stream = dialogue.stream
        async with stream.step("starttls", Stage.STARTTLS) as report:
            if "STARTTLS" not in capabilities:
                raise stream.failure(exception="NotOffered: STARTTLS")
            reply = await dialogue.ask(b"STARTTLS", self._timeouts.step)
            if not reply.accepted:
                raise dialogue.failure(reply)
            report.detail = reply.lines[0]
        await stream.start_tls()

    async def _sign_in(self, dialogue: Dialogue, capabilities: Capabilities) -> None:
        stream = dialogue.stream
        username, credential = stream.account.endpoint.username, stream.account.credential
        async with stream.step("sign_in", Stage.AUTH) as report:
            if not capabilities.mechanisms:
                raise stream.failure(exception="NotOffered: AUTH")
            if (why := unsendable(stream.account)) is not None:
                raise stream.failure(exception=why)
            usable = mechanisms_for(stream.account, capabilities.mechanisms)
            if not usable:
                wanted, offered = " or ".join(names_for(credential.kind)), " ".join(capabilities.mechanisms)
                raise stream.failure(exception=f"NotOffered: AUTH {wanted}; the server offers {offered}")
            for mechanism in usable:
                stream.mechanism = mechanism.name
                reply, challenge = await self._authenticate(dialogue, mechanism)
                if reply.accepted:
                    report.detail = f"{mechanism.name} as {username}"
                    return
                # Any other refusal may be one of the password, and tried again it locks the account.
                if reply.code != _UNKNOWN_MECHANISM or mechanism is usable[-1]:
                    raise dialogue.failure(reply, challenge=challenge)

    async def _authenticate(self, dialogue: Dialogue, mechanism: Mechanism) -> tuple[Lines, str | None]:
        """The last reply, and the error that a refusing server put into a challenge (RFC 7628 3.2.3)."""
        command = f"AUTH {mechanism.name}".encode()
        if mechanism.initial is not None:
            with_initial = command + b" " + _secret(dialogue, mechanism.initial)
            if len(with_initial) <= _LONGEST_COMMAND:
                command = with_initial
        reply = await dialogue.ask(command, self._timeouts.step, secret=True)
        told: str | None = None
        while reply.code == 334:
            challenge = _decoded(reply)
            words = mechanism.answer(challenge)
            if words is None:
                if told is not None:
                    raise dialogue.out_of_turn(reply, Stage.AUTH)
                told = challenge.decode("utf-8", "replace")
            answer = b64encode(mechanism.farewell or b"") if words is None else _secret(dialogue, words)
            reply = await dialogue.ask(answer, self._timeouts.step, secret=True)
        if not reply.accepted and not reply.refused:
            raise dialogue.out_of_turn(reply, Stage.AUTH)
        return reply, told


def _secret(dialogue: Dialogue, words: bytes) -> bytes:
    encoded = b64encode(words)
    if encoded:
        dialogue.conceal(encoded)
    return encoded


def _decoded(challenge: Lines) -> bytes:
    encoded = challenge.text.strip()
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return encoded.encode()  # some servers write their prompts in plain text


def _own_name() -> str:
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
