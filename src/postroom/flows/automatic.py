"""Keeps programs from answering programs: what they may answer, and how often. It keeps no person from writing."""

from __future__ import annotations

from datetime import timedelta

from postroom.core.compose import Draft
from postroom.core.events import Event, EventType, rfc3339
from postroom.core.identity import Kind
from postroom.core.message import Flow, Message
from postroom.core.parse import why_automatic, why_no_answer
from postroom.core.ports.store import Store
from postroom.core.ports.world import World

WINDOW = timedelta(hours=1)
PER_HOUR = 10


class AutomaticLoop(Exception):
    """An automatic message was not taken, since it would answer another or go on a loop. The text says why, and how it
    ends."""


class Automatic:
    """Judges automatic messages before they are taken (RFC 3834 2 and 3)."""

    def __init__(self, store: Store, world: World, *, per_hour: int = PER_HOUR) -> None:
        self._store = store
        self._world = world
        self._per_hour = per_hour

    async def check(self, draft: Draft, conversation_id: str | None, parent: Message | None) -> None:
        """Raises AutomaticLoop. `parent` is the message that the draft names as answered, where it names one."""
        unread = next((why for one in draft.to if (why := why_no_answer(one))), None)
        if unread is not None:
            raise AutomaticLoop(f"An automatic message is not sent there: {unread}.")
        answered = parent
        if answered is None and conversation_id is not None:
            answered = await self._store.latest(conversation_id)
        if answered is not None and answered.flow is Flow.INBOUND and (why := await self._sign(answered)):
            raise AutomaticLoop(f"An automatic message is never answered automatically: {why}. A person may answer it.")
        if conversation_id is not None:
            await self._count(conversation_id)

    async def _sign(self, answered: Message) -> str | None:
        if not answered.parsed.automatic:
            return why_no_answer(answered.parsed.sender) if answered.parsed.sender else None
        raw = await self._store.raw(answered.id)
        why = why_automatic(raw, answered.parsed.sender) if raw else None
        return why or "it was marked as automatic when it came"

    async def _count(self, conversation_id: str) -> None:
        now = self._world.now()
        lately = await self._store.automatic(conversation_id, now - WINDOW)
        if lately.number < self._per_hour:
            return
        conversation = await self._store.conversation(conversation_id)
        if conversation is None:
            return
        data = {
            "id": conversation.id,
            "mailbox_id": conversation.mailbox_id,
            "subject": conversation.subject,
            "automatic": lately.number,
            "until": rfc3339(now + WINDOW),
        }
        told = Event(
            self._world.identifier(Kind.EVENT), EventType.CONVERSATION_LOOPING, now, conversation.mailbox_id, data
        )
        await self._store.tell_of_loop(conversation_id, lately.since, told)
        raise AutomaticLoop(
            f"This conversation had {lately.number} automatic messages within an hour, and {self._per_hour} are "
            "allowed: two programs may be answering each other. It ends by itself when fewer came for an hour, or when "
            "a person answers."
        )
