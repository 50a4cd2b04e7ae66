"""A connected mailbox: its address, its two endpoints, its credential. It does not say whether it works (health)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from postroom.core.budget import AS_GRANTED, UNTOLD, Budget, Told


class Direction(StrEnum):
    """The two directions of a mailbox; the value is the protocol that serves it."""

    IMAP = "imap"
    SMTP = "smtp"

    @property
    def word(self) -> str:
        """`receiving` or `sending`, as people and the API call it."""
        return "receiving" if self is Direction.IMAP else "sending"


class Security(StrEnum):
    """How a connection is protected: TLS from the first byte, STARTTLS (RFC 3207, RFC 9051 6.2.1), or nothing."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class AuthKind(StrEnum):
    """How a mailbox signs in. An application password is a password.

    `oauth`: a person consented (authorization code or device code), and a refresh token gives access tokens.
    `client_credentials`: the application itself may open the mailbox (Microsoft 365, RFC 6749 4.4). `service_account`:
    a Google service account acts for it (domain-wide delegation, RFC 7523).
    """

    PASSWORD = "password"  # noqa: S105 - the name of a kind, not a secret
    OAUTH = "oauth"
    CLIENT_CREDENTIALS = "client_credentials"
    SERVICE_ACCOUNT = "service_account"

    @property
    def by_token(self) -> bool:
        """Whether mail servers are shown an access token."""
        return self is not AuthKind.PASSWORD


class UnconfirmedPolicy(StrEnum):
    """What happens to a delivery whose answer was cut off and which the Sent folder does not show: a person chooses, or
    it is sent again once."""

    RESEND = "resend"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one direction is served. `username` is what is signed in with, often the address."""

    host: str
    port: int
    security: Security
    username: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token endpoint gave (RFC 6749 5.1). `expires_at` is the access token's end, None where not told.

    `previous_refresh_token` is the one before the newest: kept, because a crash or a provider's own delay can leave
    the newest unknown there. `given_at` is when the access token was given, `refresh_expires_at` the known end of the
    refresh token.
    """

    access_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    refresh_token: str = field(default="", repr=False)
    previous_refresh_token: str = field(default="", repr=False)
    refresh_expires_at: datetime | None = None
    scope: str = ""
    given_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves who we are. Never part of a log line, an event or an API answer; hence no repr of it.

    With tokens, `client` is our OAuth client (core.oauth.client), `identity` who signed in as far as the provider
    says, `tenant` whose directory the client acts in (client credentials; the client's own where empty).
    """

    kind: AuthKind = AuthKind.PASSWORD
    password: str = field(default="", repr=False)
    client: str = ""
    identity: str = ""
    tenant: str = ""
    tokens: Tokens | None = None

    @property
    def access_token(self) -> str:
        """Empty where there is none (yet)."""
        return self.tokens.access_token if self.tokens else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything in it that must never be shown."""
        held = self.tokens or Tokens()
        given = (self.password, held.access_token, held.refresh_token, held.previous_refresh_token)
        return tuple(one for one in given if one)


@dataclass(frozen=True, slots=True)
class Account:
    """All that wire needs to open one direction. `ca_certificate` is PEM text trusted beside the system's."""

    direction: Direction
    endpoint: Endpoint
    credential: Credential
    provider: str = "generic"
    ca_certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """Another address that a mailbox may send as. `refused` is the server's refusal, as people are told it; an alias
    that was not refused is taken to be allowed: some servers tell only when a message comes."""

    address: str
    name: str = ""
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What stands below each message, as text and as HTML; where one is empty, it is made of the other."""

    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address that the team has connected, without its credential. `budget` is what a person set, `told` what its
    SMTP server said; answers go to `reply_to`, unless a message says otherwise."""

    id: str
    address: str
    name: str
    provider: str
    imap: Endpoint
    smtp: Endpoint
    auth_kind: AuthKind
    created_at: datetime
    ca_certificate: str | None = None
    hold_hours: int = 72
    folders: tuple[str, ...] = ("INBOX",)
    reference: str | None = None
    unconfirmed: UnconfirmedPolicy = UnconfirmedPolicy.ASK
    sync_days: int | None = 30  # how old mail may be that the first reading brings; None for all of it
    aliases: tuple[Alias, ...] = ()
    budget: Budget = AS_GRANTED
    told: Told = UNTOLD
    reply_to: str | None = None
    signature: Signature | None = None
    read_sent: bool = True  # whether replies that were sent from elsewhere are read from its Sent folder

    def alias(self, address: str) -> Alias | None:
        """The alias with this address, however it is written."""
        wanted = address.strip().casefold()
        return next((one for one in self.aliases if one.address.casefold() == wanted), None)

    def endpoint(self, direction: Direction) -> Endpoint:
        return self.imap if direction is Direction.IMAP else self.smtp

    def account(self, direction: Direction, credential: Credential) -> Account:
        return Account(direction, self.endpoint(direction), credential, self.provider, self.ca_certificate)


def signs_in_as_another(address: str, username: str) -> bool:
    """Whether the sign-in is not the address's own, as with a shared mailbox: then rights decide what works.

    The local part alone, and a Windows domain before it (DOMAIN\\name), are the address's own.
    """
    own, given = address.casefold(), username.strip().casefold()
    local = own.rpartition("@")[0]
    _, backslash, last = given.rpartition("\\")
    if backslash and "@" not in given:
        given = last
    return bool(given) and given not in (own, local)
