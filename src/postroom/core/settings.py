"""Ports and securities that mail servers usually have, and which of them are near to a given one. It tries none."""

from __future__ import annotations

from dataclasses import replace

from postroom.core.mailbox import Direction, Endpoint, Security

USUAL = {
    Direction.IMAP: ((993, Security.TLS), (143, Security.STARTTLS)),
    Direction.SMTP: ((465, Security.TLS), (587, Security.STARTTLS)),
}
"""RFC 8314 3.2 and 3.3, RFC 9051 2.1, RFC 6409 3.1; what is protected from the first byte first."""


def neighbours(direction: Direction, endpoint: Endpoint) -> tuple[Endpoint, ...]:
    """Settings of the same server that may be meant: the same port with another security, then the usual ports. None
    is without protection."""
    port = endpoint.port
    near = [(port, Security.TLS), (port, Security.STARTTLS), *USUAL[direction]]
    given = (port, endpoint.security)
    return tuple(replace(endpoint, port=one, security=way) for one, way in dict.fromkeys(near) if (one, way) != given)
