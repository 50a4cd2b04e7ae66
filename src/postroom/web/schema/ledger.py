"""The ledger and how far folders have been read, as answers show them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from postroom.core.cursor import Cursor, Outcome
from postroom.core.ports.store import Entry, MailboxView
from postroom.web.schema.base import ListOf, ListQuery, Output
from postroom.web.schema.connection import Folder


class FolderProgress(Output):
    """How far a folder has been read, and whether its server has more than we know of."""

    name: str
    total: int = Field(description="Messages that the reading under way is to fetch; 0 where none is under way.")
    done: int = Field(description="Of them, those fetched.")
    per_minute: int = Field(description="How many it fetches in a minute.")
    seconds_left: int | None = Field(description="Until it is through, at this speed; null where nobody knows.")
    synced_at: datetime | None = Field(description="When it was last read to its end.")
    since: datetime | None = Field(description="What the server took in before was skipped; null: nothing was.")
    skipped: int = Field(description="Messages that were not fetched, for a reason that the ledger states.")
    quarantined: int = Field(description="Messages that could not be read and are kept as they came.")
    gone: int = Field(description="UIDs whose messages somebody moved or deleted before they were read.")
    reconciled_at: datetime | None = Field(description="When the ledger was last compared with the server.")
    server_count: int = Field(description="Messages that the server had then.")
    ledger_count: int = Field(description="Of them, those that are in the ledger: all, unless it says a gap.")
    healed: int = Field(description="Messages that comparisons found missing, and that were read then.")

    @classmethod
    def of(cls, cursor: Cursor, view: MailboxView) -> FolderProgress:
        return cls(
            name=cursor.folder,
            total=cursor.total,
            done=cursor.done,
            per_minute=cursor.per_minute,
            seconds_left=cursor.seconds_left,
            synced_at=cursor.synced_at,
            since=cursor.since,
            skipped=view.passed.get((cursor.folder, Outcome.SKIPPED), 0),
            quarantined=view.passed.get((cursor.folder, Outcome.QUARANTINED), 0),
            gone=view.passed.get((cursor.folder, Outcome.GONE), 0),
            reconciled_at=cursor.reconciled.at,
            server_count=cursor.reconciled.server,
            ledger_count=cursor.reconciled.ledger,
            healed=cursor.reconciled.healed,
        )


class LedgerQuery(ListQuery):
    """Which entries."""

    outcome: Outcome | None = None
    folder: Folder | None = None


class LedgerEntry(Output):
    """What became of one message, or of a run of them."""

    folder: str
    first_uid: int = Field(description="The message's UID on its server, or the lowest of a run.")
    last_uid: int
    outcome: Outcome
    messages: int = Field(description="How many messages this entry speaks of.")
    size: int | None = Field(description="Bytes; null for a run.")
    message_id: str | None = Field(description="Where it can be read here.", examples=["msg_0123456789abc"])
    reason: str | None = Field(description="Why it was not fetched, or could not be read.")

    @classmethod
    def of(cls, entry: Entry) -> LedgerEntry:
        return cls(
            folder=entry.folder,
            first_uid=entry.first_uid,
            last_uid=entry.last_uid,
            outcome=entry.outcome,
            messages=entry.messages,
            size=entry.size,
            message_id=entry.message_id,
            reason=entry.reason,
        )


class LedgerList(ListOf[LedgerEntry]):
    """Entries of the ledger, by folder and UID."""
