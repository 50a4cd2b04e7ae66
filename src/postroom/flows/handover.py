"""One message handed over: sent, its answer judged, the outcome made ready. It opens no session and writes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto

import structlog

from postroom.core import limits, provider, retry
from postroom.core.answer import Judged, interrupted, judge, returned
from postroom.core.delivery import Attempt, Delivery, Effect, RecipientState, SentCopy, Signal, State, step
from postroom.core.diagnosis import Diagnosis, Evidence, Failure, Stage, Unanswered, diagnose
from postroom.core.mailbox import Alias, Direction, Mailbox
from postroom.core.ports.store import Settlement, Store
from postroom.core.ports.wire import Answer, Envelope
from postroom.core.ports.world import World
from postroom.flows.announce import delivery_events
from postroom.flows.lines import Line
from postroom.flows.recover import Recover
from postroom.flows.sessions import Sessions

log = structlog.get_logger()

BREAKS = 3
"""Sessions that one message may break before it is put off and the others go first."""

Begin = Callable[[], Awaitable[bool]]
"""Commits that the message is being handed over; False where it may not be any more. Asked again, it says the same."""
Insist = Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]


class Next(Enum):
    """What a drain does after a try."""

    GO_ON = auto()
    AGAIN = auto()  # the same message first, over a new session
    STOP = auto()  # the mailbox failed


@dataclass(frozen=True, slots=True)
class Tried:
    """`settlement` is to be written; None where the message was not handed over after all: cancelled, or held."""

    settlement: Settlement | None
    then: Next


class Handover:
    """One try of one message."""

    def __init__(self, store: Store, sessions: Sessions, recover: Recover, world: World, insist: Insist) -> None:
        self._store = store
        self._sessions = sessions
        self._recover = recover
        self._world = world
        self._insist = insist

    async def send(
        self, mailbox: Mailbox, line: Line, delivery: Delivery, raw: bytes, begin: Begin, *, alone: bool = False
    ) -> Tried:
        """`alone`: the mailbox is not connected, and this message is to tell whether it is."""
        began = self._world.now()
        addresses = tuple(one.address for one in delivery.pending)
        utf8 = not all(address.isascii() for address in (delivery.sender, *addresses))
        try:
            answer = await line.session.send(Envelope(delivery.sender, addresses, utf8), raw, begin)
        except Failure as failure:
            if not await begin():
                return Tried(None, Next.GO_ON)
            return await self._broke(mailbox, delivery, began, failure, alone=alone)
        if not await begin():
            return Tried(None, Next.GO_ON)  # cancelled or held while the server was refusing it
        return await self._answered(mailbox, line, delivery, answer, began, alone=alone)

    def faulty(self, mailbox: Mailbox, delivery: Delivery, *, unknown: bool) -> Settlement:
        """A try that broke by a fault of ours; `unknown`: maybe after the message was handed over."""
        diagnosis = diagnose(Evidence(Direction.SMTP, Stage.SEND, exception="ProtocolError: a fault of Postroom"))
        judged = Judged(Signal.UNANSWERED if unknown else Signal.PUT_OFF, delivery.recipients, diagnosis)
        return self._settlement(mailbox, delivery, judged, self._world.now(), reply=None, tell=True)

    async def _broke(
        self, mailbox: Mailbox, delivery: Delivery, began: datetime, failure: Failure, *, alone: bool
    ) -> Tried:
        """The session failed in the middle: before the message was handed over, or (Unanswered) after."""
        diagnosis = diagnose(failure.evidence)
        log.info("session broke", mailbox=mailbox.id, delivery=delivery.id, code=diagnosis.name)
        if isinstance(failure, Unanswered):
            signal = Signal.UNANSWERED
        elif delivery.attempts + 1 >= BREAKS:
            signal = Signal.PUT_OFF  # a message that breaks each session must not keep the others waiting
        else:
            signal = Signal.MAILBOX_REFUSED if alone else Signal.INTERRUPTED
        judged = Judged(signal, delivery.recipients, diagnosis)
        stops = alone and signal is not Signal.PUT_OFF
        if stops:
            await self._insist(lambda: self._recover.judged(mailbox, Direction.SMTP, diagnosis))
        settlement = self._settlement(mailbox, delivery, judged, began, reply=diagnosis.raw, tell=not alone)
        return Tried(settlement, Next.STOP if stops else Next.AGAIN)

    async def _answered(
        self, mailbox: Mailbox, line: Line, delivery: Delivery, answer: Answer, began: datetime, *, alone: bool
    ) -> Tried:
        await self._store.heard(mailbox.id, Direction.SMTP, self._world.now())
        judged = judge(delivery, answer)
        then = Next.GO_ON
        if line.carried and (judged.session_over or await self._renewed(mailbox, line, judged.mailbox)):
            judged, then = interrupted(delivery, judged), Next.AGAIN
        elif (
            judged.mailbox is not None
            and judged.mailbox.code == "access_restricted"
            and (alias := _alias(mailbox, delivery)) is not None
        ):
            # What is refused is the alias: the message goes back, and the mailbox sends on as itself.
            await self._alias_refused(mailbox, replace(alias, refused=judged.mailbox.reason))
            judged = returned(delivery, judged, judged.mailbox)
        elif judged.mailbox is not None:
            # The mailbox first, so that nothing else goes out; then the delivery, which waits with it.
            await self._refused(mailbox, judged.mailbox)
            then = Next.STOP
        line.carried += 1
        reply = next((one.text for one in (answer.data, answer.sender) if one is not None), None)
        return Tried(self._settlement(mailbox, delivery, judged, began, reply=reply, tell=not alone), then)

    async def _renewed(self, mailbox: Mailbox, line: Line, refused: Diagnosis | None) -> bool:
        """Whether it was the token that died on an open session, and there is another now."""
        if refused is None:
            return False

        async def asked() -> bool:
            try:
                return await self._sessions.renewed(mailbox, Direction.SMTP, refused, line.opened_at)
            except Failure:
                return False

        return bool(await self._insist(asked))

    async def _refused(self, mailbox: Mailbox, diagnosis: Diagnosis) -> None:
        await self._insist(lambda: self._recover.judged(mailbox, Direction.SMTP, diagnosis))

    async def _alias_refused(self, mailbox: Mailbox, told: Alias) -> None:
        async def write() -> None:
            known = await self._store.settings(mailbox.id)
            if known is not None:
                aliases = tuple(told if one.address == told.address else one for one in known.aliases)
                await self._store.update_mailbox(replace(known, aliases=aliases))
                log.warning("an alias is refused", mailbox=mailbox.id)

        await self._insist(write)

    def _settlement(
        self, mailbox: Mailbox, delivery: Delivery, judged: Judged, began: datetime, *, reply: str | None, tell: bool
    ) -> Settlement:
        now = self._world.now()
        state, effects = step(State.SENDING, judged.signal)
        settled = replace(
            delivery,
            state=state,
            attempts=delivery.attempts + 1,
            recipients=judged.recipients,
            diagnosis=judged.diagnosis,
            updated_at=now,
            next_attempt_at=self._next_attempt(delivery, judged, now),
            sent_copy=_copy(mailbox, delivery, judged, effects),
        )
        attempt = Attempt(
            delivery_id=delivery.id,
            number=settled.attempts,
            started_at=began,
            ended_at=now,
            outcome=judged.signal,
            reply=reply,
            diagnosis=judged.diagnosis,
            recipients=judged.recipients,
        )
        if not tell:
            effects = tuple(effect for effect in effects if effect is not Effect.TELL_HELD)
        log.info(
            "delivery",
            delivery=delivery.id,
            mailbox=mailbox.id,
            state=state,
            attempt=settled.attempts,
            because=judged.signal,
            code=judged.diagnosis.name if judged.diagnosis else None,
        )
        events = delivery_events(self._world, settled, effects)
        counts = _accepted(settled) - _accepted(delivery) if limits.budget(mailbox).of_a_day else 0
        return Settlement(settled, State.SENDING, attempt, events, counts=counts)

    def _next_attempt(self, delivery: Delivery, judged: Judged, now: datetime) -> datetime:
        if judged.signal in (Signal.INTERRUPTED, Signal.MAILBOX_REFUSED):
            return delivery.next_attempt_at  # it keeps its place among those that wait
        if judged.signal is not Signal.PUT_OFF:
            return now
        after = judged.diagnosis.retry_after if judged.diagnosis else None
        return retry.next_attempt(delivery.attempts + 1, now, self._world.jitter(), after)


def _alias(mailbox: Mailbox, delivery: Delivery) -> Alias | None:
    """The alias that a delivery is sent from, if it is one."""
    return None if delivery.sender.casefold() == mailbox.address.casefold() else mailbox.alias(delivery.sender)


def _accepted(delivery: Delivery) -> int:
    return sum(one.state is RecipientState.ACCEPTED for one in delivery.recipients)


def _copy(mailbox: Mailbox, delivery: Delivery, judged: Judged, effects: tuple[Effect, ...]) -> SentCopy:
    accepted = any(one.state is RecipientState.ACCEPTED for one in judged.recipients)
    if delivery.sent_copy is not SentCopy.NONE or not accepted or Effect.COPY_TO_SENT not in effects:
        return delivery.sent_copy
    return SentCopy.BY_PROVIDER if provider.by_key(mailbox.provider).saves_sent else SentCopy.DUE
