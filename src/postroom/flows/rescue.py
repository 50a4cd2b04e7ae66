"""Time's part: what has expired, what has lasted, what is due to be probed. It sends only through the outbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog

from postroom.core import health
from postroom.core.delivery import Signal, step
from postroom.core.mailbox import Direction
from postroom.core.ports.store import Lease, Settlement, Store
from postroom.core.ports.world import World
from postroom.flows.announce import delivery_events
from postroom.flows.outbox import PATIENCE, Outbox
from postroom.flows.own import Own
from postroom.flows.recover import Recover
from postroom.flows.turns import Turns

log = structlog.get_logger()

AT_ONCE = 50
"""Mailboxes whose sending is probed at the same time."""
TOLERATED = timedelta(seconds=5)
"""A clock that is set back by less delays nothing that anybody would notice."""


class Rescue:
    """Looks at the clock for rows that wait for it."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        recover: Recover,
        own: Own,
        world: World,
        *,
        grace: timedelta = health.GRACE,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._recover = recover
        self._own = own
        self._world = world
        self._grace = grace
        self._latest = world.now()
        self._met: set[Lease] = set()
        self._generation = -1
        self._behind: dict[Lease, timedelta] = {}  # by how much, where it is still to be written
        self._turns = Turns("probe", world, at_once=AT_ONCE, rest=timedelta(0))

    async def tick(self) -> None:
        await self.set_back()
        await self.expire()
        await self.warn()
        await self.tell()
        await self.probe()

    async def close(self) -> None:
        """Ends the probes, each after the message under way."""
        await self._turns.close(PATIENCE)

    async def set_back(self) -> None:
        """Where the clock was set back, takes along what waits for a time: a probe due in seconds would wait for as
        long again. Also where that happened while nobody looked: a mailbox that is new to us tells by its traces."""
        now = self._world.now()
        by, self._latest = self._latest - now, now
        if by >= TOLERATED:
            log.warning("the clock was set back", seconds=by.total_seconds())
            self._behind = {lease: self._behind.get(lease, timedelta(0)) + by for lease in self._met}
        if self._own.generation == self._generation and not self._behind:
            return
        generation, leases = self._own.generation, set(self._own.leases)
        if leases - self._met:
            ahead = await self._store.ahead(self._own.worker_id, now + TOLERATED)
            found = {one: ahead[one.mailbox_id] - now for one in leases - self._met if one.mailbox_id in ahead}
            if found:
                log.warning("the clock was set back while nobody looked", mailboxes=len(found))
            self._behind |= found
        self._met = leases
        for lease, behind in list(self._behind.items()):
            if lease in leases:
                await self._store.set_back(lease, behind, now)
                self._own.read_anew()
            del self._behind[lease]
        self._generation = generation

    async def expire(self) -> None:
        """Ends deliveries whose hold time is over, counted from their acceptance; their text is kept."""
        now = self._world.now()
        for delivery in await self._store.overdue(now):
            state, effects = step(delivery.state, Signal.EXPIRED)
            expired = replace(delivery, state=state, updated_at=now)
            events = delivery_events(self._world, expired, effects)
            ended = Settlement(expired, delivery.state, events=events, signal=Signal.EXPIRED)
            if await self._store.settle(None, ended):
                log.warning("delivery expired", delivery=delivery.id, mailbox=delivery.mailbox_id)

    async def warn(self) -> None:
        """Tells of what waits for 4 and for 24 hours; of many by parts, so that nobody waits for it."""
        now = self._world.now()
        for mailbox_id in await self._store.mailboxes_late(now):
            number = await self._store.warn(mailbox_id, now)
            if number:
                log.warning("deliveries are late", mailbox=mailbox_id, deliveries=number)

    async def tell(self) -> None:
        """Tells people of what has not mended by itself within the grace, and of what stopped coming and going."""
        now = self._world.now()
        for one in await self._store.lasting(self._own.worker_id, now - self._grace, now):
            view = await self._store.mailbox(one.mailbox_id)
            if view is not None:
                await self._recover.lasted(view.mailbox, one.direction)

    async def probe(self) -> None:
        """Probes sending where that is due; receiving is probed by the watch itself."""
        limit = AT_ONCE + len(self._turns)  # those under way are due as well, and must not hide the others
        due = await self._store.probes_due(self._own.worker_id, Direction.SMTP, self._world.now(), limit)
        for one in due:
            lease = self._own.lease(one.mailbox_id)
            if lease is not None:
                self._turns.give(lease, self._probe)

    async def _probe(self, lease: Lease) -> None:
        view = await self._store.mailbox(lease.mailbox_id)
        if view is not None:
            await self._outbox.probe(lease, view.mailbox)
