"""What flows ask of the store about leases: who works for which mailbox. It holds no SQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from postroom.core.ports.store.basics import Lease


class LeaseStore(Protocol):
    async def heartbeat(self, worker_id: str, host: str, now: datetime, ttl: timedelta) -> None:
        """One row for each worker: its mailboxes are its own while this is fresh. A row of another that is from the
        future, by a clock that was set back since, is fresh for one more `ttl`."""
        ...

    async def claim(
        self, worker_id: str, now: datetime, limit: int = 1000, *, patience: timedelta = timedelta(0)
    ) -> list[Lease]:
        """Takes mailboxes without an owner or whose owner's heartbeat is over (for longer than `patience`): a new epoch
        each. Where other workers live, no more than this one's share of all mailboxes. In the same transaction their
        deliveries that were `sending` become `unconfirmed` (the owner died before the answer)."""
        ...

    async def give_back(self, worker_id: str, now: datetime, limit: int, *, patience: timedelta = timedelta(0)) -> int:
        """Leaves to the others what is more than this worker's share; how many mailboxes that were, at most `limit`.
        None from which a message is on its way."""
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

    async def ahead(self, worker_id: str, now: datetime) -> dict[str, datetime]:
        """Of this worker's mailboxes: those with traces from after `now`, and the latest of each."""
        ...

    async def set_back(self, lease: Lease, by: timedelta, now: datetime) -> int:
        """The clock was set back by so much: what waits for a time waits no longer than it would have. What a person
        chose (`send_at`) and what was promised (`expires_at`) stay. How many deliveries that were. Raises LeaseLost."""
        ...
