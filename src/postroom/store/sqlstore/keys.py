"""The store's port of the keys of the API: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from datetime import datetime

from postroom.core.apikey import ApiKey
from postroom.store import keys
from postroom.store.sqlstore.base import Base


class KeyMethods(Base):
    """Part of SqlStore."""

    async def add_key(self, key: ApiKey, digest: str) -> None:
        await self._write(keys.add, key, digest)

    async def key(self, digest: str) -> ApiKey | None:
        return await self._read(keys.get, digest)

    async def key_used(self, key_id: str, at: datetime) -> None:
        await self._note(keys.used, key_id, at)

    async def keys(self) -> list[ApiKey]:
        return await self._read(keys.all_of_them)

    async def revoke_key(self, key_id: str, at: datetime) -> bool:
        return await self._write(keys.revoke, key_id, at)
