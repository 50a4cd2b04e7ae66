"""What was seen when something failed. It does not judge: that is the rules' work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from postroom.core.mailbox import Direction


class Stage(StrEnum):
    """Where in a connection's life something failed; the same reply means different things at each."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    CAPABILITY = "capability"  # IMAP CAPABILITY
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    OAUTH = "oauth"  # the token endpoint, not the mail server
    SELECT = "select"
    FETCH = "fetch"
    IDLE = "idle"
    APPEND = "append"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    SEND = "send"  # somewhere in MAIL, RCPT, DATA: the source did not say which
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What the handshake showed. `fault` is one of expired, not_yet_valid, wrong_host, self_signed,
    unknown_ca, plain_port (no TLS spoken there), protocol (version or cipher), other; None where it went well.
    `fingerprint` is the certificate's SHA-256 in hexadecimal digits."""

    fault: str | None = None
    names: tuple[str, ...] = ()
    issuer: str | None = None
    subject: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    protocol: str | None = None
    detail: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the rules may look at.

    `raw` is every line of the server's reply (or of the exception where there was none), decoded as UTF-8 with
    replacement; `status` is IMAP's NO/BAD/BYE/OK, `response_code` its RFC 5530 code (without brackets);
    `smtp_code` the three digits, `enhanced` the RFC 3463 code; `exception` is the innermost exception as
    `TypeName: text`; `challenge` is the decoded XOAUTH2/OAUTHBEARER error; `address` the IP tried;
    `security` what was asked for.
    """

    direction: Direction
    stage: Stage
    raw: str = ""
    provider: str | None = None
    status: str | None = None
    response_code: str | None = None
    smtp_code: int | None = None
    enhanced: str | None = None
    exception: str | None = None
    host: str | None = None
    port: int | None = None
    security: str | None = None
    address: str | None = None
    username: str | None = None
    mechanism: str | None = None
    challenge: str | None = None
    folder: str | None = None
    recipient: str | None = None
    tls: TlsFacts | None = None
    seen_at: datetime | None = None


class Failure(Exception):
    """A step failed; `evidence` says what was seen. The one exception type that wire raises to flows."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(f"{evidence.direction} {evidence.stage}: {evidence.raw or evidence.exception or 'no answer'}")
        self.evidence = evidence


class Unanswered(Failure):
    """The connection was lost after the message was handed over (final dot written) and before the answer."""
