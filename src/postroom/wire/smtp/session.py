"""A signed-in SMTP session: messages handed over one after the other. It never repeats one and judges no refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from postroom.core.budget import Told
from postroom.core.diagnosis.evidence import Failure, Stage, TlsFacts, Unanswered
from postroom.core.ports.wire import Answer, Envelope, Reply
from postroom.wire.smtp import body
from postroom.wire.smtp.dialogue import SERVICE_CLOSING, Dialogue
from postroom.wire.smtp.envelope import transaction
from postroom.wire.smtp.exchange import BeforeData, Exchange
from postroom.wire.smtp.reply import Capabilities, NotSmtp, ReplyReader

_ONE_WRITE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `step` bounds each step of opening, NOOP and RSET; `reply` MAIL, RCPT and DATA (RFC 5321 4.5.3.2 has 2
    and 5 minutes; a failure there is harmless); `block` a body that does not move (3 minutes there); `answer` the
    answer to the final dot (10 minutes there: giving up early is what makes duplicates; half of it serves in
    practice, and what is unanswered is looked for in Sent)."""

    step: float = 15
    reply: float = 120
    block: float = 180
    answer: float = 300


class Session:
    """`SmtpSession`. One message at a time; after a Failure, a 421 or a cancelled call it is closed."""

    def __init__(self, dialogue: Dialogue, capabilities: Capabilities, timeouts: Timeouts) -> None:
        self._dialogue = dialogue
        self._stream = dialogue.stream
        self._capabilities = capabilities
        self._timeouts = timeouts

    @property
    def told(self) -> Told:
        """The limits that EHLO named."""
        return self._capabilities.told

    @property
    def tls(self) -> TlsFacts | None:
        """What the handshake showed; None without TLS."""
        return self._stream.tls

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent. A server that speaks unasked is about to close (421)."""
        return self._stream.closed or self._stream.buffered

    async def send(self, envelope: Envelope, raw: bytes, before_data: BeforeData) -> Answer:
        """One message; see the port for Failure (surely not handed over) and Unanswered (it may have been).

        With PIPELINING `before_data` runs while the server works on the envelope, and is awaited also where the
        envelope is then refused; without, only once a recipient was accepted. Where MAIL is refused, `recipients` is
        empty. A 421 inside the envelope answers for every recipient without a reply of its own, and is then also
        `data`: nothing was accepted. Bytes beyond ASCII go out as they are where 8BITMIME is not offered: servers take
        them, and changing them would break signatures. Raises ValueError, with nothing written, for addresses that hold
        control characters or angle brackets, and where there are no recipients.
        """
        planned = transaction(envelope, raw, self._capabilities)
        await self._still_there()
        if planned.sender_refused is not None:
            return Answer(self._own(planned.sender_refused, Stage.MAIL), {}, None)
        refused = {who: self._own(reply, Stage.RCPT, who) for who, reply in planned.refused.items()}
        if not planned.recipients:
            return Answer(Reply(250, "not asked: no recipient is left"), refused, None)
        exchange = Exchange(self._dialogue, self._timeouts.reply, planned, before_data)
        try:
            await (exchange.pipelined() if "PIPELINING" in self._capabilities else exchange.one_by_one())
            data = await self._message(raw) if exchange.wants_message else exchange.data
        except BaseException:
            self._stream.abort()  # a transaction cannot be taken up again in the middle
            raise
        answer = Answer(exchange.sender, refused | exchange.recipients, data)
        await self._tidy(answer, reset=not exchange.wants_message)
        if exchange.given_up:
            self._stream.stage = Stage.DATA
            raise Failure(self._stream.evidence(exception="GivenUp: the message was not to be handed over any more"))
        return answer

    async def offer(self, sender: str, recipient: str) -> Answer:
        """MAIL and RCPT, then RSET: what the server says to the envelope. No message is begun.

        Both are asked because Postfix judges the sender only at RCPT (smtpd_delay_reject). Raises Failure, and
        ValueError as `send` does.
        """

        async def never() -> bool:
            return False

        planned = transaction(Envelope(sender, (recipient,)), b"\r\n", self._capabilities)
        await self._still_there()
        if planned.sender_refused is not None:
            return Answer(self._own(planned.sender_refused, Stage.MAIL), {}, None)
        refused = {who: self._own(reply, Stage.RCPT, who) for who, reply in planned.refused.items()}
        exchange = Exchange(self._dialogue, self._timeouts.step, planned, never)
        await exchange.one_by_one()
        answer = Answer(exchange.sender, refused | exchange.recipients, exchange.data)
        await self._tidy(answer, reset=True)
        return answer

    async def noop(self) -> None:
        """Raises Failure (stage send) where the server is gone or refuses."""
        await self._still_there()
        reply = await self._dialogue.ask(b"NOOP", self._timeouts.step)
        if not reply.accepted:
            raise self._dialogue.failure(reply)

    async def quit(self) -> None:
        """QUIT and close. Never raises but CancelledError."""
        try:
            if not self.closed:
                await self._dialogue.ask(b"QUIT", min(5, self._timeouts.step))
        except Failure:
            return  # it is closed, which was wanted
        finally:
            await self._stream.close()

    def abort(self) -> None:
        """Closes at once. Never raises."""
        self._stream.abort()

    async def _still_there(self) -> None:
        """Raises Failure with what the server said when it left, if it has."""
        self._stream.stage = Stage.SEND
        if self._stream.buffered:
            raise self._dialogue.failure(await self._dialogue.reply(1))
        if self._stream.closed:
            raise self._stream.lost()

    async def _message(self, raw: bytes) -> Reply:
        """The body and the answer to it. Before the last write any end is a Failure, from there on it is Unanswered."""
        last = b""
        self._stream.timeout = self._timeouts.block / 4  # the stream waits four of them for a body that does not move
        try:
            for chunk in _chunks(raw):
                if self._stream.buffered:
                    return await self._early()
                if last:
                    await self._stream.write(last, secret=True)
                    # Others get their turn, and what the server said is read: the loop looks in the first round and
                    # hands over in the second. A write to a broken connection would throw the server's words away.
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                last = chunk
        except Failure as failure:
            return self._last_words(failure)
        if self._stream.buffered:
            return await self._early()
        if self._stream.closed:
            return self._last_words(self._stream.lost())
        try:
            return await self._handed_over(last)
        except Failure as failure:
            raise Unanswered(failure.evidence) from failure

    async def _handed_over(self, last: bytes) -> Reply:
        lost: Failure | None = None
        try:
            await self._stream.write(last, secret=True)
        except Failure as failure:
            lost = failure  # the answer may be here all the same
        if lost is not None and not self._stream.buffered:
            raise lost
        reply = await self._dialogue.reply(self._timeouts.answer)
        if not reply.accepted and not reply.refused:
            raise self._dialogue.out_of_turn(reply, Stage.DATA)
        return self._dialogue.answer(reply, Stage.DATA)

    async def _early(self) -> Reply:
        """What the server says before the final dot is a refusal, and the end: it still waits for the rest."""
        reply = await self._dialogue.reply(self._timeouts.step)
        if not reply.refused:
            raise self._dialogue.out_of_turn(reply, Stage.DATA)
        answer = self._dialogue.answer(reply, Stage.DATA)
        self._stream.abort()
        return answer

    def _last_words(self, failure: Failure) -> Reply:
        """A refusal that came before the connection broke under the body; raises `failure` where there is none."""
        reader = ReplyReader()
        try:
            found = [reader.feed(line) for line in failure.evidence.raw.encode().splitlines()]
        except NotSmtp:
            raise failure from None
        reply = next((one for one in found if one is not None and one.refused), None)
        if reply is None:
            raise failure
        return self._dialogue.answer(reply, Stage.DATA)

    async def _tidy(self, answer: Answer, *, reset: bool) -> None:
        """RSET after a transaction without a message; the answer counts whatever becomes of the session."""
        replies = [answer.sender, *answer.recipients.values(), *([answer.data] if answer.data else [])]
        if any(reply.code == SERVICE_CLOSING for reply in replies):
            self._stream.abort()
        if self._stream.closed or not reset:
            return
        try:
            reply = await self._dialogue.ask(b"RSET", self._timeouts.step)
            if not reply.accepted:
                self._stream.abort()
        except Failure:
            return  # the session is closed, and says so

    def _own(self, reply: Reply, stage: Stage, recipient: str | None = None) -> Reply:
        self._stream.stage = stage
        evidence = self._stream.evidence(
            f"{reply.code} {reply.text}", smtp_code=reply.code, enhanced=reply.text.split()[0], recipient=recipient
        )
        return Reply(reply.code, reply.text, evidence)


def _chunks(raw: bytes) -> Iterator[bytes]:
    """The body, with the final dot behind the last piece, or by itself where both would not fit into one write: what
    fails before the write that holds the dot is surely not handed over."""
    last = b""
    for chunk in body.chunks(raw):
        if last:
            yield last
        last = chunk
    if len(last) + len(body.END) > _ONE_WRITE:
        yield last
        last = b""
    yield last + body.END
