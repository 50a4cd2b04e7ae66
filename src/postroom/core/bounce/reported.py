"""The words of a report on a message that was sent (RFC 3464). It reads none."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """What became of the message at a recipient (RFC 3464 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class Reported:
    """One recipient in a report. `address` is whom it failed at, `original` whom we had sent to where a server between
    says so; `status` is of RFC 3463; `words` are the server's own."""

    address: str
    action: Action
    status: str | None = None
    words: str = ""
    original: str | None = None


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report: about whom, and the Message-IDs (without brackets) that it names for the message, surest first."""

    message_ids: tuple[str, ...]
    recipients: tuple[Reported, ...] = field(default_factory=tuple)
