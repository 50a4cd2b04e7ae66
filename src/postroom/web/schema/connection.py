"""What requests bring to connect or change a mailbox. It shows none: see mailbox."""

from __future__ import annotations

from typing import Annotated, Literal

from cryptography import x509
from pydantic import AfterValidator, Discriminator, Field, SecretStr, Tag

from postroom.core import budget
from postroom.core import mailbox as core
from postroom.core.mailbox import AuthKind, Security, UnconfirmedPolicy
from postroom.web.schema.base import Input, ListQuery
from postroom.web.schema.fields import AuthorizationId, EmailAddress, Host, Line, OAuthClientId, Port, Text, whole

DEFAULT_PORTS = {
    (core.Direction.IMAP, Security.TLS): 993,
    (core.Direction.IMAP, Security.STARTTLS): 143,
    (core.Direction.IMAP, Security.NONE): 143,
    (core.Direction.SMTP, Security.TLS): 465,
    (core.Direction.SMTP, Security.STARTTLS): 587,
    (core.Direction.SMTP, Security.NONE): 587,
}
"""RFC 8314 3.2 and 3.3, RFC 9051 2.1, RFC 6409 3.1."""


def _certificate(value: str) -> str:
    try:
        x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        raise ValueError(
            "This is no certificate in PEM form: it begins with -----BEGIN CERTIFICATE----- and is given whole."
        ) from None
    return value


Username = Annotated[Line, Field(min_length=1, max_length=320)]
Name = Annotated[Line, Field(max_length=200, description="How people see the sender.", examples=["Example Support"])]
CaCertificate = Annotated[
    Text,
    Field(max_length=100_000, description="PEM text: trusted for this mailbox beside the system's authorities."),
    AfterValidator(_certificate),
]
HoldHours = Annotated[
    int, Field(strict=True, ge=1, le=720, description="How long outgoing mail waits for a broken mailbox, in hours.")
]
Folder = Annotated[Line, Field(min_length=1, max_length=255)]
Folders = Annotated[list[Folder], Field(min_length=1, max_length=50, description="IMAP folders to read.")]
Reference = Annotated[Line, Field(min_length=1, max_length=255, description="Your own identifier for this mailbox.")]
SyncDays = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=36_500,
        description="How old the mail may be, in days, that is read when the mailbox is connected; null: all of it. A "
        "larger number later brings what is older.",
    ),
]
ReadSent = Annotated[
    bool,
    Field(
        strict=True,
        description="Whether replies that are sent from elsewhere, the provider's own web pages say, show in their "
        "conversations: the Sent folder is read too.",
    ),
]
Unconfirmed = Annotated[
    UnconfirmedPolicy,
    Field(
        description="What happens to a message whose answer was cut off and that the Sent folder does not show: it is "
        "waits for a person (`ask`) or is sent again once (`resend`)."
    ),
]


_A_DAY = "in any 24 hours, counted by what the server took; null: as the provider's limit is known, else none"


class Budget(Input):
    """How much this mailbox may send and how fast. What is left out or null is as the provider grants it."""

    connections: int | None = Field(
        None, strict=True, ge=1, le=20, description="SMTP connections at once; 2 where the provider is not known."
    )
    messages_a_minute: int | None = Field(None, strict=True, ge=1, le=100_000, description="No faster than that.")
    messages_a_day: int | None = Field(None, strict=True, ge=1, le=10_000_000, description=f"Messages {_A_DAY}.")
    recipients_a_day: int | None = Field(None, strict=True, ge=1, le=10_000_000, description=f"Recipients {_A_DAY}.")

    def core(self) -> budget.Budget:
        return budget.Budget(**self.model_dump())


class NewEndpoint(Input):
    """Where one direction is served."""

    host: Host
    port: Port | None = Field(None, description="IMAP: 993, or 143 without TLS. SMTP: 465, or 587 without TLS.")
    security: Security = Field(Security.TLS, description="TLS from the first byte, STARTTLS, or nothing.")
    username: Username | None = Field(None, description="What is signed in with; the address if left out.")

    def endpoint(self, direction: core.Direction, address: str) -> core.Endpoint:
        port = self.port or DEFAULT_PORTS[direction, self.security]
        return core.Endpoint(self.host, port, self.security, self.username or address)


class EndpointChange(Input):
    """Settings of one direction to be changed; what is left out stays."""

    host: Host | None = None
    port: Port | None = None
    security: Security | None = None
    username: Username | None = None

    def applied(self, endpoint: core.Endpoint) -> core.Endpoint:
        return core.Endpoint(
            self.host or endpoint.host,
            self.port or endpoint.port,
            self.security or endpoint.security,
            self.username or endpoint.username,
        )


def _sendable(value: SecretStr) -> SecretStr:
    if any(mark in whole(value.get_secret_value()) for mark in "\x00\r\n"):
        raise ValueError("A password cannot hold a line break or a NUL character: was more copied than it?")
    return value


Tenant = Annotated[
    Line, Field(max_length=200, description="The mailbox's directory; else the client's, else the address's domain.")
]


class PasswordAuth(Input):
    """A password. An application password is one too."""

    kind: Literal[AuthKind.PASSWORD] = AuthKind.PASSWORD
    password: Annotated[
        SecretStr,
        Field(min_length=1, max_length=1000, examples=["correct horse battery staple"]),
        AfterValidator(_sendable),
    ]


