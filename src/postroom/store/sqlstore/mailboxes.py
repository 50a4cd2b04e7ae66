"""The store's port of mailboxes and health: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postroom.core.budget import Told
from postroom.core.health import Health
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Credential, Direction, Mailbox
from postroom.core.ports.store import HealthChange, MailboxView, Page
from postroom.store import credentials, directions, mailboxes
from postroom.store.sqlstore.base import Base


class MailboxMethods(Base):
    """Part of SqlStore."""

    async def add_mailbox(self, mailbox: Mailbox, credential: Credential, health: Sequence[HealthChange]) -> None:
        await self._write(mailboxes.add, self._vault, mailbox, credential, health)

    async def mailbox(self, mailbox_id: str) -> MailboxView | None:
        return await self._read(mailboxes.view, mailbox_id)

    async def settings(self, mailbox_id: str) -> Mailbox | None:
        return await self._read(mailboxes.settings, mailbox_id)

    async def set_told(self, mailbox_id: str, told: Told) -> None:
        await self._write(mailboxes.set_told, mailbox_id, told)

    async def mailbox_by_address(self, address: str) -> MailboxView | None:
        return await self._read(mailboxes.view_by_address, address)

    async def mailboxes(
        self, *, limit: int = 50, cursor: str | None = None, reference: str | None = None
    ) -> Page[MailboxView]:
        return await self._read(mailboxes.page, limit, cursor, reference)

    async def update_mailbox(self, mailbox: Mailbox) -> None:
        await self._write(mailboxes.update_one, mailbox)

    async def delete_mailbox(self, mailbox_id: str) -> bool:
        return await self._write(mailboxes.remove, mailbox_id)

    async def credential(self, mailbox_id: str) -> Credential:
        return await self._read(credentials.get, self._vault, mailbox_id)

    async def set_credential(self, mailbox_id: str, credential: Credential) -> None:
        await self._write(credentials.put, self._vault, mailbox_id, credential)

    async def health(self, mailbox_id: str, direction: Direction) -> Health:
        return await self._read(directions.get, mailbox_id, direction)

    async def save_health(self, change: HealthChange, was: HealthState) -> bool:
        return await self._write(directions.save, change, was, self._world.now(), self._event_id)

    async def heard(self, mailbox_id: str, direction: Direction, at: datetime) -> None:
        self._heard[mailbox_id, direction] = at  # written with the next heartbeat

    async def probes_due(self, worker_id: str, direction: Direction, now: datetime, limit: int = 100) -> list[Health]:
        return await self._read(directions.probes_due, worker_id, direction, now, limit)

    async def unsettled(self, worker_id: str, direction: Direction) -> list[Health]:
        return await self._read(directions.unsettled, worker_id, direction)

    async def lasting(self, worker_id: str, since: datetime, now: datetime, limit: int = 100) -> list[Health]:
        return await self._read(directions.lasting, worker_id, since, now, limit)

    async def refused_alike(self, provider: str, host: str, code: str, since: datetime) -> tuple[int, int]:
        return await self._read(directions.refused_alike, provider, host, code, since)

    async def asked_and_working(
        self, provider: str, host: str, code: str, *, asked_since: datetime, began: datetime, until: datetime
    ) -> tuple[int, int]:
        return await self._read(directions.asked_and_working, provider, host, code, asked_since, began, until)
