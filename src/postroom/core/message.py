"""A message as we keep and show it. It does not parse bytes (parse) nor make them (compose)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Flow(StrEnum):
    """Which way a message went."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox of RFC 5322 3.4: display name and addr-spec."""

    email: str
    name: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"email": self.email, "name": self.name}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message that is not its text. `number` counts from 0 in the order of the parts; size in bytes."""

    number: int
    filename: str
    content_type: str
    size: int
    content_id: str | None = None
    inline: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "filename": self.filename,
            "content_type": self.content_type,
            "size": self.size,
            "content_id": self.content_id,
            "inline": self.inline,
        }


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a message's raw bytes say. Header values are decoded; no string holds a NUL (PostgreSQL refuses it).

    `message_id`, `in_reply_to` and `references` are without angle brackets. `automatic` marks auto-replies and
    bounces (RFC 3834); `faults` are what was wrong with the message and repaired, for people who look.
    """

    message_id: str | None
    subject: str
    sender: Address | None
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    date: datetime | None
    in_reply_to: str | None
    references: tuple[str, ...]
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    automatic: bool = False
    faults: tuple[str, ...] = ()


class Unreadable(Exception):
    """A message cannot be parsed; the text is the reason, for a person. Its raw bytes are kept and shown."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that we keep. `quarantine` is the reason why it could not be read, None for a readable one."""

    id: str
    mailbox_id: str
    conversation_id: str
    flow: Flow
    parsed: Parsed
    size: int
    received_at: datetime
    folder: str | None = None
    quarantine: str | None = None

    @property
    def sent_elsewhere(self) -> bool:
        """Whether it was found in the mailbox's Sent folder: what Postroom itself sends is in no folder of ours."""
        return self.flow is Flow.OUTBOUND and self.folder is not None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages that belong together, of one mailbox."""

    id: str
    mailbox_id: str
    subject: str
    created_at: datetime
    updated_at: datetime
    message_count: int
    participants: tuple[Address, ...] = ()
