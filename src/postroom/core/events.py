"""Facts that we announce. It does not deliver them: that is announce's work."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from postroom.core.cursor import Cursor
from postroom.core.delivery import Delivery
from postroom.core.diagnosis import holding
from postroom.core.health import Health
from postroom.core.mailbox import Mailbox
from postroom.core.message import Message


class EventType(StrEnum):
    """The names of the contract."""

    MESSAGE_RECEIVED = "message.received"
    MESSAGE_SENT_ELSEWHERE = "message.sent_elsewhere"
    CONVERSATION_MERGED = "conversation.merged"
    CONVERSATION_SPLIT = "conversation.split"
    CONVERSATION_LOOPING = "conversation.looping"
    DELIVERY_SENT = "delivery.sent"
    DELIVERY_DEFERRED = "delivery.deferred"
    DELIVERY_HELD = "delivery.held"
    DELIVERY_FAILED = "delivery.failed"
    DELIVERY_EXPIRED = "delivery.expired"
    DELIVERY_UNCONFIRMED = "delivery.unconfirmed"
    DELIVERY_DELAYED = "delivery.delayed"
    DELIVERY_BOUNCED = "delivery.bounced"
    MAILBOX_CONNECTED = "mailbox.connected"
    MAILBOX_DEGRADED = "mailbox.degraded"
    MAILBOX_NEEDS_REAUTH = "mailbox.needs_reauth"
    MAILBOX_NEEDS_ATTENTION = "mailbox.needs_attention"
    MAILBOX_DELAYED = "mailbox.delayed"
    MAILBOX_SIGN_IN_ENDING = "mailbox.sign_in_ending"
    MAILBOX_CERTIFICATE_ENDING = "mailbox.certificate_ending"
    MAILBOX_CERTIFICATE_CHANGED = "mailbox.certificate_changed"
    OAUTH_CLIENT_NEEDS_ATTENTION = "oauth_client.needs_attention"
    OAUTH_CLIENT_SECRET_ENDING = "oauth_client.secret_ending"  # noqa: S105 - the name of an event
    MAILBOX_RECONCILED = "mailbox.reconciled"
    CONNECT_LINK_USED = "connect_link.used"


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


def signing_secret(secret: str) -> str:
    """A webhook's secret (Standard Webhooks, "Signature scheme"): `whsec_` and base 64 of what World.secret() drew."""
    return "whsec_" + base64.b64encode(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))).decode()


def rfc3339(at: datetime) -> str:
    """A time as the contract writes it (RFC 3339, UTC, `Z`)."""
    return at.isoformat().replace("+00:00", "Z")


def mailbox_data(mailbox: Mailbox, health: Health) -> dict[str, Any]:
    """What a `mailbox.…` event says."""
    diagnosis = holding(health.diagnosis, hold_hours=mailbox.hold_hours) if health.diagnosis else None
    return {
        "id": mailbox.id,
        "address": mailbox.address,
        "reference": mailbox.reference,
        "direction": health.direction.word,
        "state": health.state.public,
        "since": rfc3339(health.since),
        "flapping": health.flapping,
        "diagnosis": diagnosis.as_dict() if diagnosis else None,
    }


def reconciled_data(mailbox: Mailbox, cursor: Cursor, healed: int) -> dict[str, Any]:
    """What `mailbox.reconciled` says: a comparison with the server found messages missing, and they were read."""
    return {
        "id": mailbox.id,
        "address": mailbox.address,
        "reference": mailbox.reference,
        "folder": cursor.folder,
        "healed": healed,
        "server_count": cursor.reconciled.server,
        "ledger_count": cursor.reconciled.ledger,
    }


def delivery_data(delivery: Delivery) -> dict[str, Any]:
    """What a `delivery.…` event says; `message_id` is the RFC 5322 one."""
    return {
        "id": delivery.id,
        "mailbox_id": delivery.mailbox_id,
        "message_id": delivery.rfc_message_id,
        "conversation_id": delivery.conversation_id,
        "state": str(delivery.state),
        "attempt_count": delivery.attempts,
        "author": delivery.author,
        "recipients": [one.as_dict() for one in delivery.recipients],
        "diagnosis": delivery.diagnosis.as_dict() if delivery.diagnosis else None,
        "accepted_at": rfc3339(delivery.accepted_at),
        "expires_at": rfc3339(delivery.expires_at),
    }


def message_data(message: Message) -> dict[str, Any]:
    """What a `message.…` event says; `message_id` is the RFC 5322 one, None where the message has none."""
    return {
        "id": message.id,
        "mailbox_id": message.mailbox_id,
        "message_id": message.parsed.message_id,
        "conversation_id": message.conversation_id,
        "from": message.parsed.sender.as_dict() if message.parsed.sender else None,
        "subject": message.parsed.subject,
        "received_at": rfc3339(message.received_at),
        "folder": message.folder,
        "quarantine": message.quarantine,
        "automatic": message.parsed.automatic,
    }
