"""The certificate of a server that a team runs itself: when its end is told, and which change is worth a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from postroom.core.diagnosis.evidence import TlsFacts
from postroom.core.mailbox import Direction

TOLD_BEFORE = (14, 3)
"""Days before its end at which people are told: time to renew it, and time to notice that nobody has."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server showed at a sign-in. `told` is the last of TOLD_BEFORE that was told of this certificate."""

    mailbox_id: str
    direction: Direction
    fingerprint: str
    issuer: str
    subject: str
    not_after: datetime
    seen_at: datetime
    told: int | None = None


def of_facts(mailbox_id: str, direction: Direction, facts: TlsFacts | None, now: datetime) -> Certificate | None:
    """The certificate of a handshake; None where it showed none that can be told of."""
    if facts is None or facts.not_after is None or facts.fingerprint is None:
        return None
    subject = facts.names[0] if facts.names else facts.subject or ""
    return Certificate(mailbox_id, direction, facts.fingerprint, facts.issuer or "", subject, facts.not_after, now)


def to_tell(certificate: Certificate, now: datetime) -> int | None:
    """Which of TOLD_BEFORE is due, the nearest to the end; None where none is, or it was told."""
    left = certificate.not_after - now
    due = [days for days in TOLD_BEFORE if left <= timedelta(days=days)]
    nearest = min(due, default=None)
    return None if nearest is None or (certificate.told is not None and certificate.told <= nearest) else nearest


def is_another(known: Certificate, seen: Certificate, *, own_authority: bool) -> bool:
    """Whether a changed certificate is worth a word: another issuer, or any change where the team named the authority
    itself. That a public authority renews its certificates is their ordinary life."""
    return known.fingerprint != seen.fingerprint and (own_authority or known.issuer != seen.issuer)
