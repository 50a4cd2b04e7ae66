"""Facts that we announce. It does not deliver them: that is announce's work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """The names of the contract."""

    MESSAGE_RECEIVED = "message.received"
    DELIVERY_SENT = "delivery.sent"
    DELIVERY_DEFERRED = "delivery.deferred"
    DELIVERY_HELD = "delivery.held"
    DELIVERY_FAILED = "delivery.failed"
    DELIVERY_EXPIRED = "delivery.expired"
    DELIVERY_UNCONFIRMED = "delivery.unconfirmed"
    MAILBOX_CONNECTED = "mailbox.connected"
    MAILBOX_DEGRADED = "mailbox.degraded"
    MAILBOX_NEEDS_REAUTH = "mailbox.needs_reauth"
    MAILBOX_NEEDS_ATTENTION = "mailbox.needs_attention"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact, as it happened. `data` is JSON; `id` makes a repeated announcement harmless (webhook-id)."""

    id: str
    type: EventType
    at: datetime
    mailbox_id: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its position in the log; positions grow in the order in which facts were committed."""

    position: int
    event: Event


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events are sent to. `secret` signs (Standard Webhooks); `types` empty means all."""

    id: str
    url: str
    secret: str = field(repr=False)
    types: tuple[EventType, ...]
    created_at: datetime
    enabled: bool = True
    failing_since: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One event on its way to one webhook. `attempts` made so far."""

    webhook: Webhook
    recorded: Recorded
    attempts: int
