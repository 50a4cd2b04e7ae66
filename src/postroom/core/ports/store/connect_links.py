"""What flows and web ask of the store about connect links. No SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from postroom.core.connect_link import ConnectLink
from postroom.core.events import Event
from postroom.core.ports.store.basics import Page


class ConnectLinkStore(Protocol):
    async def add_connect_link(self, link: ConnectLink) -> None:
        """Forgets those that are long over, too. Raises MailboxGone."""
        ...

    async def connect_link(self, link_id: str) -> ConnectLink | None: ...
    async def connect_links(
        self, *, limit: int = 50, cursor: str | None = None, mailbox_id: str | None = None
    ) -> Page[ConnectLink]:
        """The newest first; with `mailbox_id` those that were made for it or connected it."""
        ...

    async def revoke_connect_link(self, link_id: str, at: datetime) -> bool:
        """False where there is none that is unused."""
        ...

    async def claim_connect_link(self, link_id: str, now: datetime, until: datetime) -> bool:
        """Takes the link for one try; False where it is used, revoked, at rest, or another try has it."""
        ...

    async def release_connect_link(self, link: ConnectLink) -> None:
        """Ends a try in vain: writes `failures` and `waits_until`."""
        ...

    async def use_connect_link(self, link: ConnectLink, event: Event) -> bool:
        """Its one use: writes `used_at` and `connected_id`. False, and no event, where it was used before."""
        ...
