"""What somebody wants to send, and how it is refused. It makes no bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from postroom.core.message import Address


class BadDraft(Exception):
    """A draft cannot become a message: `field` names the part, the text says what is wrong and the mend."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


@dataclass(frozen=True, slots=True)
class File:
    """An attachment to send. With a `content_id` it is an inline image of the HTML text."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to send. `headers` are X-… only; `in_reply_to` is a Message-ID without brackets; `author` is
    who wrote it, for the delivery's story, and stands in no header; `sender` is one of the mailbox's addresses, the
    mailbox's own where it is left out. `automatic`: a program answers, not a person (RFC 3834); `signature`: the
    mailbox's is put below it."""

    mailbox_id: str
    to: tuple[Address, ...]
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    attachments: tuple[File, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    in_reply_to: str | None = None
    conversation_id: str | None = None
    send_at: datetime | None = None
    author: str | None = None
    sender: Address | None = None
    reply_to: tuple[Address, ...] = ()
    automatic: bool = False
    signature: bool = True
