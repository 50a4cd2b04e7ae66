"""When tokens are renewed and what ends soon: times compared. It reads no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from postroom.core.mailbox import Tokens

AHEAD = timedelta(minutes=5)
"""So long before its end a token is renewed, at the latest."""
SPREAD = timedelta(minutes=5)
"""So much earlier, at most, by chance: mailboxes that were connected together are not renewed together."""
SHORT = 0.2
"""Of a short-lived token's life this part, if that is less."""
SIGN_IN_ENDS_SOON = timedelta(days=2)
"""How long before a sign-in's known end people are told."""


def lives(tokens: Tokens, now: datetime) -> bool:
    """Whether the access token still works, as far as we were told."""
    return bool(tokens.access_token) and (tokens.expires_at is None or tokens.expires_at > now)


def due(tokens: Tokens, now: datetime, jitter: float) -> bool:
    """Whether the access token is to be renewed now; `jitter` is a number from 0 to 1."""
    if not lives(tokens, now):
        return True
    if tokens.expires_at is None:
        return False
    ahead = AHEAD + SPREAD * jitter
    if tokens.given_at is not None:
        ahead = min(ahead, (tokens.expires_at - tokens.given_at) * SHORT)
    return tokens.expires_at - now <= ahead


def ends_at(tokens: Tokens, unused: timedelta | None) -> datetime | None:
    """When the sign-in ends if nothing is done: the refresh token's known end, else its death by disuse."""
    if tokens.refresh_expires_at is not None:
        return tokens.refresh_expires_at
    if unused is None or tokens.given_at is None or not tokens.refresh_token:
        return None
    return tokens.given_at + unused
