"""What flows and web ask of the store. It holds no SQL.

Every method is one transaction, on disk when it returns. All raise StoreUnavailable where the database cannot serve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from postroom.core.apikey import ApiKey
from postroom.core.cursor import Cursor, Outcome
from postroom.core.delivery import Attempt, Delivery, SentCopy
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.delivery import State as DeliveryState
from postroom.core.diagnosis import holding
from postroom.core.events import Call, Event, EventType, Recorded, Webhook
from postroom.core.health import Health
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Credential, Direction, Mailbox
from postroom.core.message import Conversation, Message, Parsed

T = TypeVar("T")


class StoreUnavailable(Exception):
    """The database cannot serve: full, locked, gone. Nothing was written. The text says which, and the mend."""


class BadCursor(ValueError):
    """This list never gave out such a cursor."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one that this list gave out: begin again without it")


class LeaseLost(Exception):
    """Another worker owns the mailbox now: what was to be written was not."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work for a mailbox; every write bears `epoch`, which grows with each new owner (fencing)."""

    mailbox_id: str
    worker_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` asks for the following one, None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class MailboxView:
    """A mailbox as people see it. `cursors` are its folders' progress."""

    mailbox: Mailbox
    receiving: Health
    sending: Health
    held: int = 0
    oldest_held_expires_at: datetime | None = None
    cursors: tuple[Cursor, ...] = ()

    def sending_told(self, now: datetime) -> Health:
        """Sending, its diagnosis saying how much is held and how long that can wait."""
        if self.sending.diagnosis is None:
            return self.sending
        told = holding(
            self.sending.diagnosis,
            held=self.held,
            hold_hours=self.mailbox.hold_hours,
            oldest_expires_at=self.oldest_held_expires_at,
            now=now,
        )
        return replace(self.sending, diagnosis=told)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A UID that the server showed us and what became of it. `parsed` is there when fetched; `raw` when not skipped."""

    uid: int
    outcome: Outcome
    received_at: datetime
    message_id: str  # ours, for a message of its own; unused when skipped
    conversation_id: str  # ours, used where the message begins a conversation
    event_id: str
    raw: bytes | None = field(default=None, repr=False)
    parsed: Parsed | None = None
    reason: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is written when an outgoing message is accepted. `conversation_id` is new unless the message continues one;
    `idempotency` is the client's key and the digest of its request."""

    message: Message
    raw: bytes = field(repr=False)
    delivery: Delivery
    held_event: Event  # written only where sending is not connected, so that the delivery is held from the start
    idempotency: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """`repeated` where the same idempotency key had brought the same request before."""

    delivery: Delivery
    repeated: bool = False


class IdempotencyConflict(Exception):
    """The idempotency key was used for another request."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a try or of a look into Sent, written at once: state, attempt, recipients, events."""

    delivery: Delivery  # as it is from now on
    was: DeliveryState
    attempt: Attempt | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A direction's new row, written with what follows from it.

    `deliveries`: HOLD moves queued and deferred ones to held, RELEASE moves held ones to queued, due now.
    """

    health: Health
    deliveries: DeliverySignal | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are, for metrics; a state without any may be missing."""

    deliveries: Mapping[DeliveryState, int]
    directions: Mapping[tuple[Direction, HealthState], int]


class Watcher(Protocol):
    """Tells one waiter of writes, by this process or another. Waiters re-read their rows after each return."""

    async def changed(self, seconds: float) -> None:
        """Returns at once where something was written since it last returned; else when it is, or after `seconds`."""
        ...


class MailboxStore(Protocol):
    async def add_mailbox(self, mailbox: Mailbox, credential: Credential, health: Sequence[HealthChange]) -> None:
        """Raises AddressTaken where the address is connected already."""
        ...

    async def mailbox(self, mailbox_id: str) -> MailboxView | None: ...
    async def mailbox_by_address(self, address: str) -> MailboxView | None: ...
    async def mailboxes(
        self, *, limit: int = 50, cursor: str | None = None, reference: str | None = None
    ) -> Page[MailboxView]: ...
    async def update_mailbox(self, mailbox: Mailbox) -> None: ...
    async def delete_mailbox(self, mailbox_id: str) -> bool:
        """Removes it with its credential, messages and deliveries. False where there is none."""
        ...

    async def credential(self, mailbox_id: str) -> Credential: ...
    async def set_credential(self, mailbox_id: str, credential: Credential) -> None: ...
    async def health(self, mailbox_id: str, direction: Direction) -> Health: ...
    async def save_health(self, change: HealthChange, was: HealthState) -> bool:
        """Compare and swap on the state: False (and nothing written) where it is no longer `was`."""
        ...

    async def heard(self, mailbox_id: str, direction: Direction, at: datetime) -> None:
        """Notes that the server answered; may be kept in memory and written with the next heartbeat."""
        ...

    async def probes_due(self, worker_id: str, direction: Direction, now: datetime, limit: int = 100) -> list[Health]:
        """Of this worker's mailboxes: those whose next_probe_at has come."""
        ...

    async def unsettled(self, worker_id: str, direction: Direction) -> list[Health]:
        """Of this worker's mailboxes: every direction that is not connected."""
        ...

    async def lasting(self, worker_id: str, since: datetime, limit: int = 100) -> list[Health]:
        """Of this worker's mailboxes: faltering or suspected (untold) since before `since`."""
        ...

    async def refused_alike(self, provider: str, host: str, code: str, since: datetime) -> tuple[int, int]:
        """(mailboxes of that provider and host whose diagnosis got this code since then, all mailboxes there)."""
        ...


class LeaseStore(Protocol):
    async def heartbeat(self, worker_id: str, host: str, now: datetime, ttl: timedelta) -> None:
        """One row for each worker: its mailboxes are its own while this is fresh."""
        ...

    async def claim(self, worker_id: str, now: datetime, limit: int = 1000) -> list[Lease]:
        """Takes mailboxes without an owner or whose owner's heartbeat is over: a new epoch each. In the same
        transaction their deliveries that were `sending` become `unconfirmed` (the owner died before the answer)."""
        ...

    async def leases(self, worker_id: str) -> list[Lease]:
        """What this worker owns now; a mailbox that was deleted is no longer in it."""
        ...

    async def alive(self, now: datetime) -> int:
        """How many workers' heartbeats are fresh."""
        ...

    async def resign(self, worker_id: str) -> None:
        """Gives everything back at shutdown."""
        ...


class InboundStore(Protocol):
    async def cursor(self, mailbox_id: str, folder: str) -> Cursor | None: ...
    async def record(self, lease: Lease, cursor: Cursor, arrivals: Sequence[Arrival]) -> list[Message]:
        """Messages, conversations, ledger rows, `message.received` events and the cursor, all or nothing.

        A UID that is in the ledger already is passed over. An arrival whose (Message-ID, size, digest) the mailbox has
        under an earlier UIDVALIDITY gets a ledger row that points to that message, and no event. Raises LeaseLost.
        """
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

    async def messages(self, conversation_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Message]:
        """Oldest first."""
        ...

    async def latest(self, conversation_id: str) -> Message | None:
        """The newest readable message of a conversation."""
        ...

    async def message_by_rfc_id(self, mailbox_id: str, rfc_message_id: str) -> Message | None: ...


class OutboxStore(Protocol):
    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Raises IdempotencyConflict."""
        ...

    async def repeated(self, mailbox_id: str, key: str, digest: str) -> Delivery | None:
        """The delivery that this idempotency key brought; raises IdempotencyConflict where the digest is another."""
        ...

    async def delivery(self, delivery_id: str) -> Delivery | None: ...
    async def deliveries(
        self,
        *,
        mailbox_id: str | None = None,
        state: DeliveryState | None = None,
        conversation_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Latest first."""
        ...

    async def attempts(self, delivery_id: str) -> list[Attempt]: ...
    async def mailboxes_due(self, worker_id: str, now: datetime) -> list[str]:
        """Of this worker's mailboxes with sending connected: those with a delivery that is due."""
        ...

    async def next_due(self, worker_id: str) -> datetime | None: ...
    async def due(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        """Queued or deferred, next_attempt_at has come, in order of acceptance."""
        ...

    async def begin(self, lease: Lease, delivery_id: str, now: datetime) -> bool:
        """To `sending`, on disk. False where it is no longer queued or deferred, or sending is no longer connected.
        Raises LeaseLost."""
        ...

    async def oldest_held(self, lease: Lease) -> Delivery | None:
        """The one that tells whether sending works again (not one whose send_at is to come)."""
        ...

    async def try_held(self, lease: Lease, delivery_id: str, now: datetime) -> bool:
        """From held to `sending` though the mailbox is not connected (TRIED). False where it is no longer held."""
        ...

    async def settle(self, lease: Lease | None, settlement: Settlement) -> bool:
        """Compare and swap on `was`: False where it changed meanwhile. Raises LeaseLost. `lease` is None for what a
        person did (cancel, retry)."""
        ...

    async def errands_due(self, worker_id: str, now: datetime) -> list[str]:
        """Of this worker's mailboxes with receiving connected: those with an unconfirmed delivery that is due to be
        looked for, or a copy for Sent that is due."""
        ...

    async def unconfirmed(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        """Unconfirmed deliveries whose next_attempt_at (the next look into Sent) has come."""
        ...

    async def copies_due(self, lease: Lease, limit: int = 50) -> list[Delivery]: ...
    async def copied(self, lease: Lease, delivery_id: str, outcome: SentCopy) -> None: ...
    async def overdue(self, now: datetime, limit: int = 500) -> list[Delivery]:
        """Queued, deferred, held or unconfirmed ones whose expires_at has passed."""
        ...


class EventStore(Protocol):
    async def events(
        self,
        after: int,
        *,
        limit: int = 500,
        types: Sequence[EventType] = (),
        mailbox_id: str | None = None,
    ) -> list[Recorded]: ...
    async def last_position(self) -> int: ...
    async def add_webhook(self, webhook: Webhook) -> None:
        """Events from now on."""
        ...

    async def webhooks(self) -> list[Webhook]: ...
    async def webhook(self, webhook_id: str) -> Webhook | None: ...
    async def update_webhook(self, webhook: Webhook) -> None: ...
    async def delete_webhook(self, webhook_id: str) -> bool: ...
    async def fan_out(self, now: datetime, limit: int = 500) -> int:
        """Makes a call for each new event and each webhook that wants it; how many events were looked at."""
        ...

    async def calls_due(self, now: datetime, claim: timedelta, limit: int = 50) -> list[Call]:
        """Claims due calls: nobody else gets them until `claim` has passed."""
        ...

    async def called(self, call: Call, *, done: bool, next_attempt_at: datetime | None, error: str | None) -> None:
        """Records an attempt; `next_attempt_at` None and not done: given up."""
        ...


class KeyStore(Protocol):
    async def add_key(self, key: ApiKey, digest: str) -> None: ...
    async def key(self, digest: str) -> ApiKey | None:
        """None where unknown or revoked."""
        ...

    async def key_used(self, key_id: str, at: datetime) -> None: ...
    async def keys(self) -> list[ApiKey]: ...
    async def revoke_key(self, key_id: str, at: datetime) -> bool: ...


class AddressTaken(Exception):
    """The address is connected already."""


class MailboxGone(Exception):
    """There is no such mailbox (any more): what needs one was not done."""


class Store(MailboxStore, LeaseStore, InboundStore, OutboxStore, EventStore, KeyStore, Protocol):
    """The whole store."""

    def watcher(self) -> Watcher:
        """For one loop that re-reads rows when something was written."""
        ...

    async def counts(self) -> Counts:
        """Deliveries by state, and directions of mailboxes by state."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        ...

    async def close(self) -> None: ...
