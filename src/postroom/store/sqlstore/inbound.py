"""The store's port of what arrives: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from postroom.core.cursor import Cursor, Outcome, Passed
from postroom.core.events import Event
from postroom.core.identity import Kind, mailbox_of
from postroom.core.message import Conversation, Message
from postroom.core.ports.store import Arrival, Automatic, Entry, Lease, Page
from postroom.core.uids import Uids
from postroom.store import conversations, inbound, ledger, loops, messages, rearranging
from postroom.store.recognise import digested
from postroom.store.sqlstore.base import Base

LARGE = 256 * 1024
"""Bytes whose hashing would hold up the event loop: a thread does it."""


class InboundMethods(Base):
    """Part of SqlStore."""

    async def cursor(self, mailbox_id: str, folder: str) -> Cursor | None:
        return await self._read(inbound.cursor, mailbox_id, folder)

    async def record(
        self,
        lease: Lease,
        cursor: Cursor,
        arrivals: Sequence[Arrival],
        passed: Sequence[Passed] = (),
        events: Sequence[Event] = (),
    ) -> list[Message]:
        if sum(len(one.raw or b"") for one in arrivals) > LARGE:
            digests = await asyncio.to_thread(digested, arrivals)
        else:
            digests = digested(arrivals)
        now = self._world.now()
        return await self._write(inbound.record, lease, cursor, digests, passed, events, now, self._event_id)

    async def widen(self, lease: Lease, cursor: Cursor, passed: Sequence[Passed]) -> None:
        await self._write(inbound.widen, lease, cursor, passed)

    async def reopen(self, lease: Lease, cursor: Cursor, shown: Uids) -> None:
        await self._write(inbound.reopen, lease, cursor, shown)

    async def known(self, cursor: Cursor, first: int, last: int) -> Uids:
        return await self._read(ledger.known, cursor, first, last)

    async def ledger(
        self,
        mailbox_id: str,
        *,
        outcome: Outcome | None = None,
        folder: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Entry]:
        return await self._read(ledger.page, mailbox_id, outcome, folder, limit, cursor)

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

    async def merge(self, conversation_id: str, into: str) -> Conversation | None:
        return await self._write(rearranging.merge, conversation_id, into, self._event_id(), self._world.now())

    async def split(self, conversation_id: str, message_ids: Sequence[str]) -> Conversation | None:
        new = self._world.identifier(Kind.CONVERSATION, mailbox_of(conversation_id))
        now = self._world.now()
        return await self._write(rearranging.split, conversation_id, message_ids, new, self._event_id(), now)

    async def messages(self, conversation_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Message]:
        return await self._read(conversations.messages, conversation_id, limit, cursor)

    async def automatic(self, conversation_id: str, since: datetime) -> Automatic:
        return await self._read(loops.automatic, conversation_id, since)

    async def tell_of_loop(self, conversation_id: str, since: datetime, event: Event) -> bool:
        return await self._write(loops.tell, conversation_id, since, event)

    async def latest(self, conversation_id: str, *, by_people: bool = False) -> Message | None:
        return await self._read(conversations.latest, conversation_id, by_people)

    async def message_by_rfc_id(self, mailbox_id: str, rfc_message_id: str) -> Message | None:
        return await self._read(messages.by_rfc_id, mailbox_id, rfc_message_id)
