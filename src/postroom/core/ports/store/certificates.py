"""What flows ask of the store about the certificates of servers. It holds no SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from postroom.core.certificate import Certificate
from postroom.core.events import Event


class CertificateStore(Protocol):
    async def certificates(self, mailbox_id: str) -> list[Certificate]:
        """Of both directions, as far as they were noted."""
        ...

    async def note_certificate(self, seen: Certificate, event: Event | None) -> bool:
        """Instead of the one before. False where the mailbox is gone."""
        ...

    async def certificates_ending(self, before: datetime, limit: int = 100) -> list[Certificate]:
        """Those that end by then and whose nearest end was not told, the first to end first."""
        ...

    async def note_certificate_told(self, one: Certificate, days: int, event: Event) -> bool:
        """Compare and swap: False, and nothing told, where it was told meanwhile or is another by now."""
        ...
