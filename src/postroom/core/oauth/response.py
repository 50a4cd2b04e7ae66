"""Reads what authorization servers answer: tokens, device codes, metadata, errors. It judges no failure (diagnosis)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from postroom.core.mailbox import Tokens
from postroom.core.oauth.authority import Endpoints

LONGEST = timedelta(days=3650)
DEVICE_INTERVAL = 5
"""Seconds between polls where the server names none (RFC 8628 3.2)."""
SLOWER = 5
"""Seconds more after `slow_down` (RFC 8628 3.5)."""


class Unreadable(ValueError):
    """An answer of success that is none: HTML, no JSON, no token in it. The text says what was missing."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens, with what came beside them."""

    tokens: Tokens
    id_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person needs to sign in elsewhere (RFC 8628 3.2). `interval` are seconds between polls."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_at: datetime
    interval: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as RFC 6749 5.2 and 4.1.2.1 write it; `error` is empty where the answer was something else."""

    error: str = ""
    description: str = ""


def grant_of(body: str, now: datetime) -> Grant:
    """RFC 6749 5.1; `expires_in` may be a string (Microsoft's older endpoints). Raises Unreadable."""
    fields = _object(body)
    access = fields.get("access_token")
    if not isinstance(access, str) or not access:
        raise Unreadable("the answer has no access_token")
    tokens = Tokens(
        access_token=access,
        expires_at=_after(fields.get("expires_in"), now),
        refresh_token=_text(fields.get("refresh_token")),
        # Google's name for it, in Testing and for time-limited access; Microsoft has its own.
        refresh_expires_at=_after(
            fields.get("refresh_token_expires_in") or fields.get("refresh_expires_in") or None, now
        ),
        scope=_text(fields.get("scope")),
        given_at=now,
    )
    return Grant(tokens, _text(fields.get("id_token")))


def renewed(old: Tokens, new: Tokens) -> Tokens:
    """Tokens after a refresh: what the answer leaves out stays, and the refresh token that was used is kept beside."""
    rotated = bool(new.refresh_token) and new.refresh_token != old.refresh_token
    return Tokens(
        access_token=new.access_token,
        expires_at=new.expires_at,
        refresh_token=new.refresh_token or old.refresh_token,
        previous_refresh_token=old.refresh_token if rotated else old.previous_refresh_token,
        refresh_expires_at=new.refresh_expires_at or (None if rotated else old.refresh_expires_at),
        scope=new.scope or old.scope,
        given_at=new.given_at,
    )


def device_code_of(body: str, now: datetime) -> DeviceCode:
    """RFC 8628 3.2; Google writes `verification_url`. Raises Unreadable."""
    fields = _object(body)
    where = _text(fields.get("verification_uri") or fields.get("verification_url"))
    device, user = _text(fields.get("device_code")), _text(fields.get("user_code"))
    if not (where and device and user):
        raise Unreadable("the answer has no device_code, user_code and verification_uri")
    seconds = _seconds(fields.get("interval"))
    return DeviceCode(
        device,
        user,
        where,
        _text(fields.get("verification_uri_complete")),
        _after(fields.get("expires_in"), now) or now + timedelta(minutes=15),
        int(min(60, seconds)) if seconds else DEVICE_INTERVAL,
    )


def endpoints_of(body: str, issuer: str) -> Endpoints:
    """OpenID Discovery 3, RFC 8414 2. Raises Unreadable, also where the metadata is another issuer's (RFC 8414 3.3)."""
    fields = _object(body)
    if _text(fields.get("issuer")).rstrip("/") != issuer.rstrip("/"):
        raise Unreadable(f"the metadata is that of {fields.get('issuer')!r}, not of {issuer}")
    token = _text(fields.get("token_endpoint"))
    if not token:
        raise Unreadable("the metadata names no token_endpoint")
    methods = fields.get("token_endpoint_auth_methods_supported") or []
    return Endpoints(
        authorization=_text(fields.get("authorization_endpoint")),
        token=token,
        device=_text(fields.get("device_authorization_endpoint")),
        userinfo=_text(fields.get("userinfo_endpoint")),
        issuer=_text(fields.get("issuer")),
        basic="client_secret_basic" in methods and "client_secret_post" not in methods,
    )


def refusal_of(body: str) -> Refusal:
    """The error in an answer, whatever it is; never raises. Google's older form wraps it in an object."""
    try:
        fields = _object(body)
    except Unreadable:
        return Refusal()
    error = fields.get("error")
    if isinstance(error, dict):
        return Refusal(_text(error.get("status") or error.get("code")), _text(error.get("message")))
    return Refusal(_text(error), _text(fields.get("error_description")))


def claims_of_answer(body: str) -> Mapping[str, Any]:
    """The claims of a userinfo answer (OpenID Connect Core 5.3.2). Raises Unreadable."""
    return _object(body)


def _object(body: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the answer is no JSON") from None
    if not isinstance(fields, dict):
        raise Unreadable("the answer is no JSON object")
    return fields


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else -1.0
    except ValueError:
        return None
    return seconds if 0 <= seconds <= LONGEST.total_seconds() else None


def _after(value: object, now: datetime) -> datetime | None:
    seconds = _seconds(value)
    return None if seconds is None else now + timedelta(seconds=seconds)