class SignedInAuth(Input):
    """A sign-in with OAuth that was finished here and whose tokens wait."""

    kind: Literal[AuthKind.OAUTH]
    authorization: AuthorizationId


class TokenAuth(Input):
    """A refresh token that you have, and the client of ours that it was given to."""

    kind: Literal[AuthKind.OAUTH]
    client: OAuthClientId
    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=10_000), AfterValidator(_sendable)]
    tenant: Tenant = ""


class ClientCredentialsAuth(Input):
    """Our client itself may open the mailbox (Microsoft 365)."""

    kind: Literal[AuthKind.CLIENT_CREDENTIALS]
    client: OAuthClientId
    tenant: Tenant = ""


class ServiceAccountAuth(Input):
    """A Google service account acts for the mailbox (domain-wide delegation)."""

    kind: Literal[AuthKind.SERVICE_ACCOUNT]
    client: OAuthClientId


def _kind_of(value: object) -> str | None:
    """Which of them was meant; None for a kind that there is not."""
    if isinstance(value, Input):
        return type(value).__name__
    kind = value.get("kind", "password") if isinstance(value, dict) else "password"
    if kind == AuthKind.OAUTH:
        return "TokenAuth" if isinstance(value, dict) and "authorization" not in value else "SignedInAuth"
    names = {"password": "PasswordAuth", "client_credentials": "ClientCredentialsAuth"}
    names["service_account"] = "ServiceAccountAuth"
    return names.get(kind) if isinstance(kind, str) else None


Auth = Annotated[
    Annotated[PasswordAuth, Tag("PasswordAuth")]
    | Annotated[SignedInAuth, Tag("SignedInAuth")]
    | Annotated[TokenAuth, Tag("TokenAuth")]
    | Annotated[ClientCredentialsAuth, Tag("ClientCredentialsAuth")]
    | Annotated[ServiceAccountAuth, Tag("ServiceAccountAuth")],
    Discriminator(
        _kind_of,
        custom_error_type="auth_kind",
        custom_error_message="kind must be one of: password, oauth, client_credentials, service_account",
    ),
]
"""What proves who we are."""
AUTH_SHAPES = frozenset({"PasswordAuth", "SignedInAuth", "TokenAuth", "ClientCredentialsAuth", "ServiceAccountAuth"})
"""The names that stand in the place of an error in one of them, and that no client has sent."""


class NewAlias(Input):
    """Another address that the mailbox may send as."""

    address: EmailAddress
    name: Name = ""

    def alias(self) -> core.Alias:
        return core.Alias(self.address, self.name)


Aliases = Annotated[
    list[NewAlias],
    Field(
        max_length=100,
        description="Other addresses that this mailbox may send as. Whether the server lets it is asked, without a "
        "message, and told beside each.",
    ),
]


class NewConnection(Input):
    """What is needed to try a mailbox. Without `imap` or `smtp`, its settings are looked up."""

    address: EmailAddress
    name: Name = ""
    imap: NewEndpoint | None = None
    smtp: NewEndpoint | None = None
    auth: Auth
    ca_certificate: CaCertificate | None = None


class Signature(Input):
    """What stands below each message, above what it quotes. Where one of the two is left out, the other makes it."""

    text: Annotated[Text, Field(max_length=10_000, examples=["Example Support"])] = ""
    html: Annotated[Text, Field(max_length=100_000)] = ""

    def core(self) -> core.Signature | None:
        return core.Signature(self.text, self.html) if self.text.strip() or self.html.strip() else None


class NewMailbox(NewConnection):
    """A mailbox to connect."""

    hold_hours: HoldHours = 72
    folders: Folders = Field(default_factory=lambda: ["INBOX"])
    reference: Reference | None = None
    unconfirmed: Unconfirmed = UnconfirmedPolicy.ASK
    aliases: Aliases = Field(default_factory=list)
    budget: Budget | None = None
    sync_days: SyncDays | None = 30
    reply_to: EmailAddress | None = Field(None, description="Where answers go to, unless a message says otherwise.")
    signature: Signature | None = None
    read_sent: ReadSent = True


class MailboxChange(Input):
    """What is to be changed. What is left out (or null) stays. The address stays: another one is another mailbox."""

    name: Name | None = None
    imap: EndpointChange | None = None
    smtp: EndpointChange | None = None
    auth: Auth | None = None
    ca_certificate: CaCertificate | None = Field(None, description="null takes it away.")
    hold_hours: HoldHours | None = None
    folders: Folders | None = None
    reference: Reference | None = Field(None, description="null takes it away.")
    unconfirmed: Unconfirmed | None = None
    aliases: Aliases | None = Field(None, description="All of them from now on.")
    reply_to: EmailAddress | None = Field(None, description="null takes it away.")
    signature: Signature | None = Field(None, description="null takes it away.")
    budget: Budget | None = Field(None, description="Replaces the whole budget; {} takes it away.")
    sync_days: SyncDays | None = Field(None, description="null: all mail there is.")
    read_sent: ReadSent | None = None


class Reauthentication(Input):
    """A new credential for both directions; without one you are told how a person gives it."""

    auth: Auth | None = None


class MailboxQuery(ListQuery):
    """Which mailboxes."""

    reference: Reference | None = None
