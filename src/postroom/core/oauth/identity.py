"""Who signed in, and whether that is the mailbox's own: claims read, addresses compared. It asks nobody."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

SKEW = timedelta(minutes=15)
"""By so much our clock or theirs may be wrong: the token came straight from them over TLS."""
_CLAIMS = ("email", "preferred_username", "upn", "unique_name", "default_email")
_MORE = ("verified_primary_email", "verified_secondary_email", "emails")
_GMAIL = frozenset({"gmail.com", "googlemail.com"})


class BadIdToken(ValueError):
    """The ID token is not for us, or not of this sign-in. The text says which claim."""


def claims_of(id_token: str, *, client_id: str, nonce: str | None, now: datetime) -> dict[str, Any]:
    """The claims of an ID token that the token endpoint itself gave over TLS, which stands for its signature
    (OpenID Connect Core 3.1.3.7, 6). Audience, end and nonce are checked. Raises BadIdToken."""
    parts = id_token.split(".")
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, RecursionError):
        raise BadIdToken("the ID token cannot be read") from None
    if not isinstance(claims, dict):
        raise BadIdToken("the ID token holds no claims")
    audience = claims.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise BadIdToken("the ID token is for another client")
    ends = claims.get("exp")
    if not isinstance(ends, (int, float)) or ends < (now - SKEW).timestamp():
        raise BadIdToken("the ID token has expired: is this machine's clock right?")
    if nonce is not None and claims.get("nonce") not in (None, nonce):
        raise BadIdToken("the ID token is of another sign-in (nonce)")
    return claims


def addresses_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Every address that the claims give to who signed in, the main one first."""
    found = [claims.get(name) for name in _CLAIMS]
    for name in _MORE:
        several = claims.get(name)
        found += several if isinstance(several, list) else []
    return tuple(dict.fromkeys(one.strip() for one in found if isinstance(one, str) and "@" in one))


def same(one: str, other: str) -> bool:
    """Whether two addresses are one account's: case does not count, nor Gmail's dots and second domain."""
    return _plain(one) == _plain(other)


def is_among(identities: Iterable[str], allowed: Iterable[str]) -> bool:
    """Whether who signed in is one of those who may."""
    wanted = {_plain(one) for one in allowed}
    return any(_plain(one) in wanted for one in identities)


def _plain(address: str) -> str:
    local, _, domain = address.strip().casefold().rpartition("@")
    if domain in _GMAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"
