"""Time's part: what has expired, what has lasted, what is due to be probed. It sends only through the outbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog

from postroom.core import health
from postroom.core.delivery import WAITING, Signal, State, step
from postroom.core.mailbox import Direction
from postroom.core.ports.store import HealthChange, Lease, Settlement, Store
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
        self._turns = Turns("probe", world, at_once=AT_ONCE, rest=timedelta(0))

    async def tick(self) -> None:
        await self.set_back()
        await self.expire()
        await self.tell()
        await self.probe()

    async def close(self) -> None:
        """Ends the probes, each after the message under way."""
        await self._turns.close(PATIENCE)

    async def set_back(self) -> None:
        """Where the clock was set back, takes along what waits for a time: a probe due in seconds would wait for as
        long again. What a person chose (`send_at`) and what was promised (`expires_at`) stay."""
        now = self._world.now()
        by, self._latest = self._latest - now, now
        if by < TOLERATED:
            return
        log.warning("the clock was set back", seconds=by.total_seconds())
        for direction in Direction:
            for one in await self._store.unsettled(self._own.worker_id, direction):
                probe_at = one.next_probe_at and one.next_probe_at - by
                earlier = replace(one, since=one.since - by, next_probe_at=probe_at)
                await self._store.save_health(HealthChange(earlier), one.state)
        for lease in self._own.leases:
            for state in WAITING | {State.UNCONFIRMED}:
                await self._earlier(lease, state, by)

    async def _earlier(self, lease: Lease, state: State, by: timedelta) -> None:
        cursor: str | None = None
        while True:
            page = await self._store.deliveries(mailbox_id=lease.mailbox_id, state=state, limit=200, cursor=cursor)
            for one in page.items:
                if one.send_at != one.next_attempt_at:
                    earlier = replace(one, next_attempt_at=one.next_attempt_at - by)
                    await self._store.settle(lease, Settlement(earlier, state))
            cursor = page.next_cursor
            if cursor is None:
                return

    async def expire(self) -> None:
        """Ends deliveries whose hold time is over, counted from their acceptance; their text is kept."""
        now = self._world.now()
        for delivery in await self._store.overdue(now):
            state, effects = step(delivery.state, Signal.EXPIRED)
            expired = replace(delivery, state=state, updated_at=now)
            events = delivery_events(self._world, expired, effects)
            if await self._store.settle(None, Settlement(expired, delivery.state, events=events)):
                log.warning("delivery expired", delivery=delivery.id, mailbox=delivery.mailbox_id)

    async def tell(self) -> None:
        """Tells people of what has not mended by itself within the grace."""
        for one in await self._store.lasting(self._own.worker_id, self._world.now() - self._grace):
            view = await self._store.mailbox(one.mailbox_id)
            if view is not None:
                await self._recover.lasted(view.mailbox, one.direction)

    async def probe(self) -> None:
        """Probes sending where that is due; receiving is probed by the watch itself."""
        due = await self._store.probes_due(self._own.worker_id, Direction.SMTP, self._world.now())
        for one in due:
            lease = self._own.lease(one.mailbox_id)
            if lease is not None:
                self._turns.give(lease, self._probe)

    async def _probe(self, lease: Lease) -> None:
        view = await self._store.mailbox(lease.mailbox_id)
        if view is not None:
            await self._outbox.probe(lease, view.mailbox)
