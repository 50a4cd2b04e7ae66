"""What requests bring to send a message. It composes nothing: core.compose does, and judges what a message may hold."""

from __future__ import annotations

from email.utils import getaddresses
from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from postroom.core import compose
from postroom.core.message import Address
from postroom.web.schema.base import Input
from postroom.web.schema.fields import Base64, ConversationId, EmailAddress, Line, MailboxId, Text, Time

MOST_ATTACHED = 35 * 1024 * 1024
"""Bytes of all attachments together, before base 64; few providers take more than 25 to 35 MB."""


class Recipient(Input):
    """An address with a display name, or just text such as `Anna <anna@example.com>`."""

    email: EmailAddress
    name: Annotated[Line, Field(max_length=200)] = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if "<" not in value:
            return {"email": value}
        found = getaddresses([value])
        if len(found) != 1:
            raise ValueError("This must be one address; give others as entries of their own.")
        return {"name": found[0][0], "email": found[0][1]}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        given = handler.resolve_ref_schema(handler(core_schema))
        text = {"type": "string", "format": "idn-email", "maxLength": 320, "examples": ["anna@example.com"]}
        return {"title": "Recipient", "description": given.get("description", ""), "anyOf": [given, text]}

    def address(self) -> Address:
        return Address(self.email, self.name)


class Attachment(Input):
    """A file to attach. With a `content_id` it is an image that the HTML shows by `cid:`."""

    filename: Annotated[Line, Field(min_length=1, max_length=255, examples=["invoice.pdf"])]
    content_type: Annotated[Line, Field(max_length=200, examples=["application/pdf"])] = "application/octet-stream"
    content: Base64 = Field(description="Its bytes in base 64.", examples=["SGVsbG8="])
    content_id: Annotated[Line, Field(min_length=1, max_length=200)] | None = None

    def file(self) -> compose.File:
        return compose.File(self.filename, self.content_type, self.content, self.content_id)


Recipients = Annotated[list[Recipient], Field(max_length=500)]


class Content(Input):
    """What a message says, whoever gets it."""

    subject: Annotated[Line, Field(max_length=2000)] = ""
    text: Annotated[Text, Field(max_length=5_000_000)] = ""
    html: Annotated[Text, Field(max_length=5_000_000)] = ""
    attachments: Annotated[list[Attachment], Field(max_length=200, description="At most 35 MB together.")] = Field(
        default_factory=list
    )
    headers: Annotated[
        dict[Line, Line],
        Field(
            max_length=50,
            description="Header fields of your own; their names begin with X-.",
            examples=[{"X-Ticket": "4711"}],
        ),
    ] = Field(default_factory=dict)
    send_at: Time | None = Field(None, description="Not before this time.")
    sender: Recipient | None = Field(
        None,
        alias="from",
        description="An alias of the mailbox; its own address where left out. In an answer, where "
        "left out, the alias that was written to.",
    )
    reply_to: Annotated[list[Recipient], Field(max_length=10, description="Where answers go to instead.")] = Field(
        default_factory=list
    )
    automatic: bool = Field(
        False,
        description="A program wrote it: it is marked so (RFC 3834), and refused where it would answer another one.",
    )
    signature: bool = Field(True, description="Whether the mailbox's signature is put below it.")
    author: Annotated[Line, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Your name for who wrote it; told in the delivery and its events, not to recipients."
    )

    @field_validator("attachments")
    @classmethod
    def _not_too_much(cls, value: list[Attachment]) -> list[Attachment]:
        size = sum(len(one.content) for one in value)
        if size > MOST_ATTACHED:
            raise ValueError(
                f"The attachments have {size / 1e6:.1f} MB together, and at most {MOST_ATTACHED / 1e6:.1f} MB can be "
                "sent: send a link to the larger ones."
            )
        return value


class NewMessage(Content):
    """A message to send."""

    mailbox_id: MailboxId
    to: Recipients = Field(default_factory=list)
    cc: Recipients = Field(default_factory=list)
    bcc: Recipients = Field(default_factory=list)
    in_reply_to: Annotated[Line, Field(min_length=3, max_length=998)] | None = Field(
        None, description="Message-ID (RFC 5322) of the message that this one answers."
    )
    conversation_id: ConversationId | None = Field(
        None, description="The conversation that this message continues; instead of `in_reply_to`."
    )

    @field_validator("conversation_id")
    @classmethod
    def _one_of_both(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("in_reply_to") is not None:
            raise ValueError("Give either in_reply_to or conversation_id: both say what this message belongs to.")
        return value

    def draft(self) -> compose.Draft:
        in_reply_to = self.in_reply_to.strip().removeprefix("<").removesuffix(">") if self.in_reply_to else None
        return _draft(
            self,
            self.mailbox_id,
            (self.to, self.cc, self.bcc),
            in_reply_to=in_reply_to,
            conversation_id=self.conversation_id,
        )


class NewReply(Content):
    """An answer in a conversation. Without `to` it goes to the other side."""

    to: Recipients = Field(default_factory=list)
    cc: Recipients = Field(default_factory=list)
    bcc: Recipients = Field(default_factory=list)

    def draft(self, mailbox_id: str) -> compose.Draft:
        return _draft(self, mailbox_id, (self.to, self.cc, self.bcc))


def _draft(
    content: Content,
    mailbox_id: str,
    recipients: tuple[list[Recipient], list[Recipient], list[Recipient]],
    *,
    in_reply_to: str | None = None,
    conversation_id: str | None = None,
) -> compose.Draft:
    to, cc, bcc = (tuple(one.address() for one in given) for given in recipients)
    return compose.Draft(
        mailbox_id=mailbox_id,
        to=to,
        cc=cc,
        bcc=bcc,
        subject=content.subject,
        text=content.text,
        html=content.html,
        attachments=tuple(one.file() for one in content.attachments),
        headers=tuple(content.headers.items()),
        in_reply_to=in_reply_to,
        conversation_id=conversation_id,
        send_at=content.send_at,
        author=content.author,
        reply_to=tuple(one.address() for one in content.reply_to),
        automatic=content.automatic,
        signature=content.signature,
        sender=content.sender.address() if content.sender else None,
    )
