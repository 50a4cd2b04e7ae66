"""core.ports.store.Store on a database: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from postroom.core.apikey import ApiKey
from postroom.core.cursor import Cursor
from postroom.core.delivery import Attempt, Delivery, SentCopy
from postroom.core.delivery import State as DeliveryState
from postroom.core.events import Call, EventType, Recorded, Webhook
from postroom.core.health import Health
from postroom.core.health import State as HealthState
from postroom.core.identity import Kind
from postroom.core.mailbox import Credential, Direction, Mailbox
from postroom.core.message import Conversation, Message
from postroom.core.ports.store import (
    Acceptance,
    Accepted,
    Arrival,
    Counts,
    HealthChange,
    Lease,
    MailboxView,
    Page,
    Settlement,
)
from postroom.core.ports.world import World
from postroom.store import (
    conversations,
    directions,
    eventlog,
    inbound,
    keys,
    leases,
    mailboxes,
    messages,
    outbox,
    outgoing,
    webhooks,
)
from postroom.store.changes import ChangeWatcher
from postroom.store.database import Database
from postroom.store.schema import secret_key
from postroom.store.vault import Vault

LARGE = 256 * 1024
"""Bytes whose hashing would hold up the event loop: a thread does it."""


class SqlStore:
    """The whole store. Made by `open_store`."""

    def __init__(self, database: Database, vault: Vault, world: World) -> None:
        self._database = database
        self._read, self._write, self._note = database.read, database.write, database.note
        self._vault = vault
        self._world = world
        self._heard: dict[tuple[str, Direction], datetime] = {}

    def _event_id(self) -> str:
        return self._world.identifier(Kind.EVENT)

    # Mailboxes

    async def add_mailbox(self, mailbox: Mailbox, credential: Credential, health: Sequence[HealthChange]) -> None:
        await self._write(mailboxes.add, self._vault, mailbox, credential, health)

    async def mailbox(self, mailbox_id: str) -> MailboxView | None:
        return await self._read(mailboxes.view, mailbox_id)

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
        return await self._read(mailboxes.get_credential, self._vault, mailbox_id)

    async def set_credential(self, mailbox_id: str, credential: Credential) -> None:
        await self._write(mailboxes.set_credential, self._vault, mailbox_id, credential)

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

    async def lasting(self, worker_id: str, since: datetime, limit: int = 100) -> list[Health]:
        return await self._read(directions.lasting, worker_id, since, limit)

    async def refused_alike(self, provider: str, host: str, code: str, since: datetime) -> tuple[int, int]:
        return await self._read(directions.refused_alike, provider, host, code, since)

    # Leases

    async def heartbeat(self, worker_id: str, host: str, now: datetime, ttl: timedelta) -> None:
        heard, self._heard = self._heard, {}

        def beat(connection: Connection) -> None:
            leases.heartbeat(connection, worker_id, host, now, ttl)
            directions.note_heard(connection, heard)

        try:
            await self._note(beat)
        except BaseException:
            self._heard = heard | self._heard  # for the next one
            raise

    async def claim(self, worker_id: str, now: datetime, limit: int = 1000) -> list[Lease]:
        async with self._database.alone() as alone:
            return await self._write(leases.claim, worker_id, now, limit, alone)

    async def leases(self, worker_id: str) -> list[Lease]:
        return await self._read(leases.of_worker, worker_id)

    async def alive(self, now: datetime) -> int:
        return await self._read(leases.alive, now)

    async def resign(self, worker_id: str) -> None:
        await self._write(leases.resign, worker_id)

    # Inbound

    async def cursor(self, mailbox_id: str, folder: str) -> Cursor | None:
        return await self._read(inbound.cursor, mailbox_id, folder)

    async def record(self, lease: Lease, cursor: Cursor, arrivals: Sequence[Arrival]) -> list[Message]:
        if sum(len(one.raw or b"") for one in arrivals) > LARGE:
            digested = await asyncio.to_thread(inbound.digested, arrivals)
        else:
            digested = inbound.digested(arrivals)
        return await self._write(inbound.record, lease, cursor, digested, self._world.now())

    async def forget(self, lease: Lease, folder: str, uid_validity: int) -> None:
        await self._write(inbound.forget, lease, folder, uid_validity)

    async def message(self, message_id: str) -> Message | None:
        return await self._read(messages.get, message_id)

    async def raw(self, message_id: str) -> bytes | None:
        return await self._read(messages.body, message_id)

    async def conversation(self, conversation_id: str) -> Conversation | None:
        return await self._read(conversations.get, conversation_id)

    async def conversations(
        self, *, mailbox_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Conversation]:
        return await self._read(conversations.page, mailbox_id, limit, cursor)

    async def messages(self, conversation_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Message]:
        return await self._read(conversations.messages, conversation_id, limit, cursor)

    async def latest(self, conversation_id: str) -> Message | None:
        return await self._read(conversations.latest, conversation_id)

    async def message_by_rfc_id(self, mailbox_id: str, rfc_message_id: str) -> Message | None:
        return await self._read(messages.by_rfc_id, mailbox_id, rfc_message_id)

    # Outbox

    async def accept(self, acceptance: Acceptance) -> Accepted:
        return await self._write(outgoing.accept, acceptance, self._world.now())

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
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        return await self._read(outbox.page, mailbox_id, state, conversation_id, limit, cursor)

    async def attempts(self, delivery_id: str) -> list[Attempt]:
        return await self._read(outbox.attempts, delivery_id)

    async def mailboxes_due(self, worker_id: str, now: datetime) -> list[str]:
        return await self._read(outbox.mailboxes_due, worker_id, now)

    async def next_due(self, worker_id: str) -> datetime | None:
        return await self._read(outbox.next_due, worker_id)

    async def due(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        return await self._read(outbox.due, lease, now, limit)

    async def begin(self, lease: Lease, delivery_id: str, now: datetime) -> bool:
        return await self._write(outbox.begin, lease, delivery_id, now)

    async def oldest_held(self, lease: Lease) -> Delivery | None:
        return await self._read(outbox.oldest_held, lease, self._world.now())

    async def try_held(self, lease: Lease, delivery_id: str, now: datetime) -> bool:
        return await self._write(outbox.try_held, lease, delivery_id, now)

    async def settle(self, lease: Lease | None, settlement: Settlement) -> bool:
        return await self._write(outbox.settle, lease, settlement, self._world.now(), self._event_id)

    async def errands_due(self, worker_id: str, now: datetime) -> list[str]:
        return await self._read(outbox.errands_due, worker_id, now)

    async def unconfirmed(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        return await self._read(outbox.unconfirmed, lease, now, limit)

    async def copies_due(self, lease: Lease, limit: int = 50) -> list[Delivery]:
        return await self._read(outbox.copies_due, lease, limit)

    async def copied(self, lease: Lease, delivery_id: str, outcome: SentCopy) -> None:
        await self._write(outbox.copied, lease, delivery_id, outcome)

    async def overdue(self, now: datetime, limit: int = 500) -> list[Delivery]:
        return await self._read(outbox.overdue, now, limit)

    # Events and webhooks

    async def events(
        self, after: int, *, limit: int = 500, types: Sequence[EventType] = (), mailbox_id: str | None = None
    ) -> list[Recorded]:
        return await self._read(eventlog.after, after, limit, types, mailbox_id)

    async def last_position(self) -> int:
        return await self._read(eventlog.last_position)

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

    # API keys

    async def add_key(self, key: ApiKey, digest: str) -> None:
        await self._write(keys.add, key, digest)

    async def key(self, digest: str) -> ApiKey | None:
        return await self._read(keys.get, digest)

    async def key_used(self, key_id: str, at: datetime) -> None:
        await self._note(keys.used, key_id, at)

    async def keys(self) -> list[ApiKey]:
        return await self._read(keys.all_of_them)

    async def revoke_key(self, key_id: str, at: datetime) -> bool:
        return await self._write(keys.revoke, key_id, at)

    # The store itself

    def watcher(self) -> ChangeWatcher:
        return ChangeWatcher(self._database.changes)

    async def counts(self) -> Counts:
        def both(connection: Connection) -> Counts:
            return Counts(outbox.counts(connection), directions.counts(connection))

        return await self._read(both)

    async def ping(self) -> None:
        def touch(connection: Connection) -> None:
            # A write: a database that can be read but not written to does not serve.
            connection.execute(update(secret_key).values(created_at=secret_key.c.created_at))

        await self._note(touch)

    async def close(self) -> None:
        await self._database.close()
