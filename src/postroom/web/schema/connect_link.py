"""Connect links as JSON. It makes none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from postroom.core import connect_link as core
from postroom.core.connect_link import LONGEST, LinkState
from postroom.flows.connect_links import NewLink
from postroom.web.schema.base import Input, ListOf, ListQuery, Output
from postroom.web.schema.connection import Name, Reference
from postroom.web.schema.event import url
from postroom.web.schema.fields import EmailAddress, Line, MailboxId, OAuthClientId

Brand = Annotated[
    Line,
    Field(max_length=100, description="Your product's name: the page bears it.", examples=["Example Desk"]),
]
ReturnUrl = Annotated[
    Line,
    Field(
        max_length=2000,
        json_schema_extra={"format": "uri"},
        examples=["https://desk.example.com/mailboxes/connected"],
        description="Where the person goes afterwards, with https. `status`, `mailbox_id`, `reference` and `state` are "
        "added to its query.",
    ),
    AfterValidator(url),
]


class NewConnectLink(Input):
    """What a link is for: a new mailbox, or a connected one (`mailbox_id`) that is to be signed in to again."""

    mailbox_id: MailboxId | None = Field(None, description="A connected mailbox that is to be signed in to again.")
    address: EmailAddress | None = Field(None, description="Suggested for a new mailbox; the person may change it.")
    reference: Reference | None = None
    name: Name = ""
    brand: Brand = ""
    return_url: ReturnUrl | None = None
    return_state: Annotated[Line, Field(max_length=500)] = Field(
        "", description="Comes back to `return_url` as `state`: check there that it is the one you gave."
    )
    client: OAuthClientId | None = Field(
        None, description="Which OAuth client; found by the address's provider if left out."
    )
    expires_in: int = Field(
        int(core.USUAL.total_seconds()),
        strict=True,
        ge=60,
        le=int(LONGEST.total_seconds()),
        description="Seconds for which the link serves.",
    )

    def new(self) -> NewLink:
        return NewLink(
            address=self.address or "",
            mailbox_id=self.mailbox_id,
            reference=self.reference,
            name=self.name,
            brand=self.brand,
            return_url=self.return_url or "",
            return_state=self.return_state,
            client=self.client,
            lifetime=timedelta(seconds=self.expires_in),
        )


class ConnectLink(Output):
    """A link and what became of it."""

    id: str = Field(examples=["cnl_06h0cz3g0v8y6q2w4n8s0t1k"])
    url: str = Field(description="Give it to the person alone: whoever has it can use it.")
    state: LinkState
    mailbox_id: str | None = Field(description="The mailbox that is signed in to again, or that came of it.")
    address: str
    reference: str | None
    name: str
    brand: str
    return_url: str
    return_state: str
    client: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    waits_until: datetime | None = Field(description="No try is taken until then, after too many in vain; null: now.")

    @classmethod
    def of(cls, link: core.ConnectLink, url: str, now: datetime) -> ConnectLink:
        return cls(
            id=link.id,
            url=url,
            state=link.state(now),
            mailbox_id=link.connected_id or link.mailbox_id,
            address=link.address,
            reference=link.reference,
            name=link.name,
            brand=link.brand,
            return_url=link.return_url,
            return_state=link.return_state,
            client=link.client,
            created_at=link.created_at,
            expires_at=link.expires_at,
            used_at=link.used_at,
            revoked_at=link.revoked_at,
            waits_until=link.waits_until if link.waits_until and link.waits_until > now else None,
        )


class ConnectLinkList(ListOf[ConnectLink]):
    """Connect links, the newest first."""


class ConnectLinkQuery(ListQuery):
    """Which links."""

    mailbox_id: MailboxId | None = None


class SignInNeeded(Output):
    """How a person signs in to this mailbox again."""

    how: Literal["password", "oauth"] = Field(description="What it signs in with now.")
    link: ConnectLink = Field(description="Where the person does it; it serves for a day.")
