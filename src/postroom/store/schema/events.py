"""Tables of what is announced: events, webhooks and their calls. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Text

from postroom.store.columns import Flag, Instant, Json, Number
from postroom.store.schema.base import of_mailbox, table

event_position = table(
    "event_position",
    Column("id", Number, primary_key=True, autoincrement=False, comment="Always 1"),
    Column("last", Number, nullable=False, comment="The position given out last; never goes back"),
    comment="One row, locked by whoever writes events until the commit: positions grow in the order of commits",
)

event = table(
    "event",
    of_mailbox(),
    Column("position", Number, primary_key=True, autoincrement=False, comment="Its place in the log of all events"),
    Column("id", Text, nullable=False, comment="evt_…; webhook-id"),
    Column("type", Text, nullable=False, comment="core.events.EventType"),
    Column("at", Instant, nullable=False, comment="When it happened"),
    Column("data", Json, nullable=False, comment="What is announced"),
    Index("event_log", "position"),
    comment="Facts that we announce",
)

webhook = table(
    "webhook",
    Column("id", Text, primary_key=True, comment="whk_…"),
    Column("url", Text, nullable=False, comment="Where events are posted to"),
    Column("secret", LargeBinary, nullable=False, comment="Signing secret, sealed by the vault"),
    Column("types", Json, nullable=False, comment="Event types it wants; empty for all"),
    Column("created_at", Instant, nullable=False, comment="Since when"),
    Column("enabled", Flag, nullable=False, comment="Whether events are posted"),
    Column("failing_since", Instant, comment="Since when its receiver fails; null where it does not"),
    Column("last_error", Text, comment="What its receiver answered last when it failed"),
    Column("position", Number, nullable=False, comment="Events up to it have their calls"),
    comment="Receivers of events",
)

webhook_call = table(
    "webhook_call",
    of_mailbox(),
    Column("position", Number, primary_key=True, autoincrement=False, comment="Position of its event"),
    Column(
        "webhook_id",
        Text,
        ForeignKey("webhook.id", ondelete="CASCADE"),
        primary_key=True,
        comment="Its webhook",
    ),
    Column("attempts", Number, nullable=False, comment="Tries so far"),
    Column("next_attempt_at", Instant, comment="When it is due, or its claim ends; null when given up"),
    Column("last_error", Text, comment="Why the last try failed"),
    Index("webhook_call_due", "webhook_id", "next_attempt_at", "position"),
    comment="Events on their way to webhooks; a call that was answered is removed",
    rowid=False,
)
