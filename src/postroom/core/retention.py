"""How long is kept what would grow for ever and is nobody's mail. It removes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

GONE = timedelta(days=90)
"""Rows of the ledger that say of UIDs only that they were gone before they could be read."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Since when: `events` since they happened, with calls to webhooks that were given up; `stories` (transitions and
    attempts) since the delivery was accepted, which stays itself. Messages and conversations stay with their mailbox.
    """

    events: timedelta = timedelta(days=30)
    stories: timedelta = timedelta(days=365)
    gone: timedelta = GONE
