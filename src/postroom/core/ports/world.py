"""Clock, chance and wake-ups, as arguments. It holds no code of theirs."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from postroom.core.identity import Kind


class World(Protocol):
    """What core must not read by itself."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def jitter(self) -> float:
        """A number from 0 to 1."""
        ...

    def identifier(self, kind: Kind, mailbox_id: str | None = None) -> str:
        """A new identifier (core.identity)."""
        ...

    def secret(self, size: int = 32) -> str:
        """Random bytes in URL-safe base 64, for keys and webhook secrets."""
        ...
