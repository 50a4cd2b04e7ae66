"""The store's port of connect links: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from datetime import datetime

from postroom.core.connect_link import ConnectLink
from postroom.core.events import Event
from postroom.core.ports.store import Page
from postroom.store import connect_links
from postroom.store.sqlstore.base import Base


class ConnectLinkMethods(Base):
    """Part of SqlStore."""

    async def add_connect_link(self, link: ConnectLink) -> None:
        await self._write(connect_links.add, self._vault, link)

    async def connect_link(self, link_id: str) -> ConnectLink | None:
        return await self._read(connect_links.get, self._vault, link_id)

    async def connect_links(
        self, *, limit: int = 50, cursor: str | None = None, mailbox_id: str | None = None
    ) -> Page[ConnectLink]:
        return await self._read(connect_links.page, self._vault, limit, cursor, mailbox_id)

    async def revoke_connect_link(self, link_id: str, at: datetime) -> bool:
        return await self._write(connect_links.revoke, link_id, at)

    async def claim_connect_link(self, link_id: str, now: datetime, until: datetime) -> bool:
        return await self._write(connect_links.claim, link_id, now, until)

    async def release_connect_link(self, link: ConnectLink) -> None:
        await self._write(connect_links.release, link)

    async def use_connect_link(self, link: ConnectLink, event: Event) -> bool:
        return await self._write(connect_links.use, link, event)
