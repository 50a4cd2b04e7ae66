"""Tells the world what happened: the stream that people follow, and the webhooks. It decides nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from postroom.core.delivery import Delivery, Effect
from postroom.core.events import Call, Event, EventType, Recorded, Webhook, delivery_data, rfc3339
from postroom.core.identity import Kind
from postroom.core.ports.store import Store, StoreUnavailable
from postroom.core.ports.wire import WebhookWire
from postroom.core.ports.world import World

log = structlog.get_logger()

HEARTBEAT = 15.0
"""Seconds after which a silent stream gives a sign of life."""
CLAIM = timedelta(seconds=60)
AT_ONCE = 20
GONE = 410
SCHEDULE = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""Waits between the tries of one call (Standard Webhooks, "Deliverability and reliability"); then it is given up."""

_TOLD = {
    Effect.TELL_SENT: EventType.DELIVERY_SENT,
    Effect.TELL_DEFERRED: EventType.DELIVERY_DEFERRED,
    Effect.TELL_HELD: EventType.DELIVERY_HELD,
    Effect.TELL_FAILED: EventType.DELIVERY_FAILED,
    Effect.TELL_EXPIRED: EventType.DELIVERY_EXPIRED,
    Effect.TELL_UNCONFIRMED: EventType.DELIVERY_UNCONFIRMED,
}


def delivery_events(world: World, delivery: Delivery, effects: Sequence[Effect]) -> tuple[Event, ...]:
    """The events that the table asks for, about the delivery as it is now."""
    return tuple(
        Event(
            id=world.identifier(Kind.EVENT),
            type=_TOLD[effect],
            at=world.now(),
            mailbox_id=delivery.mailbox_id,
            data=delivery_data(delivery),
        )
        for effect in effects
        if effect in _TOLD
    )


def body_of(event: Event) -> dict[str, Any]:
    """An event as streams and webhooks carry it (Standard Webhooks)."""
    return {"type": str(event.type), "timestamp": rfc3339(event.at), "data": event.data}


class Announce:
    """Streams and webhooks."""

    def __init__(self, store: Store, webhooks: WebhookWire, world: World) -> None:
        self._store = store
        self._webhooks = webhooks
        self._world = world
        self._closing = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()

    async def follow(
        self, after: int, *, types: Sequence[EventType] = (), mailbox_id: str | None = None
    ) -> AsyncIterator[Recorded | None]:
        """Every event after a position, then each as it happens; None as a sign of life. Ends at shutdown."""
        watcher = self._store.watcher()
        loop = asyncio.get_running_loop()
        while not self._closing.is_set():
            recorded = await self._store.events(after, types=types, mailbox_id=mailbox_id)
            for one in recorded:
                yield one
                after = one.position
            quiet_until = loop.time() + HEARTBEAT
            while not recorded and not self._closing.is_set() and (left := quiet_until - loop.time()) > 0:
                await watcher.changed(min(left, 1.0))
                recorded = await self._store.events(after, limit=1, types=types, mailbox_id=mailbox_id)
            if not recorded:
                yield None

    def stop(self) -> None:
        """Ends the streams."""
        self._closing.set()

    async def close(self) -> None:
        """Ends the calls under way; they are tried again when their claim is over."""
        self.stop()
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def tick(self) -> None:
        """Makes calls of new events, and starts those that are due."""
        while await self._store.fan_out(self._world.now()):
            pass
        free = AT_ONCE - len(self._calls)
        if free <= 0:
            return
        for call in await self._store.calls_due(self._world.now(), CLAIM, limit=free):
            task = asyncio.create_task(self._guarded(call), name=f"webhook {call.webhook.id}")
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _guarded(self, call: Call) -> None:
        try:
            await self.call(call)
        except StoreUnavailable as unavailable:
            log.warning("store unavailable", webhook=call.webhook.id, error=str(unavailable))
        except Exception:
            log.exception("a webhook call broke by a fault of ours", webhook=call.webhook.id)

    async def call(self, call: Call) -> None:
        """One try of one event at one webhook."""
        event = call.recorded.event
        body = json.dumps(body_of(event), separators=(",", ":"), ensure_ascii=False).encode()
        now = self._world.now()
        result = await self._webhooks.post(call.webhook.url, call.webhook.secret, event.id, now, body)
        error = None if result.ok else result.error or f"answered {result.status}"
        gone = result.status == GONE
        again = None if result.ok or gone else self._again(call.attempts, now)
        await self._store.called(call, done=result.ok, next_attempt_at=again, error=error)
        await self._mark(call.webhook, now, error, gone=gone)
        if error is not None:
            log.warning(
                "webhook failed", webhook=call.webhook.id, event_id=event.id, attempt=call.attempts + 1, error=error
            )

    def _again(self, attempts: int, now: datetime) -> datetime | None:
        if attempts >= len(SCHEDULE):
            return None
        return now + SCHEDULE[attempts] * (1 + 0.1 * self._world.jitter())

    async def _mark(self, webhook: Webhook, now: datetime, error: str | None, *, gone: bool) -> None:
        """Keeps what people see of a webhook true; 410 Gone switches it off, as the specification says."""
        current = await self._store.webhook(webhook.id)
        if current is None or (current.last_error == error and current.enabled is not gone):
            return
        failing_since = None if error is None else current.failing_since or now
        await self._store.update_webhook(
            replace(current, enabled=current.enabled and not gone, failing_since=failing_since, last_error=error)
        )
