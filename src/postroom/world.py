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
STORE = 700
"""Bytes of chance that are drawn at once, for a hundred identifiers."""


class RealWorld:
    """core.ports.world.World, of this machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._drawn = 0
        self._chance = b""
        self._process = 0

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
            entropy = self._drawn.to_bytes(COUNTER, "big") + self._by_chance(ENTROPY - COUNTER)
        return identifier(kind, now, entropy, mailbox_id)

    def _by_chance(self, size: int) -> bytes:
        """From a store of this process: to ask the system, a thread lets the others go first, four times a message."""
        if len(self._chance) < size or self._process != os.getpid():
            self._chance, self._process = os.urandom(STORE), os.getpid()
        taken, self._chance = self._chance[:size], self._chance[size:]
        return taken

    def secret(self, size: int = 32) -> str:
        return secrets.token_urlsafe(size)
