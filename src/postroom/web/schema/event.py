"""Events and webhooks as JSON. It announces nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from postroom.core import events as core
from postroom.core.events import EventType
from postroom.web.schema.base import Input, ListOf, Output
from postroom.web.schema.fields import Line, MailboxId, host

LARGEST_POSITION = 2**63 - 1


class Event(Output):
    """A fact, in the shape of the Standard Webhooks specification: the same in the stream and in a webhook's body."""

    type: EventType
    timestamp: datetime
    data: dict[str, Any] = Field(description="What happened to which mailbox, message or delivery.")


class EventQuery(Input):
    """Which events."""

    after: Annotated[int, Field(ge=0, le=LARGEST_POSITION)] | None = Field(
        None, description="Events after this position; 0 for all that there are. Left out: only those to come."
    )
    types: list[EventType] = Field(default_factory=list, max_length=50, description="Only these; repeatable.")
    mailbox_id: MailboxId | None = None


def url(value: str) -> str:
    """An address of the web without a secret in it. Raises ValueError."""
    try:
        parts = urlsplit(value)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("This is no URL. One looks like https://example.com/hooks/postroom.") from None
    if parts.scheme not in ("http", "https") or not name:
        raise ValueError("This must be an address that begins with https:// or http:// and names a host.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("Leave user name and password out of the URL: events are signed, check the signature.")
    if parts.fragment or any(mark.isspace() for mark in value) or port == 0:
        raise ValueError("This is no URL to post to: remove the part from # on, spaces, and a port of 0.")
    host(name)
    return value


Url = Annotated[
    Line,
    Field(max_length=2000, json_schema_extra={"format": "uri"}, examples=["https://example.com/hooks/postroom"]),
    AfterValidator(url),
]
Types = Annotated[list[EventType], Field(max_length=50, description="Only these events; empty: all.")]


class NewWebhook(Input):
    """Where events are to be sent to."""

    url: Url
    types: Types = Field(default_factory=list)


class WebhookChange(Input):
    """What is to be changed; what is left out (or null) stays."""

    url: Url | None = None
    types: Types | None = None
    enabled: Annotated[bool, Field(strict=True)] | None = None


class Webhook(Output):
    """Where events are sent to, signed as the Standard Webhooks specification says."""

    id: str = Field(examples=["whk_0123456789abcdefghjkmnpq"])
    url: str
    types: list[EventType] = Field(description="Empty: all.")
    enabled: bool
    created_at: datetime
    failing_since: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, webhook: core.Webhook) -> Webhook:
        return cls(**_fields(webhook))


class WebhookWithSecret(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(description="Checks signatures: give it to a Standard Webhooks library.", examples=["whsec_…"])

    @classmethod
    def with_secret(cls, webhook: core.Webhook) -> WebhookWithSecret:
        return cls(**_fields(webhook), secret=webhook.secret)


class WebhookList(ListOf[Webhook]):
    """Webhooks, the oldest first."""


def _fields(webhook: core.Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "enabled": webhook.enabled,
        "created_at": webhook.created_at,
        "failing_since": webhook.failing_since,
        "last_error": webhook.last_error,
    }
