"""Commands out and replies in over one stream, with what each refusal showed. It knows no order of commands."""

from __future__ import annotations

import time
from dataclasses import replace

from postroom.core.diagnosis.evidence import Evidence, Failure, Stage
from postroom.core.ports.wire import Reply
from postroom.wire.smtp.reply import LONGEST_LINE, Lines, NotSmtp, ReplyReader
from postroom.wire.stream import Stream

SERVICE_CLOSING = 421
"""RFC 5321 3.8: after this reply, whatever it answers, the server closes."""


class Dialogue:
    """One conversation. Every reply is awaited for a bounded time; what is no SMTP is a Failure."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._concealed: tuple[bytes, ...] = ()

    def conceal(self, secret: bytes) -> None:
        """From now on these bytes are shown as three stars: some servers repeat the command that they refuse."""
        self._concealed = (*self._concealed, secret)

    async def _line(self) -> bytes:
        line = await self.stream.read_line(LONGEST_LINE, record=False)
        for secret in self._concealed:
            line = line.replace(secret, b"***")
        self.stream.record("S", line)
        return line

    async def ask(self, command: bytes, seconds: float, *, secret: bool = False) -> Lines:
        """Writes a line and gives the reply to it. Raises Failure."""
        await self.stream.write(command + b"\r\n", secret=secret)
        return await self.reply(seconds)

    async def reply(self, seconds: float) -> Lines:
        """The next whole reply. Raises Failure, with the part of the reply that did come as `raw`, where the server is
        silent for `seconds`, or trickles for longer than a few times that."""
        reader = ReplyReader()
        stream = self.stream
        stream.timeout = seconds
        ends = time.monotonic() + seconds
        try:
            while True:
                found = reader.feed(await self._line())
                if found is not None:
                    return found
                if time.monotonic() > ends:
                    raise stream.silence(seconds)
        except NotSmtp as error:
            raise stream.failure(reader.partial, exception=f"ProtocolError: {error}") from error
        except Failure as failure:
            if not reader.partial:
                raise
            whole = f"{reader.partial}\n{failure.evidence.raw}"
            raise Failure(replace(failure.evidence, raw=whole)) from failure

    def evidence(self, reply: Lines, stage: Stage, recipient: str | None = None) -> Evidence:
        """A refusal as it was seen."""
        self.stream.stage = stage
        return self.stream.evidence(reply.raw, smtp_code=reply.code, enhanced=reply.enhanced, recipient=recipient)

    def failure(self, reply: Lines, *, challenge: str | None = None) -> Failure:
        """A refusal that ends the session, to be raised; the stream's stage is its stage."""
        return self.stream.failure(reply.raw, smtp_code=reply.code, enhanced=reply.enhanced, challenge=challenge)

    def out_of_turn(self, reply: Lines, stage: Stage) -> Failure:
        """A reply that has no meaning where it came, such as 354 to MAIL: whose answer it is, nobody knows."""
        self.stream.stage = stage
        return self.stream.failure(
            reply.raw, exception=f"ProtocolError: {reply.code} is no answer to this", smtp_code=reply.code
        )

    def answer(self, reply: Lines, stage: Stage, recipient: str | None = None) -> Reply:
        """A reply of 2yz, 4yz or 5yz as the port's Reply, with evidence where it refuses."""
        if reply.accepted:
            return Reply(reply.code, reply.text)
        return Reply(reply.code, reply.text, self.evidence(reply, stage, recipient))
