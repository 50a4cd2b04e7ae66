"""Builds evidence from what people paste and from JSON. It does not judge it."""

from __future__ import annotations

from collections.abc import Mapping

from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.diagnosis.facts import (
    decoded_challenge,
    enhanced_code,
    imap_status,
    reply_code,
    response_codes,
    shortened,
)
from postroom.core.diagnosis.guides import canonical_provider, provider_from_words
from postroom.core.diagnosis.wrapped import plain, without_advice, without_frames
from postroom.core.mailbox import Direction


class EvidenceError(ValueError):
    """A JSON object is not evidence; the text names the field and says what it must be."""


def read(
    direction: Direction | str,
    raw: str,
    stage: Stage | str | None = None,
    provider: str | None = None,
    *,
    smtp_code: int | None = None,
    enhanced: str | None = None,
    status: str | None = None,
    response_code: str | None = None,
) -> Evidence:
    """Evidence from a pasted error text; what is given wins over what the text shows.

    Raises ValueError for an unknown direction or stage.
    """
    direction = Direction(direction)
    text = shortened(raw)
    sending = direction is Direction.SMTP
    stage = Stage(stage) if stage else guessed_stage(direction, text)
    enhanced = enhanced or (enhanced_code(text) if sending else None)
    codes = sorted(response_codes(response_code, text)) if not sending else []
    return Evidence(
        direction=direction,
        stage=stage,
        raw=raw,
        provider=canonical_provider(provider) if provider else provider_from_words(text.lower()),
        status=status or (imap_status(text) if not sending else None),
        response_code=response_code or (codes[0] if len(codes) == 1 else None),
        smtp_code=smtp_code or (reply_code(text, enhanced) if sending and stage is not Stage.OAUTH else None),
        enhanced=enhanced,
        challenge=decoded_challenge(text),
    )


_STAGE_MARKS: tuple[tuple[Stage, Direction | None, tuple[str, ...]], ...] = (
    (
        Stage.OAUTH,
        None,
        (
            "aadsts",
            "invalid_grant",
            "invalid_client",
            "oauth2.googleapis.com/token",
            "/oauth2/v2.0/token",
            "refresh token",
            "refresh_token",
        ),
    ),
    (
        Stage.DNS,
        None,
        (
            "getaddrinfo",
            "enotfound",
            "eai_again",
            "name or service not known",
            "unknownhost",
            "nodename nor servname",
            "querya ",
            "resolve host",
        ),
    ),
    (
        Stage.TLS,
        None,
        ("certificate", "ssl routines", "sslhandshake", "ssl handshake", "tls handshake", "wrong version number"),
    ),
    (
        Stage.CONNECT,
        None,
        (
            "econnrefused",
            "connection refused",
            "etimedout",
            "no route to host",
            "network is unreachable",
            "winerror 10060",
            "winerror 10061",
        ),
    ),
    (Stage.GREETING, None, ("invalid greeting", "unexpected greeting", "helo stage", "refused to talk to me")),
    (Stage.STARTTLS, None, ("notoffered: starttls", "starttls extension not supported")),
    (
        Stage.RCPT,
        Direction.SMTP,
        (
            "in reply to rcpt to",
            "all recipients failed",
            "no recipients were accepted",
            "recipients refused",
            "recipient address rejected",
            "rcpt to:",
        ),
    ),
    (
        Stage.DATA,
        Direction.SMTP,
        (
            "in reply to end of data",
            "data not accepted",
            "message failed",
            "smtpdataerror",
            "data end command",
            "end of data",
            "unauthenticated",
            "dmarc",
            "dkim",
            "spf ",
        ),
    ),
    (
        Stage.MAIL,
        Direction.SMTP,
        (
            "in reply to mail from",
            "mail command failed",
            "sender address rejected",
            "smtpsenderrefused",
            "from address failed",
            "mail from:",
        ),
    ),
    (Stage.APPEND, Direction.IMAP, (" append ", "'append'", "appenduid", "append failed", "message contains")),
    (
        Stage.FETCH,
        Direction.IMAP,
        (" fetch ", "'fetch'", "server error: status", "uid fetch", "'search'", "uid search"),
    ),
    (
        Stage.SELECT,
        Direction.IMAP,
        (
            " select ",
            "'select'",
            " examine ",
            "'examine'",
            "could not select",
            "nonexistent",
            "mailbox doesn't exist",
            "mailbox does not exist",
            "mailbox is locked",
            "lock mailbox",
            "waiting for lock",
            "mailbox busy",
        ),
    ),
)
_SIGN_IN_MARKS = ("auth", "login", "password", "credential", "log in", "535", "534", "530", "454 4.7")


def guessed_stage(direction: Direction, raw: str) -> Stage:
    """Where a pasted failure most likely happened: signing in where nothing else is said."""
    text = without_advice(" ".join(without_frames(plain(shortened(raw))).lower().split()))
    for stage, only, marks in _STAGE_MARKS:
        if only in (None, direction) and any(mark in text for mark in marks):
            return stage
    if direction is Direction.SMTP and not any(mark in text for mark in _SIGN_IN_MARKS):
        return Stage.SEND
    return Stage.AUTH


def from_json(value: object) -> Evidence:
    """Evidence from one JSON object with `direction`, `stage`, `raw` and whatever else of Evidence's words is known.

    Raises EvidenceError, which names the field.
    """
    if not isinstance(value, Mapping):
        raise EvidenceError(
            'a line must be a JSON object, such as {"direction": "smtp", "stage": "auth", "raw": "535 …"}'
        )
    direction = Direction(_choice(value, "direction", tuple(Direction)))
    raw = _text(value, "raw") or ""
    return Evidence(
        direction=direction,
        stage=Stage(_choice(value, "stage", tuple(Stage))) if value.get("stage") else guessed_stage(direction, raw),
        raw=raw,
        provider=_text(value, "provider"),
        status=_text(value, "status"),
        response_code=_text(value, "response_code"),
        smtp_code=_number(value, "smtp_code", 200, 599),
        enhanced=_text(value, "enhanced"),
        exception=_text(value, "exception"),
        host=_text(value, "host"),
        port=_number(value, "port", 1, 65535),
        security=_text(value, "security"),
        username=_text(value, "username"),
        mechanism=_text(value, "mechanism"),
        folder=_text(value, "folder"),
        recipient=_text(value, "recipient"),
    )


def _choice(value: Mapping[object, object], name: str, allowed: tuple[str, ...]) -> str:
    given = value.get(name)
    if not isinstance(given, str) or given not in allowed:
        raise EvidenceError(f"{name} must be one of {', '.join(allowed)}")
    return given


def _text(value: Mapping[object, object], name: str) -> str | None:
    given = value.get(name)
    if given is not None and not isinstance(given, str):
        raise EvidenceError(f"{name} must be a text or null, not {type(given).__name__}")
    return given


def _number(value: Mapping[object, object], name: str, low: int, high: int) -> int | None:
    given = value.get(name)
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 6:
        given = int(given)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise EvidenceError(f"{name} must be a number from {low} to {high} or null")
    return given
