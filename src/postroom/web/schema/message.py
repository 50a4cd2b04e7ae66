"""Messages and conversations as answers show them. It holds no bytes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from postroom.core import message as core
from postroom.core.parse import new_part
from postroom.core.ports.store import Page
from postroom.web.schema.base import Input, ListOf, ListQuery, Output
from postroom.web.schema.fields import ConversationId, MailboxId, MessageId


class Address(Output):
    """An email address and its display name, which may be empty."""

    email: str
    name: str

    @classmethod
    def of(cls, address: core.Address) -> Address:
        return cls(email=address.email, name=address.name)


def _all(addresses: tuple[core.Address, ...]) -> list[Address]:
    return [Address.of(address) for address in addresses]


class Attachment(Output):
    """A part of a message that is not its text; its bytes are at `/v1/messages/{id}/attachments/{number}`."""

    number: int
    filename: str
    content_type: str
    size: int = Field(description="In bytes.")
    content_id: str | None
    inline: bool


class Message(Output):
    """A message. One that could not be read has the reason in `quarantine`; its bytes are at `/raw` all the same."""

    id: str = Field(examples=["msg_0123456789abc0123456789abcdefghjkmnp"])
    mailbox_id: str
    conversation_id: str
    flow: core.Flow
    message_id: str | None = Field(description="Of RFC 5322, without angle brackets.")
    subject: str
    from_: Address | None = Field(alias="from")
    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    reply_to: list[Address]
    date: datetime | None = Field(description="As its sender wrote it.")
    received_at: datetime
    in_reply_to: str | None
    references: list[str]
    text: str
    new_text: str = Field(
        description="The text without the quoted message at its end: what the sender wrote this time."
    )
    html: str = Field(description="Made safe to show: no scripts, no forms, nothing that runs.")
    attachments: list[Attachment]
    size: int = Field(description="Of the whole message, in bytes.")
    folder: str | None
    sent_elsewhere: bool = Field(
        description="An outgoing message that was not sent from here: an agent wrote it in another program."
    )
    automatic: bool = Field(description="An automatic answer, a bounce or a list's mail (RFC 3834): do not answer it.")
    faults: list[str] = Field(description="What was wrong with the message and was repaired.")
    quarantine: str | None

    @classmethod
    def of(cls, message: core.Message, html: str) -> Message:
        """`html` is the message's HTML made safe."""
        parsed = message.parsed
        return cls.model_validate(
            {
                "id": message.id,
                "mailbox_id": message.mailbox_id,
                "conversation_id": message.conversation_id,
                "flow": message.flow,
                "message_id": parsed.message_id,
                "subject": parsed.subject,
                "from": Address.of(parsed.sender) if parsed.sender else None,
                "to": _all(parsed.to),
                "cc": _all(parsed.cc),
                "bcc": _all(parsed.bcc),
                "reply_to": _all(parsed.reply_to),
                "date": parsed.date,
                "received_at": message.received_at,
                "in_reply_to": parsed.in_reply_to,
                "references": list(parsed.references),
                "text": parsed.text,
                "new_text": new_part(parsed.text, parsed.subject),
                "html": html,
                "attachments": [Attachment.model_validate(one.as_dict()) for one in parsed.attachments],
                "size": message.size,
                "folder": message.folder,
                "sent_elsewhere": message.sent_elsewhere,
                "automatic": parsed.automatic,
                "faults": list(parsed.faults),
                "quarantine": message.quarantine,
            }
        )


class MessageList(ListOf[Message]):
    """Messages, the oldest first."""


class Conversation(Output):
    """Messages that belong together."""

    id: str = Field(examples=["cnv_0123456789abc0123456789abcdefghjkmnp"])
    mailbox_id: str
    subject: str
    created_at: datetime
    updated_at: datetime
    message_count: int
    participants: list[Address]

    @classmethod
    def of(cls, conversation: core.Conversation) -> Conversation:
        return cls(
            id=conversation.id,
            mailbox_id=conversation.mailbox_id,
            subject=conversation.subject,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
            message_count=conversation.message_count,
            participants=_all(conversation.participants),
        )


class ConversationList(ListOf[Conversation]):
    """Conversations, the latest first."""

    @classmethod
    def of(cls, page: Page[core.Conversation]) -> ConversationList:
        return cls(items=[Conversation.of(one) for one in page.items], next_cursor=page.next_cursor)


class ConversationWithMessages(Conversation):
    """A conversation with a part of its messages."""

    messages: MessageList


class Merge(Input):
    """Which conversation another is merged into."""

    into: ConversationId


class Split(Input):
    """Which messages leave a conversation."""

    messages: list[MessageId] = Field(min_length=1, max_length=200)


class ConversationQuery(ListQuery):
    """Which conversations."""

    mailbox_id: MailboxId | None = None
