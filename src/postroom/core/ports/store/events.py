"""What flows and web ask of the store about events and webhooks. It holds no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from postroom.core.events import Call, EventType, Recorded, Webhook


class EventStore(Protocol):
    async def events(
        self,
        after: int,
        *,
        limit: int = 500,
        types: Sequence[EventType] = (),
        mailbox_id: str | None = None,
    ) -> list[Recorded]: ...
    async def last_position(self) -> int: ...
    async def pruned_position(self) -> int:
        """Of the last event that is not kept any more; 0 where all are."""
        ...

    async def add_webhook(self, webhook: Webhook) -> None:
        """Events from now on."""
        ...

    async def webhooks(self) -> list[Webhook]: ...
    async def webhook(self, webhook_id: str) -> Webhook | None: ...
    async def update_webhook(self, webhook: Webhook) -> None: ...
    async def delete_webhook(self, webhook_id: str) -> bool: ...
    async def fan_out(self, now: datetime, limit: int = 500) -> int:
        """Makes a call for each new event and each webhook that wants it; how many events were looked at."""
        ...

    async def calls_due(self, now: datetime, claim: timedelta, limit: int = 50) -> list[Call]:
        """Claims due calls: nobody else gets them until `claim` has passed."""
        ...

    async def called(self, call: Call, *, done: bool, next_attempt_at: datetime | None, error: str | None) -> None:
        """Records an attempt; `next_attempt_at` None and not done: given up."""
        ...
