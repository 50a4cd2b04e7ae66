"""The real clock and real chance. It decides nothing."""

from __future__ import annotations

import os
import random
import secrets
from datetime import UTC, datetime

from postroom.core.identity import ENTROPY, Kind, identifier


class RealWorld:
    """core.ports.world.World, of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - spreads load, keeps no secret

    def identifier(self, kind: Kind, mailbox_id: str | None = None) -> str:
        return identifier(kind, self.now(), os.urandom(ENTROPY), mailbox_id)

    def secret(self, size: int = 32) -> str:
        return secrets.token_urlsafe(size)
