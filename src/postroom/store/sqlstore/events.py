"""The store's port of events and webhooks: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from postroom.core.events import Call, EventType, Recorded, Webhook
from postroom.store import eventlog, pruning, webhooks
from postroom.store.sqlstore.base import Base


class EventMethods(Base):
    """Part of SqlStore."""

    async def events(
        self, after: int, *, limit: int = 500, types: Sequence[EventType] = (), mailbox_id: str | None = None
    ) -> list[Recorded]:
        return await self._read(eventlog.after, after, limit, types, mailbox_id)

    async def last_position(self) -> int:
        return await self._read(eventlog.last_position)

    async def pruned_position(self) -> int:
        return await self._read(pruning.events_up_to)

    async def add_webhook(self, webhook: Webhook) -> None:
        await self._write(webhooks.add, self._vault, webhook)

    async def webhooks(self) -> list[Webhook]:
        return await self._read(webhooks.all_of_them, self._vault)

    async def webhook(self, webhook_id: str) -> Webhook | None:
        return await self._read(webhooks.get, self._vault, webhook_id)

    async def update_webhook(self, webhook: Webhook) -> None:
        await self._write(webhooks.change, self._vault, webhook)

    async def delete_webhook(self, webhook_id: str) -> bool:
        return await self._write(webhooks.remove, webhook_id)

    async def fan_out(self, now: datetime, limit: int = 500) -> int:
        return await self._write(webhooks.fan_out, now, limit)

    async def calls_due(self, now: datetime, claim: timedelta, limit: int = 50) -> list[Call]:
        return await self._write(webhooks.calls_due, self._vault, now, claim, limit)

    async def called(self, call: Call, *, done: bool, next_attempt_at: datetime | None, error: str | None) -> None:
        await self._write(webhooks.called, call, done=done, next_attempt_at=next_attempt_at, error=error)
