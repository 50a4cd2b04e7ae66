"""OAuth clients, guides and sign-ins as JSON. A secret never is part of an answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from postroom.core.budget import AS_GRANTED
from postroom.core.mailbox import Direction, UnconfirmedPolicy
from postroom.core.oauth import authorization as core_authorization
from postroom.core.oauth import client as core_client
from postroom.core.oauth.authorization import Flow, Progress
from postroom.core.oauth.client import ClientKind
from postroom.flows.sign_in import Wanted
from postroom.flows.wishes import Wishes
from postroom.web.schema.base import Input, ListOf, Output
from postroom.web.schema.connection import (
    Aliases,
    Budget,
    CaCertificate,
    Folders,
    HoldHours,
    Name,
    NewEndpoint,
    ReadSent,
    Reference,
    Signature,
    SyncDays,
    Unconfirmed,
    Username,
)
from postroom.web.schema.diagnosis import Diagnosis
from postroom.web.schema.fields import EmailAddress, Line, MailboxId, OAuthClientId, Time, whole

Provider = Annotated[
    Line,
    Field(
        min_length=1,
        max_length=50,
        examples=["microsoft"],
        description="`google`, `microsoft`, `yahoo`, `aol`, `yandex`, `mailru`, `fastmail`, or `issuer` for any other "
        "that has discovery metadata.",
    ),
]
ClientIdentifier = Annotated[Line, Field(min_length=1, max_length=500, description="The client ID that it gave.")]
Tenant = Annotated[
    Line,
    Field(max_length=200, description="Microsoft: the directory (tenant) that the client is for; empty for any."),
]
Scopes = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=300, pattern=r"^[!#-\[\]-~]+$")]],
    Field(max_length=30, description="What is asked for instead of the provider's usual scopes; empty for those."),
]


class _Secret(Input):
    secret: SecretStr | None = Field(
        None,
        max_length=10_000,
        description="The client secret's value, or the private key (PEM) of a service account.",
    )

    @field_validator("secret")
    @classmethod
    def _kept_whole(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "\x00" in whole(value.get_secret_value()):
            raise ValueError("A secret cannot hold a NUL character: was more copied than it?")
        return value


class NewOAuthClient(_Secret):
    """A registration of the team's own at a provider."""

    provider: Provider
    client_id: ClientIdentifier
    kind: ClientKind = Field(
        ClientKind.APPLICATION, description="`service_account`: Google, with domain-wide delegation."
    )
    name: Name = ""
    tenant: Tenant = ""
    issuer: Annotated[Line, Field(max_length=500)] = Field(
        "", description="With `issuer`: its address, whose metadata is looked up."
    )
    scopes: Scopes = Field(default_factory=list)
    key_id: Annotated[Line, Field(max_length=200)] = Field("", description="`private_key_id` of a service account.")
    secret_expires_at: Time | None = Field(None, description="When the secret ends: you are told 14 days before.")

    def client(self, now: datetime) -> core_client.OAuthClient:
        return core_client.OAuthClient(
            id="",
            provider=self.provider,
            client_id=self.client_id,
            created_at=now,
            kind=self.kind,
            name=self.name,
            secret=self.secret.get_secret_value() if self.secret else "",
            key_id=self.key_id,
            tenant=self.tenant,
            issuer=self.issuer,
            scopes=tuple(self.scopes),
            secret_expires_at=self.secret_expires_at,
        )


class OAuthClientChange(_Secret):
    """What is to be changed; what is left out stays."""

    client_id: ClientIdentifier | None = None
    name: Name | None = None
    tenant: Tenant | None = None
    scopes: Scopes | None = None
    key_id: Annotated[Line, Field(max_length=200)] | None = None
    secret_expires_at: Time | None = Field(None, description="null takes it away.")


class OAuthClient(Output):
    """One of our clients, and whether the provider takes it."""

    id: str = Field(examples=["oac_06h0cz3g0v8y6q2w4n8s0t1k"])
    provider: str
    kind: ClientKind
    name: str
    client_id: str
    tenant: str
    issuer: str
    scopes: list[str]
    secret_expires_at: datetime | None
    mailboxes: int = Field(description="How many sign in with it.")
    trouble: Diagnosis | None = Field(description="What the provider holds against this client; null: nothing.")
    trouble_since: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, client: core_client.OAuthClient, mailboxes: int) -> OAuthClient:
        return cls(
            id=client.id,
            provider=client.provider,
            kind=client.kind,
            name=client.title,
            client_id=client.client_id,
            tenant=client.tenant,
            issuer=client.issuer,
            scopes=list(client.asked_scopes if client.kind is ClientKind.APPLICATION else client.app_scopes),
            secret_expires_at=client.secret_expires_at,
            mailboxes=mailboxes,
            trouble=Diagnosis.of(client.trouble) if client.trouble else None,
            trouble_since=client.trouble_since,
            created_at=client.created_at,
        )


