"""The queue: what is due is sent, in the order of acceptance, each outcome recorded. It composes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

import structlog

from postroom.core import provider, retry
from postroom.core.answer import Judged, judge, returned
from postroom.core.delivery import (
    Attempt,
    Delivery,
    Effect,
    RecipientState,
    SentCopy,
    Signal,
    State,
    step,
)
from postroom.core.diagnosis import Failure, Unanswered, diagnose
from postroom.core.mailbox import Alias, Direction, Mailbox
from postroom.core.ports.store import Lease, Settlement, Store, StoreUnavailable
from postroom.core.ports.wire import Answer, Envelope, SmtpSession
from postroom.core.ports.world import World
from postroom.flows.announce import delivery_events
from postroom.flows.own import Own
from postroom.flows.raw import raw_of
from postroom.flows.recover import Recover
from postroom.flows.sessions import Sessions
from postroom.flows.turns import Turns

log = structlog.get_logger()
T = TypeVar("T")

AT_ONCE = 100
"""Mailboxes that send at the same time."""
REST = timedelta(seconds=2)
"""Before a drain is tried again that broke by no fault of the mail server."""
BREAKS = 3
"""Sessions that one message may break before it is put off and the others go first."""
PATIENCE = 5.0
"""Seconds for which a message that was handed over may still be answered when we are to end."""


class Next(Enum):
    """What a drain does after a try."""

    GO_ON = auto()
    AGAIN = auto()  # the same message first
    STOP = auto()  # the mailbox failed


class Outbox:
    """Drains the mailboxes of this worker."""

    def __init__(self, store: Store, sessions: Sessions, recover: Recover, own: Own, world: World) -> None:
        self._store = store
        self._sessions = sessions
        self._recover = recover
        self._own = own
        self._world = world
        self._turns = Turns("outbox", world, at_once=AT_ONCE, rest=REST)
        self._stopping = False
        self._under_way: set[str] = set()  # deliveries
        self._doubtful: set[str] = set()  # mailboxes for which the database failed while a try began

    async def tick(self) -> None:
        """Starts a drain for each mailbox that has something due and none running."""
        due = await self._store.mailboxes_due(self._own.worker_id, self._world.now())
        for mailbox_id in dict.fromkeys([*due, *self._doubtful]):
            lease = self._own.lease(mailbox_id)
            if lease is not None:
                self._turns.give(lease, self.drain)

    async def close(self) -> None:
        """Ends the drains, each after the message under way; one that is not answered in time becomes unconfirmed."""
        self._stopping = True
        await self._turns.close(PATIENCE)

    async def drain(self, lease: Lease) -> None:
        """Sends what is due over one session until nothing is left or the mailbox fails."""
        if lease.mailbox_id in self._doubtful:
            await self._reclaim(lease)
        view = await self._store.mailbox(lease.mailbox_id)
        if view is None:
            return
        session: SmtpSession | None = None
        try:
            while waiting := await self._store.due(lease, self._world.now()):
                for delivery in waiting:
                    if self._stopping:
                        return
                    if session is None or session.closed:
                        session = await self._open(view.mailbox)
                    if session is None:
                        return
                    with self._trying(delivery):
                        then = await self._send(lease, view.mailbox, session, delivery)
                    if then is Next.STOP:
                        return
                    if then is Next.AGAIN:
                        break
        finally:
            if session is not None:
                await asyncio.shield(session.quit())

    async def probe(self, lease: Lease, mailbox: Mailbox) -> None:
        """Whether sending works again: signs in, and lets the oldest held message go first, alone."""
        if self._stopping:
            return
        session = await self._open(mailbox)
        if session is None:
            return
        try:
            held = await self._store.oldest_held(lease)
            if held is not None:
                with self._trying(held):
                    tried = await self._store.try_held(lease, held, self._world.now())
                    if tried and await self._send(lease, mailbox, session, held, alone=True) is Next.STOP:
                        return
            await self._recover.works(mailbox, Direction.SMTP)
        finally:
            await asyncio.shield(session.quit())

    @contextmanager
    def _trying(self, delivery: Delivery) -> Iterator[None]:
        """A database that fails while a row is moved to `sending` leaves open whether it was."""
        self._under_way.add(delivery.id)
        try:
            yield
        except StoreUnavailable:
            self._doubtful.add(delivery.mailbox_id)
            raise
        finally:
            self._under_way.discard(delivery.id)

    async def _reclaim(self, lease: Lease) -> None:
        """What says `sending` and is not under way: Sent is asked, as where a process has died."""
        state, _ = step(State.SENDING, Signal.UNANSWERED)
        now = self._world.now()
        for one in (await self._store.deliveries(mailbox_id=lease.mailbox_id, state=State.SENDING)).items:
            if one.id not in self._under_way:
                left = replace(one, state=state, updated_at=now, next_attempt_at=now)
                lost = Settlement(left, State.SENDING, signal=Signal.UNANSWERED, because="store_lost")
                await self._store.settle(lease, lost)
        self._doubtful.discard(lease.mailbox_id)

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """What a server answered is not said twice: kept here until the database takes it."""
        while True:
            try:
                return await write()
            except StoreUnavailable as unavailable:
                log.warning("an answer waits for the store", error=str(unavailable))
                await asyncio.sleep(REST.total_seconds())

    async def _open(self, mailbox: Mailbox) -> SmtpSession | None:
        try:
            return await self._sessions.sending(mailbox)
        except Failure as failure:
            await self._recover.failed(mailbox, Direction.SMTP, failure)
            return None

    async def _send(
        self, lease: Lease, mailbox: Mailbox, session: SmtpSession, delivery: Delivery, *, alone: bool = False
    ) -> Next:
        """One try. `alone`: the mailbox is not connected, and this message, already begun, is to tell whether it is."""
        raw = await raw_of(self._store, delivery)
        try_ = _Try(self._world.now(), begun=alone)

        async def begin() -> bool:
            if not try_.begun:
                try_.begun = await self._store.begin(lease, delivery, self._world.now())
            return try_.begun

        addresses = tuple(one.address for one in delivery.pending)
        utf8 = not all(address.isascii() for address in (delivery.sender, *addresses))
        try:
            answer = await session.send(Envelope(delivery.sender, addresses, utf8), raw, begin)
        except Failure as failure:
            if not await begin():
                return Next.GO_ON
            return await self._broke(lease, mailbox, delivery, try_.at, failure, alone=alone)
        if not await begin():
            return Next.GO_ON  # cancelled or held while the server was refusing it
        return await self._answered(lease, mailbox, delivery, answer, try_.at, alone=alone)

    async def _broke(
        self, lease: Lease, mailbox: Mailbox, delivery: Delivery, began: datetime, failure: Failure, *, alone: bool
    ) -> Next:
        """The session failed in the middle: before the message was handed over, or (Unanswered) after."""
        diagnosis = diagnose(failure.evidence)
        log.info("session broke", mailbox=mailbox.id, delivery=delivery.id, code=diagnosis.name)
        handed_over = isinstance(failure, Unanswered)
        if handed_over:
            signal = Signal.UNANSWERED
        elif delivery.attempts + 1 >= BREAKS:
            signal = Signal.PUT_OFF  # a message that breaks each session must not keep the others waiting
        else:
            signal = Signal.MAILBOX_REFUSED if alone else Signal.INTERRUPTED
        judged = Judged(signal, delivery.recipients, diagnosis)
        if alone and signal is not Signal.PUT_OFF:
            await self._insist(lambda: self._recover.judged(mailbox, Direction.SMTP, diagnosis))
        await self._settle(lease, mailbox, delivery, judged, began, reply=diagnosis.raw, tell=not alone)
        if alone and signal is not Signal.PUT_OFF:
            return Next.STOP
        return Next.AGAIN

    async def _answered(
        self, lease: Lease, mailbox: Mailbox, delivery: Delivery, answer: Answer, began: datetime, *, alone: bool
    ) -> Next:
        await self._store.heard(mailbox.id, Direction.SMTP, self._world.now())
        judged = judge(delivery, answer)
        refused = judged.mailbox
        if refused is not None and refused.code == "access_restricted" and (alias := _alias(mailbox, delivery)):
            # What is refused is the alias: the message goes back, and the mailbox sends on as itself.
            told = replace(alias, refused=refused.reason)
            await self._insist(lambda: self._refuse_alias(mailbox.id, told))
            judged, refused = returned(delivery, judged, refused), None
        if refused is not None:
            # The mailbox first, so that nothing else goes out; then the delivery, which waits with it.
            await self._insist(lambda: self._recover.judged(mailbox, Direction.SMTP, refused))
        reply = next((one.text for one in (answer.data, answer.sender) if one is not None), None)
        await self._settle(lease, mailbox, delivery, judged, began, reply=reply, tell=not alone)
        return Next.GO_ON if refused is None else Next.STOP

    async def _settle(
        self,
        lease: Lease,
        mailbox: Mailbox,
        delivery: Delivery,
        judged: Judged,
        began: datetime,
        *,
        reply: str | None,
        tell: bool,
    ) -> None:
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
        events = delivery_events(self._world, settled, effects)
        settlement = Settlement(settled, State.SENDING, attempt, events)
        await self._insist(lambda: self._store.settle(lease, settlement))
        log.info(
            "delivery",
            delivery=delivery.id,
            mailbox=mailbox.id,
            state=state,
            attempt=settled.attempts,
            because=judged.signal,
            code=judged.diagnosis.name if judged.diagnosis else None,
        )

    async def _refuse_alias(self, mailbox_id: str, told: Alias) -> None:
        view = await self._store.mailbox(mailbox_id)
        if view is not None:
            aliases = tuple(told if one.address == told.address else one for one in view.mailbox.aliases)
            await self._store.update_mailbox(replace(view.mailbox, aliases=aliases))
            log.warning("an alias is refused", mailbox=mailbox_id)

    def _next_attempt(self, delivery: Delivery, judged: Judged, now: datetime) -> datetime:
        if judged.signal is not Signal.PUT_OFF:
            return now
        after = judged.diagnosis.retry_after if judged.diagnosis else None
        return retry.next_attempt(delivery.attempts + 1, now, self._world.jitter(), after)


def _alias(mailbox: Mailbox, delivery: Delivery) -> Alias | None:
    """The alias that a delivery is sent from, if it is one."""
    return None if delivery.sender.casefold() == mailbox.address.casefold() else mailbox.alias(delivery.sender)


class _Try:
    """When a try began, and whether the row says `sending`."""

    def __init__(self, at: datetime, *, begun: bool) -> None:
        self.at = at
        self.begun = begun


def _copy(mailbox: Mailbox, delivery: Delivery, judged: Judged, effects: tuple[Effect, ...]) -> SentCopy:
    accepted = any(one.state is RecipientState.ACCEPTED for one in judged.recipients)
    if delivery.sent_copy is not SentCopy.NONE or not accepted or Effect.COPY_TO_SENT not in effects:
        return delivery.sent_copy
    return SentCopy.BY_PROVIDER if provider.by_key(mailbox.provider).saves_sent else SentCopy.DUE
