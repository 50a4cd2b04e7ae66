"""The real clock and real chance. It decides nothing."""

from __future__ import annotations

import os
import random
import secrets
import threading
from datetime import UTC, datetime

from postroom.core.identity import ENTROPY, Kind, identifier, milliseconds

COUNTER = 2
"""Bytes of a counter within each millisecond."""


class RealWorld:
    """core.ports.world.World, of this machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._drawn = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def jitter(self) -> float:
        return random.random()  # noqa: S311 - spreads load, keeps no secret

    def identifier(self, kind: Kind, mailbox_id: str | None = None) -> str:
        """They sort in the order in which this process drew them: a batch of messages is drawn within a millisecond,
        and where their dates are the same, this is what tells which came last. A mailbox's is chance alone: its key
        is the front of every key below it, and must not tell how many mailboxes there are."""
        if kind is Kind.MAILBOX:
            return identifier(kind, self.now(), os.urandom(ENTROPY))
        with self._lock:
            now = self.now()
            millisecond = milliseconds(now)
            self._drawn = self._drawn + 1 if millisecond == self._millisecond else 0
            self._millisecond = millisecond
            counter = self._drawn.to_bytes(COUNTER, "big")
        return identifier(kind, now, counter + os.urandom(ENTROPY - COUNTER), mailbox_id)

    def secret(self, size: int = 32) -> str:
        return secrets.token_urlsafe(size)