class OAuthClientList(ListOf[OAuthClient]):
    """OAuth clients."""


class OAuthGuide(Output):
    """How to register a client at a provider."""

    provider: str
    name: str
    console: str = Field(description="The page where it is done.")
    redirect: str = Field(description="The redirect address to register, to the letter.")
    scopes: list[str]
    app_scopes: list[str] = Field(description="Those of client credentials or a service account.")
    steps: list[str]
    app_steps: list[str]
    device: bool = Field(description="Whether people can sign in with a code on another device.")

    @classmethod
    def of(cls, guide: core_client.Guide) -> OAuthGuide:
        return cls(
            provider=guide.provider,
            name=guide.name,
            console=guide.console,
            redirect=guide.redirect,
            scopes=list(guide.scopes),
            app_scopes=list(guide.app_scopes),
            steps=list(guide.steps),
            app_steps=list(guide.app_steps),
            device=guide.device,
        )


class OAuthGuideList(ListOf[OAuthGuide]):
    """Guides."""


class NewAuthorization(Input):
    """A sign-in to begin: of a new mailbox (`address`, with its settings) or of a connected one (`mailbox_id`)."""

    mailbox_id: MailboxId | None = Field(None, description="A connected mailbox that is to be signed in to again.")
    address: EmailAddress | None = Field(None, description="The address of a new mailbox.")
    client: OAuthClientId | None = Field(None, description="Which OAuth client; found by the provider if left out.")
    username: Username | None = Field(
        None, description="Who signs in where that is not the mailbox itself: the person with access to a shared one."
    )
    flow: Flow = Field(
        Flow.CODE, description="`code`: a browser comes back here. `device`: a code is entered anywhere."
    )
    connect: bool = Field(
        True, description="false: the tokens wait an hour for `POST /v1/mailboxes` with this `authorization`."
    )
    name: Name = ""
    imap: NewEndpoint | None = None
    smtp: NewEndpoint | None = None
    ca_certificate: CaCertificate | None = None
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

    def wanted(self) -> Wanted:
        address = self.address or ""
        wishes = Wishes(
            connect=self.connect,
            name=self.name,
            imap=self.imap.endpoint(Direction.IMAP, address) if self.imap else None,
            smtp=self.smtp.endpoint(Direction.SMTP, address) if self.smtp else None,
            ca_certificate=self.ca_certificate,
            hold_hours=self.hold_hours,
            folders=tuple(dict.fromkeys(self.folders)),
            reference=self.reference,
            unconfirmed=self.unconfirmed,
            aliases=tuple(one.alias() for one in self.aliases),
            budget=self.budget.core() if self.budget else AS_GRANTED,
            sync_days=self.sync_days,
            reply_to=self.reply_to,
            signature=self.signature.core() if self.signature else None,
            read_sent=self.read_sent,
        )
        return Wanted(address, self.mailbox_id, self.client, self.username or "", self.flow, wishes)


class Authorization(Output):
    """How a sign-in stands."""

    id: str = Field(examples=["oau_06h0cz3g0v8y6q2w4n8s0t1k"])
    progress: Progress
    flow: Flow
    client: str
    address: str
    mailbox_id: str | None = Field(description="The mailbox that it serves, once there is one.")
    identity: str = Field(description="Who signed in, as far as the provider tells.")
    explanation: str = Field(description="Why it was refused; empty where it was not.")
    diagnosis: Diagnosis | None
    user_code: str = Field(description="What is entered at `verification_uri`; empty with a browser.")
    verification_uri: str
    interval: int = Field(description="Seconds between looks at a sign-in with a device code.")
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, one: core_authorization.Authorization) -> Authorization:
        return cls.model_validate(_fields(one))


class BegunAuthorization(Authorization):
    """A sign-in that was begun."""

    url: str = Field(description="The address that the person opens.")

    @classmethod
    def begun(cls, one: core_authorization.Authorization, url: str) -> BegunAuthorization:
        return cls.model_validate({**_fields(one), "url": url})


def _fields(one: core_authorization.Authorization) -> dict[str, object]:
    return {
        "id": one.id,
        "progress": one.progress,
        "flow": one.flow,
        "client": one.client,
        "address": one.address,
        "mailbox_id": one.mailbox_id,
        "identity": one.identity,
        "explanation": one.explanation,
        "diagnosis": Diagnosis.of(one.diagnosis) if one.diagnosis else None,
        "user_code": one.user_code,
        "verification_uri": one.verification_uri,
        "interval": one.interval,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }
