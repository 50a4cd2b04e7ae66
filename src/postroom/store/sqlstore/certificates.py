"""The store's port of certificates: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from datetime import datetime

from postroom.core.certificate import Certificate
from postroom.core.events import Event
from postroom.store import certificates
from postroom.store.sqlstore.base import Base


class CertificateMethods(Base):
    """Part of SqlStore."""

    async def certificates(self, mailbox_id: str) -> list[Certificate]:
        return await self._read(certificates.of, [mailbox_id])

    async def note_certificate(self, seen: Certificate, event: Event | None) -> bool:
        return await self._write(certificates.note, seen, event)

    async def certificates_ending(self, before: datetime, limit: int = 100) -> list[Certificate]:
        return await self._read(certificates.ending, before, limit)

    async def note_certificate_told(self, one: Certificate, days: int, event: Event) -> bool:
        return await self._write(certificates.told, one, days, event)
