"""The form of an API key's token and the digest that is kept of it. It draws no randomness and stores nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

PREFIX = "pr_"
"""So that people, and scanners for leaked secrets, know a Postroom key when they see one."""


def token(secret: str) -> str:
    """The token that a person is shown once. `secret` is World.secret(): 32 random bytes or more in base 64."""
    return PREFIX + secret


def digest(presented: str) -> str:
    """SHA-256 of a token in hexadecimal: what the store keeps and looks up.

    A plain hash is enough: a token is random and long, so there is nothing to guess and no salt to add.
    """
    return hashlib.sha256(presented.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key; its token is not kept, only its SHA-256."""

    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
