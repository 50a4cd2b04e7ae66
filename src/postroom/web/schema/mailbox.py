"""Mailboxes as answers show them. A password never is part of one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import Field

from postroom.core import health as core_health
from postroom.core import limits
from postroom.core import mailbox as core
from postroom.core.candidates import Candidate as CoreCandidate
from postroom.core.certificate import Certificate as CoreCertificate
from postroom.core.discovered import Discovered, Outcome
from postroom.core.discovered import Lookup as CoreLookup
from postroom.core.mailbox import AuthKind, Security, UnconfirmedPolicy
from postroom.core.ports.store import MailboxView
from postroom.core.warning import Caution, cautions
from postroom.web.schema.base import Input, ListOf, Output
from postroom.web.schema.diagnosis import Diagnosis
from postroom.web.schema.fields import EmailAddress
from postroom.web.schema.ledger import FolderProgress


class Endpoint(Output):
    """Where one direction is served."""

    host: str
    port: int
    security: Security
    username: str

    @classmethod
    def of(cls, endpoint: core.Endpoint) -> Endpoint:
        return cls(host=endpoint.host, port=endpoint.port, security=endpoint.security, username=endpoint.username)


class Warned(Output):
    """A warning: nothing failed, but it may not be as it was meant."""

    code: str = Field(
        examples=["inbox_may_be_personal"], description="inbox_may_be_personal, send_as_unproven or unprotected."
    )
    message: str

    @classmethod
    def of(cls, caution: Caution) -> Warned:
        return cls(code=caution.code, message=caution.message)


class ShownAlias(Output):
    """Another address that the mailbox may send as."""

    address: str
    name: str
    refused: str | None = Field(description="Why the server does not let it; null where it does, as far as known.")


class ShownAuth(Output):
    """How the mailbox signs in."""

    kind: AuthKind


class Health(Output):
    """The state of one direction."""

    state: Literal["connecting", "connected", "degraded", "needs_reauth", "needs_attention", "paused"]
    since: datetime
    diagnosis: Diagnosis | None
    next_probe_at: datetime | None = Field(description="When it is tried again; null: not before a person acts.")
    heard_at: datetime | None = Field(description="When the server last answered.")
    flapping: bool = Field(
        description="It came and went so often that changes are not told; it is told how it stands after half an hour "
        "without one."
    )

    @classmethod
    def of(cls, health: core_health.Health) -> Health:
        return cls.model_validate(health.as_dict())


class Limits(Output):
    """What holds for sending now: set by a person, told by the server, or known of the provider."""

    connections: int | None = Field(description="SMTP connections at once.")
    messages_a_minute: int | None
    messages_a_day: int | None = Field(description="In any 24 hours; at the limit, sending rests until it clears.")
    recipients_a_day: int | None
    recipients_a_message: int
    message_bytes: int | None = Field(description="Of a whole message as it is sent; null: not known.")

    @classmethod
    def of(cls, mailbox: core.Mailbox) -> Limits:
        size = limits.size_limit(mailbox)
        return cls(
            **asdict(limits.budget(mailbox)),
            recipients_a_message=limits.recipients_limit(mailbox).most,
            message_bytes=size.most if size else None,
        )


class Budget(Output):
    """What a person set; null: as the provider grants."""

    connections: int | None
    messages_a_minute: int | None
    messages_a_day: int | None
    recipients_a_day: int | None


class Certificate(Output):
    """What the server of one direction showed, where a team runs it itself."""

    direction: Literal["receiving", "sending"]
    issuer: str
    subject: str
    ends_at: datetime = Field(description="Told 14 and 3 days before by `mailbox.certificate_ending`.")
    fingerprint: str = Field(description="SHA-256.")
    seen_at: datetime = Field(description="When it was seen first.")

    @classmethod
    def of(cls, one: CoreCertificate) -> Certificate:
        return cls(
            direction="receiving" if one.direction is core.Direction.IMAP else "sending",
            issuer=one.issuer,
            subject=one.subject,
            ends_at=one.not_after,
            fingerprint=one.fingerprint,
            seen_at=one.seen_at,
        )


class ShownSignature(Output):
    """What stands below each message."""

    text: str
    html: str

    @classmethod
    def of(cls, signature: core.Signature) -> ShownSignature:
        return cls(text=signature.text, html=signature.html)


class Mailbox(Output):
    """One address that the team has connected."""

    id: str = Field(examples=["mbx_0123456789abc"])
    address: str = Field(description="An international domain is shown as A-labels (xn--…).")
    name: str
    reference: str | None
    provider: str = Field(examples=["gmail"])
    imap: Endpoint
    smtp: Endpoint
    auth: ShownAuth
    ca_certificate: str | None
    hold_hours: int
    folders: list[str]
    unconfirmed: UnconfirmedPolicy
    reply_to: str | None = Field(description="Where answers go to, unless a message says otherwise.")
    signature: ShownSignature | None = Field(description="What stands below each message.")
    aliases: list[ShownAlias]
    budget: Budget
    limits: Limits
    sync_days: int | None = Field(description="How old mail may be that the first reading brings; null: all of it.")
    read_sent: bool = Field(description="Whether replies that are sent from elsewhere are read from its Sent folder.")
    created_at: datetime
    receiving: Health
    sending: Health
    held: int = Field(description="Outgoing messages that wait because sending is not connected.")
    oldest_held_expires_at: datetime | None = Field(description="When the first of them is given up.")
    sync: list[FolderProgress] = Field(description="How far each folder has been read.")
    certificates: list[Certificate] = Field(
        description="Of its servers, where it is no large provider; as far as they were signed in to."
    )
    warnings: list[Warned] = Field(description="How the mailbox may disappoint though both directions work.")

    @classmethod
    def of(cls, view: MailboxView, now: datetime) -> Mailbox:
        mailbox = view.mailbox
        return cls(
            id=mailbox.id,
            address=mailbox.address,
            name=mailbox.name,
            reference=mailbox.reference,
            provider=mailbox.provider,
            imap=Endpoint.of(mailbox.imap),
            smtp=Endpoint.of(mailbox.smtp),
            auth=ShownAuth(kind=mailbox.auth_kind),
            ca_certificate=mailbox.ca_certificate,
            hold_hours=mailbox.hold_hours,
            folders=list(mailbox.folders),
            unconfirmed=mailbox.unconfirmed,
            reply_to=mailbox.reply_to,
            signature=ShownSignature.of(mailbox.signature) if mailbox.signature else None,
            aliases=[ShownAlias(address=a.address, name=a.name, refused=a.refused) for a in mailbox.aliases],
            budget=Budget(**asdict(mailbox.budget)),
            limits=Limits.of(mailbox),
            sync_days=mailbox.sync_days,
            read_sent=mailbox.read_sent,
            created_at=mailbox.created_at,
            receiving=Health.of(view.receiving),
            sending=Health.of(view.sending_told(now)),
            held=view.held,
            oldest_held_expires_at=view.oldest_held_expires_at,
            sync=[FolderProgress.of(cursor, view) for cursor in view.cursors],
            certificates=[Certificate.of(one) for one in view.certificates],
            warnings=[
                Warned.of(one) for one in cautions(mailbox.address, mailbox.imap, mailbox.smtp, mailbox.provider)
            ],
        )


class MailboxList(ListOf[Mailbox]):
    """Mailboxes."""


class DiscoverQuery(Input):
    """Which address to find settings for."""

    address: EmailAddress


class Candidate(Output):
    """Settings that may serve an address."""

    provider: str
    source: str = Field(description="Where they come from: provider, autoconfig, srv, mx or guess.")
    imap: Endpoint
    smtp: Endpoint

    @classmethod
    def of(cls, candidate: CoreCandidate) -> Candidate:
        return cls(
            provider=candidate.provider,
            source=candidate.source,
            imap=Endpoint.of(candidate.imap),
            smtp=Endpoint.of(candidate.smtp),
        )


class Lookup(Output):
    """One question that was asked to find settings."""

    source: str = Field(description="provider, autoconfig, srv, mx or guess.")
    asked: str = Field(examples=["_imaps._tcp.example.com SRV"], description="The name and record, or the file.")
    outcome: Outcome = Field(
        description="found; nothing (an answer that helps not); absent (there is no such name); failed (no usable "
        "answer)."
    )
    detail: str = Field(description="What came back, in a line.")
    milliseconds: float

    @classmethod
    def of(cls, lookup: CoreLookup) -> Lookup:
        return cls(
            source=lookup.source,
            asked=lookup.asked,
            outcome=lookup.outcome,
            detail=lookup.detail,
            milliseconds=round(lookup.milliseconds, 1),
        )


class CandidateList(ListOf[Candidate]):
    """Settings, the likeliest first, and how they were found."""

    lookups: list[Lookup] = Field(description="What was asked, the most trusted source first.")
    why_nothing: str | None = Field(description="Where nothing was found: why, and what to do.")

    @classmethod
    def found(cls, discovered: Discovered, address: str) -> CandidateList:
        return cls(
            items=[Candidate.of(one) for one in discovered.candidates],
            next_cursor=None,
            lookups=[Lookup.of(one) for one in discovered.lookups],
            why_nothing=None if discovered.candidates else discovered.why_nothing(address),
        )
