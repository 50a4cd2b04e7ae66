"""What flows and web ask of the store about what arrives: cursors, messages, conversations. It holds no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from postroom.core.bounce import Bounce
from postroom.core.cursor import Cursor, Outcome, Passed
from postroom.core.events import Event
from postroom.core.message import Conversation, Message, Parsed
from postroom.core.ports.store.basics import Lease, Page
from postroom.core.uids import Uids


@dataclass(frozen=True, slots=True)
class Arrival:
    """A UID that the server showed us and what became of it. `parsed` is there when fetched; `raw` when not skipped;
    `bounce` where it reports on a message that somebody sent; `thread` where the provider names one."""

    uid: int
    outcome: Outcome
    received_at: datetime
    message_id: str  # ours, for a message of its own; unused when skipped
    conversation_id: str  # ours, used where the message begins a conversation
    event_id: str
    raw: bytes | None = field(default=None, repr=False)
    parsed: Parsed | None = None
    bounce: Bounce | None = None
    reason: str | None = None
    size: int = 0
    thread: str | None = None


class NotOfConversation(Exception):
    """A message that is to leave a conversation is not in it, or no message would be left there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger as people see it. `first_uid` and `last_uid` are the same for a single message; `messages` is
    how many it speaks of; `message_id` is ours, None where none was made."""

    folder: str
    first_uid: int
    last_uid: int
    outcome: Outcome
    messages: int
    size: int | None
    message_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Automatic:
    """How many automatic messages a conversation had after `since`."""

    number: int
    since: datetime


class InboundStore(Protocol):
    async def cursor(self, mailbox_id: str, folder: str) -> Cursor | None: ...
    async def record(
        self,
        lease: Lease,
        cursor: Cursor,
        arrivals: Sequence[Arrival],
        passed: Sequence[Passed] = (),
        events: Sequence[Event] = (),
    ) -> list[Message]:
        """Messages, conversations, ledger rows, events (`message.received`, or `message.sent_elsewhere` where the
        cursor's flow is outbound) and the cursor, all or nothing; with them what reports say of deliveries
        (`delivery.bounced`).

        A UID that is in the ledger already is passed over. An arrival that this mailbox has under an earlier
        UIDVALIDITY or in another folder (equal bytes; in the same folder equal Message-ID, Date and size will do) gets
        a ledger row that points to that message, and no event; each message stands for one arrival. In a Sent folder,
        so does the copy of what was sent from here. Raises LeaseLost.
        """
        ...

    async def widen(self, lease: Lease, cursor: Cursor, passed: Sequence[Passed]) -> None:
        """The folder's runs of skipped UIDs are `passed` now, and no others. Raises LeaseLost."""
        ...

    async def reopen(self, lease: Lease, cursor: Cursor, shown: Uids) -> None:
        """The server shows these UIDs, some of which were taken for gone: they are not, and are read by the cursor's
        gaps. Raises LeaseLost."""
        ...

    async def known(self, cursor: Cursor, first: int, last: int) -> Uids:
        """UIDs from `first` to `last` that the ledger accounts for under the cursor's UIDVALIDITY; not those gone."""
        ...

    async def ledger(
        self,
        mailbox_id: str,
        *,
        outcome: Outcome | None = None,
        folder: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Entry]:
        """By folder and UID, under the UIDVALIDITY of today."""
        ...

    async def forget(self, lease: Lease, folder: str, uid_validity: int) -> None:
        """Voids the folder's UIDs, as if they were of an earlier UIDVALIDITY; its messages stay. Raises LeaseLost."""
        ...

    async def message(self, message_id: str) -> Message | None: ...
    async def raw(self, message_id: str) -> bytes | None: ...
    async def conversation(self, conversation_id: str) -> Conversation | None: ...
    async def conversations(
        self, *, mailbox_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Conversation]:
        """Latest first."""
        ...

    async def merge(self, conversation_id: str, into: str) -> Conversation | None:
        """Puts all of one conversation into another of the same mailbox, by a person's wish; its identifier leads there
        from then on. None where either is not there."""
        ...

    async def split(self, conversation_id: str, message_ids: Sequence[str]) -> Conversation | None:
        """Makes a conversation of its own of some of the messages, by a person's wish. None where there is no such
        conversation; raises NotOfConversation."""
        ...

    async def messages(self, conversation_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Message]:
        """Oldest first."""
        ...

    async def automatic(self, conversation_id: str, since: datetime) -> Automatic:
        """Automatic messages, both ways, after `since` or after the last one that a person sent from here."""
        ...

    async def tell_of_loop(self, conversation_id: str, since: datetime, event: Event) -> bool:
        """Writes the event, unless people were told after `since`."""
        ...

    async def latest(self, conversation_id: str, *, by_people: bool = False) -> Message | None:
        """The newest readable message of a conversation, with `by_people` the newest that is not automatic."""
        ...

    async def message_by_rfc_id(self, mailbox_id: str, rfc_message_id: str) -> Message | None: ...
