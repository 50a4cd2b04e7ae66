"""Kinds of text that requests bring: addresses, hosts, times, identifiers. Messages say how to mend a wrong one."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import UTC, datetime
from typing import Annotated

import idna
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic.fields import FieldInfo

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f<>()\[\],;:\\\"@]+")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_FORBIDDEN_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


def whole(value: str) -> str:
    """JSON can write half of a surrogate pair, as `\\ud800`; no encoding can, hence no message and no database."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("This holds half of a Unicode surrogate pair, which is no text: remove it.") from None
    return value


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("This holds a NUL character, which no message and no database may hold: remove it.")
    return value


def _one_line(value: str) -> str:
    if _FORBIDDEN_IN_A_LINE.search(value):
        raise ValueError("This must be one line: remove line breaks and control characters.")
    return value


def domain(value: str) -> str:
    """A domain name as it is looked up: lower case, international ones as A-labels (RFC 5891). Raises ValueError."""
    name = value.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise ValueError(f"“{value}” is no domain name.") from None
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"“{value}” is no domain name.")
    return name


def address(value: str) -> str:
    """An email address (RFC 5321 4.1.2, local part as a dot-string) with its domain as A-labels. Raises ValueError."""
    local, at, host = value.strip().rpartition("@")
    if not at:
        raise ValueError("This is no email address: it has no @. One looks like anna@example.com.")
    if not _LOCAL.fullmatch(local) or len(local.encode()) > 64 or ".." in local or local[0] == "." or local[-1] == ".":
        raise ValueError("This is no email address: what stands before the @ is not right.")
    try:
        name = domain(host)
    except ValueError as problem:
        raise ValueError(f"This is no email address: {problem}") from None
    return f"{local}@{name}"


def host(value: str) -> str:
    """A server's name or IP address. Raises ValueError."""
    given = value.strip().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        pass
    if "://" in given or "/" in given:
        raise ValueError("Give the server's name alone, without imap:// and without a path.")
    if ":" in given:
        raise ValueError("Give the server's name alone; its port has a field of its own, `port`.")
    try:
        return domain(given)
    except ValueError:
        raise ValueError(f"“{value}” is no server name. One looks like imap.example.com.") from None


def _time(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("This must be a time of RFC 3339 with its offset, such as 2026-07-01T09:30:00Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such time in the calendar.") from None


def _content(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("This must be text: the file's bytes in base 64.")  # noqa: TRY004 - pydantic wants ValueError
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("This is not base 64 (RFC 4648, the alphabet with + and /, padded with =).") from None


Whole = AfterValidator(whole)
Text = Annotated[str, Whole, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
Line = Annotated[
    str,
    Whole,
    AfterValidator(_one_line),
    Field(json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f\u2028\u2029]*$"}),
]
EmailAddress = Annotated[
    str,
    Field(max_length=320, json_schema_extra={"format": "idn-email"}, examples=["support@example.com"]),
    Whole,
    AfterValidator(address),
]
Host = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"format": "idn-hostname"}, examples=["imap.example.com"]),
    Whole,
    AfterValidator(host),
]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Time = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-07-01T09:30:00Z"]}),
]
Base64 = Annotated[
    bytes, BeforeValidator(_content), WithJsonSchema({"type": "string", "contentEncoding": "base64"}), Field(repr=False)
]


def _identifier(prefix: str) -> FieldInfo:
    field: FieldInfo = Field(
        pattern=rf"^{prefix}_[0-9a-z]{{10,50}}$", description=f"An opaque identifier that begins with `{prefix}_`."
    )
    return field


MailboxId = Annotated[str, _identifier("mbx")]
MessageId = Annotated[str, _identifier("msg")]
ConversationId = Annotated[str, _identifier("cnv")]
DeliveryId = Annotated[str, _identifier("dlv")]
WebhookId = Annotated[str, _identifier("whk")]
OAuthClientId = Annotated[str, _identifier("oac")]
AuthorizationId = Annotated[str, _identifier("oau")]
ConnectLinkId = Annotated[str, _identifier("cnl")]
