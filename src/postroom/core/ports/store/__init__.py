"""What flows and web ask of the store, a file for each concern. It holds no SQL.

Every method is one transaction, on disk when it returns. All raise StoreUnavailable where the database cannot serve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from postroom.core.delivery import State as DeliveryState
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Direction
from postroom.core.ports.store.basics import BadCursor, Lease, LeaseLost, MailboxGone, Page, StoreUnavailable, Watcher
from postroom.core.ports.store.certificates import CertificateStore
from postroom.core.ports.store.connect_links import ConnectLinkStore
from postroom.core.ports.store.events import EventStore
from postroom.core.ports.store.inbound import Arrival, Automatic, Entry, InboundStore, NotOfConversation
from postroom.core.ports.store.keys import KeyStore
from postroom.core.ports.store.leases import LeaseStore
from postroom.core.ports.store.mailboxes import AddressTaken, HealthChange, MailboxStore, MailboxView
from postroom.core.ports.store.oauth import ClientInUse, Held, OAuthStore
from postroom.core.ports.store.outbox import (
    Acceptance,
    Accepted,
    IdempotencyConflict,
    OutboxStore,
    SettingsChanged,
    Settlement,
)
from postroom.core.retention import Retention

__all__ = [
    "Acceptance",
    "Accepted",
    "AddressTaken",
    "Arrival",
    "Automatic",
    "BadCursor",
    "CertificateStore",
    "ClientInUse",
    "ConnectLinkStore",
    "Counts",
    "Entry",
    "EventStore",
    "HealthChange",
    "Held",
    "IdempotencyConflict",
    "InboundStore",
    "KeyStore",
    "Lease",
    "LeaseLost",
    "LeaseStore",
    "MailboxGone",
    "MailboxStore",
    "MailboxView",
    "NotOfConversation",
    "OAuthStore",
    "OutboxStore",
    "Page",
    "Pruned",
    "SettingsChanged",
    "Settlement",
    "Store",
    "StoreUnavailable",
    "Watcher",
]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are, for metrics; a state without any may be missing."""

    deliveries: Mapping[DeliveryState, int]
    directions: Mapping[tuple[Direction, HealthState], int]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many old rows were removed, and whether there may be more."""

    rows: int = 0
    more: bool = False


class Store(
    MailboxStore,
    LeaseStore,
    InboundStore,
    OutboxStore,
    EventStore,
    KeyStore,
    OAuthStore,
    CertificateStore,
    ConnectLinkStore,
    Protocol,
):
    """The whole store."""

    def watcher(self) -> Watcher:
        """For one loop that re-reads rows when something was written."""
        ...

    async def counts(self) -> Counts:
        """Deliveries by state, and directions of mailboxes by state."""
        ...

    async def prune(self, retention: Retention, now: datetime) -> Pruned:
        """Removes a few hundred rows that are older than they are kept."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...

    async def close(self) -> None: ...
