"""What is known of one mail provider, as data. It does not find it (provider) nor say what to do there (guides)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroom.core.mailbox import Endpoint, Security

IDLE_SECONDS = 28 * 60
"""RFC 2177 asks for a renewal at least every 29 minutes."""
SMTP_CONNECTIONS = 2
"""What no submission server that we know refuses; Exchange Online, the stingiest of those that say, grants 3."""
CONNECTIONS = 4
"""What the stingiest of common servers grants one user and address: Courier's MAXPERIP; Dovecot grants 10."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where one direction is served; `{domain}` in the host stands for the domain of the address.

    `local_part` where one signs in with what stands before the @, not with the whole address.
    """

    host: str
    port: int
    security: Security = Security.TLS
    local_part: bool = False

    def endpoint(self, address: str) -> Endpoint:
        local, _, domain = address.rpartition("@")
        username = local if self.local_part else address
        return Endpoint(self.host.format(domain=domain.lower()), self.port, self.security, username)


@dataclass(frozen=True, slots=True)
class Site:
    """A pair of servers. `domains`, where given, are the addresses that it alone serves (gmx.com, not gmx.net)."""

    imap: Server
    smtp: Server
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's settings and habits. A server's own answer outranks each of them.

    `domains` are those of its own addresses; `mx` and `hosts` are suffixes of host names that show that it serves a
    domain or a connection. `saves_sent`: what is sent over SMTP stands in Sent by itself. `idle_seconds`: how long IDLE
    may last. `imap_bytes_a_day`: how much may be fetched. `connections` and `smtp_connections`: at once for one
    mailbox. `password_off`: passwords of no kind are taken, only OAuth. `message_bytes`: of a whole message as it is
    sent, attachments in base 64. `sources` names where each fact comes from, by field; None in a limit says that none
    is known.
    """

    key: str
    name: str
    sites: tuple[Site, ...] = ()
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    saves_sent: bool = False
    idle_seconds: int = IDLE_SECONDS
    connections: int = CONNECTIONS
    smtp_connections: int = SMTP_CONNECTIONS
    messages_a_day: int | None = None
    messages_a_minute: int | None = None
    recipients_a_day: int | None = None
    recipients_a_message: int | None = None
    message_bytes: int | None = None
    imap_bytes_a_day: int | None = None
    needs_app_password: bool = False
    password_off: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    def sites_for(self, domain: str) -> tuple[Site, ...]:
        """Its servers for an address of `domain`, the likeliest first."""
        own = tuple(one for one in self.sites if domain in one.domains)
        return own or tuple(one for one in self.sites if not one.domains) or self.sites
