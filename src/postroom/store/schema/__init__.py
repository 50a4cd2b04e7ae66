"""The tables, every column with its meaning. It holds no queries, and migrations bring a database to it.

The key of every table that grows with mail begins with its mailbox, so that PostgreSQL can partition it. Every row of a
mailbox goes with the mailbox (ON DELETE CASCADE), and none can be written for one that is gone.
"""

from __future__ import annotations

from postroom.store.schema.base import among, metadata
from postroom.store.schema.certificates import certificate
from postroom.store.schema.connect_links import connect_link
from postroom.store.schema.events import event, event_position, webhook, webhook_call
from postroom.store.schema.inbound import (
    conversation,
    conversation_reference,
    folder,
    ledger,
    ledger_range,
    message,
    raw,
)
from postroom.store.schema.keys import api_key, secret_key
from postroom.store.schema.mailboxes import allowance, credential, health, mailbox, worker
from postroom.store.schema.oauth import oauth_authorization, oauth_client
from postroom.store.schema.outbox import EXPIRING, attempt, delivery, spent, transition
from postroom.store.schema.pruned import pruned

__all__ = [
    "EXPIRING",
    "allowance",
    "among",
    "api_key",
    "attempt",
    "certificate",
    "connect_link",
    "conversation",
    "conversation_reference",
    "credential",
    "delivery",
    "event",
    "event_position",
    "folder",
    "health",
    "ledger",
    "ledger_range",
    "mailbox",
    "message",
    "metadata",
    "oauth_authorization",
    "oauth_client",
    "pruned",
    "raw",
    "secret_key",
    "spent",
    "transition",
    "webhook",
    "webhook_call",
    "worker",
]
