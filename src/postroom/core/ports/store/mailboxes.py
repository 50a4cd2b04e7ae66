"""What flows and web ask of the store about mailboxes: the rows, their credentials, their health. It holds no SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from postroom.core.budget import Told
from postroom.core.certificate import Certificate
from postroom.core.cursor import Cursor, Outcome
from postroom.core.delivery import Signal as DeliverySignal
from postroom.core.diagnosis import holding
from postroom.core.events import Event
from postroom.core.health import Health
from postroom.core.health import State as HealthState
from postroom.core.mailbox import Credential, Direction, Mailbox
from postroom.core.ports.store.basics import Page


class AddressTaken(Exception):
    """The address is connected already."""


@dataclass(frozen=True, slots=True)
class MailboxView:
    """A mailbox as people see it. `cursors` are its folders' progress; `passed` says of each folder's name how many
    messages have which outcome in the ledger, but those fetched."""

    mailbox: Mailbox
    receiving: Health
    sending: Health
    held: int = 0
    oldest_held_expires_at: datetime | None = None
    cursors: tuple[Cursor, ...] = ()
    passed: Mapping[tuple[str, Outcome], int] = field(default_factory=dict)
    certificates: tuple[Certificate, ...] = ()

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
class HealthChange:
    """A direction's new row, written with what follows from it.

    `deliveries`: HOLD moves queued and deferred ones to held, RELEASE moves held ones to queued, due now. `by` is the
    person who did it, None where it came about by itself.
    """

    health: Health
    deliveries: DeliverySignal | None = None
    events: tuple[Event, ...] = ()
    by: str | None = None


class MailboxStore(Protocol):
    async def add_mailbox(self, mailbox: Mailbox, credential: Credential, health: Sequence[HealthChange]) -> None:
        """Raises AddressTaken where the address is connected already."""
        ...

    async def mailbox(self, mailbox_id: str) -> MailboxView | None: ...
    async def settings(self, mailbox_id: str) -> Mailbox | None:
        """The mailbox without its health and what is counted: cheap, however much waits for it."""
        ...

    async def set_told(self, mailbox_id: str, told: Told) -> None:
        """Remembers what its SMTP server said in EHLO. Raises MailboxGone."""
        ...

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

    async def lasting(self, worker_id: str, since: datetime, now: datetime, limit: int = 100) -> list[Health]:
        """Of this worker's mailboxes: faltering or suspected (untold) since before `since`; and those that came and
        went, and have not since `quiet_until` before `now`."""
        ...

    async def refused_alike(self, provider: str, host: str, code: str, since: datetime) -> tuple[int, int]:
        """(mailboxes of that provider and host whose diagnosis got this code since then, all mailboxes there)."""
        ...

    async def asked_and_working(
        self, provider: str, host: str, code: str, *, asked_since: datetime, began: datetime, until: datetime
    ) -> tuple[int, int]:
        """Of the mailboxes of that provider and host: (asked to sign in again, or about to be, with this code since
        `asked_since`; connected between `began` and `until`, and still)."""
        ...
