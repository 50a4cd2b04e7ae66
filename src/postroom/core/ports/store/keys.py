"""What the API asks of the store about its keys. It holds no SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from postroom.core.apikey import ApiKey


class KeyStore(Protocol):
    async def add_key(self, key: ApiKey, digest: str) -> None: ...
    async def key(self, digest: str) -> ApiKey | None:
        """None where unknown or revoked."""
        ...

    async def key_used(self, key_id: str, at: datetime) -> None: ...
    async def keys(self) -> list[ApiKey]: ...
    async def revoke_key(self, key_id: str, at: datetime) -> bool: ...
