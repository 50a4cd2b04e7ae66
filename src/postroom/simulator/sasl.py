"""The SASL mechanisms PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER, server side. It does not check a password."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MECHANISMS = ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER")

Ask = Callable[[bytes], Awaitable[bytes]]


class SaslError(Exception):
    """The exchange cannot be understood, or the client gave it up with `*`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who wants in, and with what."""

    mechanism: str
    username: str
    secret: str = field(repr=False)

    @property
    def is_token(self) -> bool:
        return self.mechanism in ("XOAUTH2", "OAUTHBEARER")


async def exchange(mechanism: str, initial: bytes | None, ask: Ask) -> Credentials:
    """Run one mechanism. `initial` is the initial response, still in base64 (`=` is an empty one, RFC 4959);
    `ask` sends a challenge, already in base64, and returns the client's line. Raises SaslError."""
    mechanism = mechanism.upper()
    if mechanism == "LOGIN":  # draft-murchison-sasl-login
        user = _decoded(initial if initial is not None else await ask(base64.b64encode(b"Username:")))
        return Credentials(mechanism, _text(user), _text(_decoded(await ask(base64.b64encode(b"Password:")))))
    if mechanism not in MECHANISMS:
        raise SaslError(f"mechanism {mechanism} is not supported")
    response = _decoded(initial if initial is not None else await ask(b""))
    if mechanism == "PLAIN":  # RFC 4616
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise SaslError("PLAIN needs authorization identity, user and password, divided by NUL")
        return Credentials(mechanism, _text(parts[1]), _text(parts[2]))
    return _bearer(mechanism, _text(response))


def _bearer(mechanism: str, response: str) -> Credentials:
    pattern = r"user=([^\x01]*)\x01" if mechanism == "XOAUTH2" else r"n,a=([^,\x01]*),\x01"  # RFC 7628 3.1
    user = re.match(pattern, response)
    token = re.search(r"\x01auth=Bearer ([^\x01]*)\x01\x01$", response, re.IGNORECASE)
    if user is None or token is None:
        raise SaslError(f"{mechanism} needs a user and auth=Bearer, each ended by ^A")
    name = user[1].replace("=2C", ",").replace("=3D", "=")
    return Credentials(mechanism, name, token[1])


def refusal(mechanism: str) -> bytes | None:
    """The error challenge, in base64, that comes before a token is refused; None for passwords.

    Google's documentation of XOAUTH2 and RFC 7628 3.2.3 give the two forms.
    """
    if mechanism == "XOAUTH2":
        reason = {"status": "400", "schemes": "Bearer", "scope": "mail"}
    elif mechanism == "OAUTHBEARER":
        reason = {"status": "invalid_token", "scope": "mail"}
    else:
        return None
    return base64.b64encode(json.dumps(reason).encode())


def _decoded(line: bytes) -> bytes:
    line = line.strip()
    if line == b"*":
        raise SaslError("cancelled by the client")
    try:
        return b"" if line == b"=" else base64.b64decode(line, validate=True)
    except binascii.Error:
        raise SaslError("not base64") from None


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("not UTF-8") from None
