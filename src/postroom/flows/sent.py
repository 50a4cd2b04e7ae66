"""What concerns the Sent folder: our copies of what went out, and the look for a message whose answer was cut off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import structlog

from postroom.core import provider, retry
from postroom.core.delivery import Delivery, SentCopy, Signal, all_accepted, step
from postroom.core.diagnosis import Action, Failure, diagnose
from postroom.core.mailbox import Mailbox, UnconfirmedPolicy
from postroom.core.ports.store import Lease, Settlement, Store
from postroom.core.ports.wire import ImapSession
from postroom.core.ports.world import World
from postroom.flows.announce import delivery_events
from postroom.flows.own import Own
from postroom.flows.raw import raw_of
from postroom.flows.sessions import Sessions
from postroom.flows.turns import Turns

log = structlog.get_logger()

PATIENCE = timedelta(minutes=5)
"""How long Sent is looked into, again and again, for a message: slow servers show it late."""
REST = timedelta(seconds=30)
"""Between errands to a mailbox whose IMAP did not serve."""
COPY_REST = timedelta(minutes=5)
"""Between tries of copies that the server did not take."""
COPY_PATIENCE = timedelta(hours=24)
"""How long a copy is tried that the server refuses for now, or until a person makes room for it."""
AT_ONCE = 50
TRIES = 2
"""Tries of one message whose answers were cut off, after which a person decides: each more may be one more copy."""


class Sent:
    """Runs errands to the Sent folders of this worker's mailboxes, over sessions of their own."""

    def __init__(
        self, store: Store, sessions: Sessions, own: Own, world: World, *, patience: timedelta = PATIENCE
    ) -> None:
        self._patience = patience
        self._store = store
        self._sessions = sessions
        self._own = own
        self._world = world
        self._turns = Turns("sent", world, at_once=AT_ONCE, rest=REST)

    async def tick(self) -> None:
        """Starts an errand for each mailbox that has one and none running."""
        for mailbox_id in await self._store.errands_due(self._own.worker_id, self._world.now()):
            lease = self._own.lease(mailbox_id)
            if lease is not None:
                self._turns.give(lease, self.errand)

    async def close(self) -> None:
        await self._turns.close()

    async def errand(self, lease: Lease) -> None:
        """Looks for the unconfirmed, then files the copies. Raises Failure; what was done stays done."""
        view = await self._store.mailbox(lease.mailbox_id)
        if view is None or not view.receiving.usable:
            return
        mailbox = view.mailbox
        session = await self._sessions.receiving(mailbox)
        try:
            folder = await session.sent_folder()
            for delivery in await self._store.unconfirmed(lease, self._world.now()):
                found = folder is not None and bool(await session.find(folder, delivery.rfc_message_id))
                await self._looked(lease, mailbox, delivery, found=found)
            await self._copies(lease, session, folder)
        finally:
            await asyncio.shield(session.logout())

    async def _copies(self, lease: Lease, session: ImapSession, folder: str | None) -> None:
        waiting: set[str] = set()
        while copies := [one for one in await self._store.copies_due(lease) if one.id not in waiting]:
            if folder is None:
                folder = "Sent"
                await session.create(folder)
            for delivery in copies:
                if not await self._filed(lease, session, folder, delivery):
                    waiting.add(delivery.id)
        if waiting and not await self._store.unconfirmed(lease, self._world.now() + COPY_REST):
            self._turns.rest_until(lease.mailbox_id, self._world.now() + COPY_REST)

    async def _filed(self, lease: Lease, session: ImapSession, folder: str, delivery: Delivery) -> bool:
        """Whether nothing is left to do about this copy. One that the server refuses keeps no other from its place."""
        # An APPEND whose answer was cut off has filed it already: looking first is what keeps it from a second.
        if not await session.find(folder, delivery.rfc_message_id):
            raw = await raw_of(self._store, delivery)
            try:
                await session.append(folder, raw, ("\\Seen",), delivery.updated_at)
            except Failure as failure:
                if failure.evidence.status not in ("NO", "BAD"):
                    raise  # it was not refused: the connection is gone
                return await self._refused(lease, delivery, failure)
        await self._store.copied(lease, delivery.id, SentCopy.DONE)
        return True

    async def _refused(self, lease: Lease, delivery: Delivery, failure: Failure) -> bool:
        diagnosis = diagnose(failure.evidence)
        for_good = diagnosis.action is Action.FAIL_MESSAGE or self._world.now() - delivery.updated_at >= COPY_PATIENCE
        outcome = SentCopy.REFUSED if for_good else SentCopy.DUE
        await self._store.copied(lease, delivery.id, outcome, diagnosis)
        log.warning("copy for Sent refused", delivery=delivery.id, matched=diagnosis.matched, for_good=for_good)
        return for_good

    async def _looked(self, lease: Lease, mailbox: Mailbox, delivery: Delivery, *, found: bool) -> None:
        """Until it is found, or patience is over. A provider that files what is sent then gives a certain answer."""
        now = self._world.now()
        again = None if found else retry.next_look(delivery.updated_at, now, self._patience)
        if again is not None:
            await self._store.settle(lease, Settlement(replace(delivery, next_attempt_at=again), delivery.state))
            return
        signal = Signal.FOUND if found else await self._missing(mailbox, delivery)
        state, effects = step(delivery.state, signal)
        settled = replace(
            delivery,
            state=state,
            updated_at=now,
            next_attempt_at=delivery.expires_at if signal is Signal.UNKNOWABLE else now,
            sent_copy=SentCopy.DONE if found else delivery.sent_copy,
            recipients=all_accepted(delivery) if found else delivery.recipients,
            diagnosis=None if found else delivery.diagnosis,
        )
        events = delivery_events(self._world, settled, effects)
        await self._store.settle(lease, Settlement(settled, delivery.state, events=events, signal=signal))
        log.info("looked into Sent", delivery=delivery.id, mailbox=mailbox.id, found=found, state=state)

    async def _missing(self, mailbox: Mailbox, delivery: Delivery) -> Signal:
        if provider.by_key(mailbox.provider).saves_sent:
            return Signal.ABSENT
        resend = mailbox.unconfirmed is UnconfirmedPolicy.RESEND
        return Signal.ABSENT if resend and await self._unanswered(delivery) < TRIES else Signal.UNKNOWABLE

    async def _unanswered(self, delivery: Delivery) -> int:
        return sum(one.outcome is Signal.UNANSWERED for one in await self._store.attempts(delivery.id))
