"""What flows and web ask of the store about what goes out: acceptance, the queue, attempts. It holds no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from postroom.core.budget import Spent
from postroom.core.delivery import Attempt, Delivery, SentCopy, Signal, Transition
from postroom.core.delivery import State as DeliveryState
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.events import Event
from postroom.core.mailbox import Mailbox
from postroom.core.message import Message
from postroom.core.ports.store.basics import Lease, Page


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is written when an outgoing message is accepted. `conversation_id` is new unless the message continues one;
    `idempotency` is the client's key and the digest of its request; `settings` what it was composed by, where it is not
    to be taken once they are others."""

    message: Message
    raw: bytes = field(repr=False)
    delivery: Delivery
    idempotency: tuple[str, str] | None = None
    settings: Mailbox | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """`repeated` where the same idempotency key had brought the same request before."""

    delivery: Delivery
    repeated: bool = False


class IdempotencyConflict(Exception):
    """The idempotency key was used for another request."""


class SettingsChanged(Exception):
    """The settings of the mailbox are others than those that a message was composed by: nothing was written."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a try, of a look into Sent or of what a person did, written at once: state, attempt, recipients,
    events, and a line of its story.

    `signal` is what happened, the attempt's outcome unless given, None where nothing is to be told of; `by` is the
    person, `because` the code of a diagnosis or a word (core.story).
    """

    delivery: Delivery  # as it is from now on
    was: DeliveryState
    attempt: Attempt | None = None
    events: tuple[Event, ...] = ()
    signal: Signal | None = None
    by: str | None = None
    because: str | None = None
    counts: int = 0  # recipients who accepted, where the mailbox has a budget of a day


class OutboxStore(Protocol):
    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Raises IdempotencyConflict, MailboxGone, SettingsChanged."""
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
        bounced: bool | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Latest first."""
        ...

    async def attempts(self, delivery_id: str) -> list[Attempt]: ...
    async def transitions(self, delivery_id: str) -> list[Transition]:
        """In their order, without the acceptance, which the delivery itself tells of."""
        ...

    async def mailboxes_due(self, worker_id: str, now: datetime) -> list[str]:
        """Of this worker's mailboxes with sending connected: those with a delivery that is due."""
        ...

    async def next_due(self, worker_id: str) -> datetime | None: ...
    async def due(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        """Queued or deferred, next_attempt_at has come, in order of acceptance."""
        ...

    async def raws(self, message_ids: Sequence[str]) -> dict[str, bytes]:
        """The bytes of several messages at once; those that are gone are missing."""
        ...

    async def advance(self, lease: Lease, settlements: Sequence[Settlement], begins: Sequence[Delivery]) -> set[str]:
        """Outcomes of tries, each as `settle`, then what is handed over next, each as `begin`: one transaction, on disk
        when it returns. Gives the begun ones. Raises LeaseLost, StoreUnavailable: nothing was written, as far as one
        knows."""
        ...

    async def spent(self, mailbox_id: str, since: datetime) -> list[Spent]:
        """What this mailbox has spent of its day's budget since then, oldest first."""
        ...

    async def begin(self, lease: Lease, delivery: Delivery, now: datetime) -> bool:
        """To `sending`, on disk. False where it is no longer queued or deferred, where it was tried or changed since it
        was read, or where sending is no longer connected. Raises LeaseLost."""
        ...

    async def oldest_held(self, lease: Lease) -> Delivery | None:
        """The one that tells whether sending works again (not one whose send_at is to come)."""
        ...

    async def try_held(self, lease: Lease, delivery: Delivery, now: datetime) -> bool:
        """From held to `sending` though the mailbox is not connected (TRIED). False where it is no longer held, or was
        changed since it was read."""
        ...

    async def settle(self, lease: Lease | None, settlement: Settlement) -> bool:
        """Compare and swap on `was` and on the number of tries: False where it changed meanwhile. Raises LeaseLost.
        `lease` is None for what a person did (cancel, retry)."""
        ...

    async def errands_due(self, worker_id: str, now: datetime) -> list[str]:
        """Of this worker's mailboxes with receiving connected: those with an unconfirmed delivery that is due to be
        looked for, or a copy for Sent that is due."""
        ...

    async def unconfirmed(self, lease: Lease, now: datetime, limit: int = 50) -> list[Delivery]:
        """Unconfirmed deliveries whose next_attempt_at (the next look into Sent) has come."""
        ...

    async def copies_due(self, lease: Lease, limit: int = 50) -> list[Delivery]: ...
    async def copied(
        self, lease: Lease, delivery_id: str, outcome: SentCopy, diagnosis: Diagnosis | None = None
    ) -> None:
        """What became of the copy for Sent; `diagnosis` is why it is not there. Raises LeaseLost."""
        ...

    async def mailboxes_late(self, now: datetime, limit: int = 100) -> list[str]:
        """Those with a delivery that has waited so long that people are to be told (core.delivery.WARNINGS)."""
        ...

    async def warn(self, mailbox_id: str, now: datetime, limit: int = 500) -> int:
        """Writes `delivery.delayed` of each, once for each number of hours, whoever asks; and `mailbox.delayed` once,
        where they are held. How many deliveries."""
        ...

    async def overdue(self, now: datetime, limit: int = 500) -> list[Delivery]:
        """Queued, deferred, held or unconfirmed ones whose expires_at has passed."""
        ...
