"""The store's port of what goes out: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postroom.core.budget import Spent
from postroom.core.delivery import Attempt, Delivery, SentCopy, Transition
from postroom.core.delivery import State as DeliveryState
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.ports.store import Acceptance, Accepted, Lease, Page, Settlement
from postroom.store import lateness, messages, outbox, outgoing, spending, story
from postroom.store.sqlstore.base import Base


class OutboxMethods(Base):
    """Part of SqlStore."""

    async def accept(self, acceptance: Acceptance) -> Accepted:
        return await self._write(outgoing.accept, acceptance, self._world.now(), self._event_id)

    async def repeated(self, mailbox_id: str, key: str, digest: str) -> Delivery | None:
        return await self._read(outgoing.repeated, mailbox_id, key, digest)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return await self._read(outbox.get, delivery_id)

    async def deliveries(
        self,
        *,
        mailbox_id: str | None = None,
        state: DeliveryState | None = None,
        conversation_id: str | None = None,
        bounced: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        return await self._read(outbox.page, mailbox_id, state, conversation_id, limit, cursor, bounced)

    async def attempts(self, delivery_id: str) -> list[Attempt]:
        return await self._read(outbox.attempts, delivery_id)

    async def transitions(self, delivery_id: str) -> list[Transition]:
        return await self._read(story.of, delivery_id)

    async def mailboxes_due(self, worker_id: str, now: datetime) -> list[str]:
        return await self._read(outbox.mailboxes_due, worker_id, now)

    async def next_due(self, worker_id: str) -> datetime | None:
        return await self._read(outbox.next_due, worker_id)

    async def due(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        return await self._read(outbox.due, lease, now, limit)

    async def raws(self, message_ids: Sequence[str]) -> dict[str, bytes]:
        return await self._read(messages.bodies, message_ids)

    async def advance(self, lease: Lease, settlements: Sequence[Settlement], begins: Sequence[Delivery]) -> set[str]:
        return await self._write(outbox.advance, lease, settlements, begins, self._world.now(), self._event_id)

    async def spent(self, mailbox_id: str, since: datetime) -> list[Spent]:
        return await self._read(spending.since, mailbox_id, since)

    async def begin(self, lease: Lease, delivery: Delivery, now: datetime) -> bool:
        return await self._write(outbox.begin, lease, delivery, now)

    async def oldest_held(self, lease: Lease) -> Delivery | None:
        return await self._read(outbox.oldest_held, lease, self._world.now())

    async def try_held(self, lease: Lease, delivery: Delivery, now: datetime) -> bool:
        return await self._write(outbox.try_held, lease, delivery, now)

    async def settle(self, lease: Lease | None, settlement: Settlement) -> bool:
        return await self._write(outbox.settle, lease, settlement, self._world.now(), self._event_id)

    async def errands_due(self, worker_id: str, now: datetime) -> list[str]:
        return await self._read(outbox.errands_due, worker_id, now)

    async def unconfirmed(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        return await self._read(outbox.unconfirmed, lease, now, limit)

    async def copies_due(self, lease: Lease, limit: int = 50) -> list[Delivery]:
        return await self._read(outbox.copies_due, lease, limit)

    async def copied(
        self, lease: Lease, delivery_id: str, outcome: SentCopy, diagnosis: Diagnosis | None = None
    ) -> None:
        await self._write(outbox.copied, lease, delivery_id, outcome, diagnosis)

    async def mailboxes_late(self, now: datetime, limit: int = 100) -> list[str]:
        return await self._read(lateness.mailboxes_late, now, limit)

    async def warn(self, mailbox_id: str, now: datetime, limit: int = 500) -> int:
        return await self._write(lateness.warn, mailbox_id, now, limit, self._event_id)

    async def overdue(self, now: datetime, limit: int = 500) -> list[Delivery]:
        return await self._read(outbox.overdue, now, limit)
