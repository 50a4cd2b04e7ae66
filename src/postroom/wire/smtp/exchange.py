"""One transaction's envelope: MAIL, RCPT, DATA and the replies to them (RFC 5321 3.3, 2920). It sends no message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.ports.wire import Reply
from postroom.wire.smtp.body import END
from postroom.wire.smtp.dialogue import SERVICE_CLOSING, Dialogue
from postroom.wire.smtp.envelope import Transaction
from postroom.wire.smtp.reply import Lines

TOGETHER = 100
"""RCPT commands written at once: their replies must fit into the buffers between us (RFC 2920 3.1)."""

BeforeData = Callable[[], Awaitable[bool]]


class Exchange:
    """What came of the envelope. `wants_message`: DATA was answered by 354, somebody was accepted, and `before_data`
    agreed; else `data` is the last word (None where nobody was accepted), or `given_up` says that `before_data` did not
    agree."""

    def __init__(self, dialogue: Dialogue, seconds: float, planned: Transaction, before_data: BeforeData) -> None:
        self.sender = Reply(0, "")
        self.recipients: dict[str, Reply] = {}
        self.data: Reply | None = None
        self.wants_message = False
        self.given_up = False
        self._dialogue = dialogue
        self._seconds = seconds
        self._planned = planned
        self._before_data = before_data

    async def one_by_one(self) -> None:
        """For servers without PIPELINING. Raises Failure."""
        write = self._dialogue.stream.write
        await write(self._planned.mail + b"\r\n")
        await self._mail_answered()
        for recipient, command in self._planned.recipients.items():
            if self._over:
                return
            await write(command + b"\r\n")
            await self._recipient_answered(recipient)
        if self._over or not self._anybody:
            return
        if not await self._before_data():
            self.given_up = True
            return
        await write(b"DATA\r\n")
        await self._data_answered()

    async def pipelined(self) -> None:
        """All in one write, or in few where there are very many recipients. Raises Failure."""
        names = list(self._planned.recipients)
        batches = [names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER)]
        for batch in batches:
            first, last = batch is batches[0], batch is batches[-1]
            commands = [self._planned.mail] if first else []
            commands += [self._planned.recipients[name] for name in batch]
            commands += [b"DATA"] if last else []
            await self._dialogue.stream.write(b"\r\n".join(commands) + b"\r\n")
            if last:
                self.given_up = not await self._before_data()
            if first:
                await self._mail_answered()
            if not self.sender.ok:
                await self._leftovers(len(batch), data=last)
                return
            for name in batch:
                if not self._over:
                    await self._recipient_answered(name)
            if self._over:
                return
        if self._anybody:
            await self._data_answered()
        else:
            await self._leftovers(0, data=True)

    @property
    def _over(self) -> bool:
        return not self.sender.ok or self.data is not None

    @property
    def _anybody(self) -> bool:
        return any(reply.ok for reply in self.recipients.values())

    async def _mail_answered(self) -> None:
        self.sender = self._dialogue.answer(await self._reply(Stage.MAIL), Stage.MAIL)

    async def _recipient_answered(self, recipient: str) -> None:
        reply = await self._reply(Stage.RCPT, recipient)
        self.recipients[recipient] = self._dialogue.answer(reply, Stage.RCPT, recipient)
        if reply.code == SERVICE_CLOSING:
            for other in self._planned.recipients:
                self.recipients.setdefault(other, self._dialogue.answer(reply, Stage.RCPT, other))
            self.data = self._dialogue.answer(reply, Stage.RCPT)

    async def _data_answered(self) -> None:
        reply = await self._reply(Stage.DATA, go_ahead=True)
        if reply.refused:
            self.data = self._dialogue.answer(reply, Stage.DATA)
            return
        if self.given_up:
            self._dialogue.stream.abort()  # a dot would send an empty message, a close sends none (RFC 5321 4.1.1.4)
        self.wants_message = not self.given_up

    async def _reply(self, stage: Stage, recipient: str | None = None, *, go_ahead: bool = False) -> Lines:
        stream = self._dialogue.stream
        stream.stage = stage
        reply = await self._dialogue.reply(self._seconds)
        if not reply.refused and reply.accepted is go_ahead:
            raise self._dialogue.out_of_turn(reply, stage)
        return reply

    async def _leftovers(self, recipients: int, *, data: bool) -> None:
        """Replies that come though nothing is wanted any more. A server that lets DATA begin without anybody to send
        to gets an empty end (RFC 2920 3.1). What is known of the envelope stays true if the session ends here."""
        if self.sender.code == SERVICE_CLOSING:
            return
        try:
            for _ in range(recipients):
                await self._reply(Stage.RCPT)
            if data and not (await self._dialogue.reply(self._seconds)).refused:
                await self._dialogue.ask(END.rstrip(), self._seconds)
        except Failure:
            return
