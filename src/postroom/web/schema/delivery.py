"""Deliveries as answers show them. It changes none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from postroom.core import delivery as core
from postroom.core import story as core_story
from postroom.web.schema.base import ListOf, ListQuery, Output
from postroom.web.schema.diagnosis import Diagnosis
from postroom.web.schema.fields import ConversationId, MailboxId


class DeliveryRecipient(Output):
    """One recipient and the server's last reply to it."""

    address: str
    state: core.RecipientState
    reply: str | None
    diagnosis: Diagnosis | None

    @classmethod
    def of(cls, recipient: core.Recipient) -> DeliveryRecipient:
        return cls(
            address=recipient.address,
            state=recipient.state,
            reply=recipient.reply,
            diagnosis=Diagnosis.of(recipient.diagnosis),
        )


class Delivery(Output):
    """One outgoing message on its way."""

    id: str = Field(examples=["dlv_0123456789abc0123456789abcdefghjkmnp"])
    mailbox_id: str
    message: str = Field(description="The message's identifier here: see `/v1/messages/{id}`.")
    message_id: str = Field(description="The message's Message-ID (RFC 5322), without angle brackets.")
    conversation_id: str
    state: core.State
    sender: str
    recipients: list[DeliveryRecipient]
    size: int = Field(description="In bytes.")
    accepted_at: datetime
    expires_at: datetime = Field(description="When it is given up; counted from acceptance, never moved.")
    send_at: datetime | None
    next_attempt_at: datetime | None = Field(description="null where no attempt is to come by itself.")
    updated_at: datetime
    attempt_count: int
    author: str | None = Field(description="Who handed it in: as the request said, else the API key.")
    resend_of: str | None = Field(description="The delivery whose message this one sends anew.")
    bounced: bool = Field(description="Whether it came back from a recipient; `recipients` say from whom and why.")
    diagnosis: Diagnosis | None = Field(
        description="Why it is not sent; of a sent one, why its copy is not in the Sent folder."
    )
    sent_copy: core.SentCopy = Field(description="Whether the Sent folder has its copy.")

    @classmethod
    def of(cls, delivery: core.Delivery) -> Delivery:
        return cls(**_fields(delivery))


class Attempt(Output):
    """One try of a delivery."""

    number: int
    started_at: datetime
    ended_at: datetime
    outcome: str = Field(examples=["put_off"], description="accepted, refused, put_off, interrupted, unanswered, …")
    stage: str | None = Field(description="Where in the session it failed.")
    reply: str | None = Field(description="The server's last reply.")
    diagnosis: Diagnosis | None
    recipients: list[DeliveryRecipient]

    @classmethod
    def of(cls, attempt: core.Attempt) -> Attempt:
        return cls(
            number=attempt.number,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
            outcome=attempt.outcome.name.lower(),
            stage=attempt.stage,
            reply=attempt.reply,
            diagnosis=Diagnosis.of(attempt.diagnosis),
            recipients=[DeliveryRecipient.of(one) for one in attempt.recipients],
        )


class Chapter(Output):
    """One thing that happened to a delivery; never changed once written."""

    at: datetime
    state: core.State = Field(description="From then on.")
    cause: str = Field(examples=["hold"], description="A word for programs: handed_in, begun, accepted, hold, …")
    words: str = Field(examples=["sending stopped working"], description="The same for people.")
    by: str | None = Field(examples=["key crm"], description="The person who did it; null where it came by itself.")
    attempt: int | None = Field(description="The number of the attempt that led to it.")
    because: str | None = Field(
        examples=["smtp.invalid_credentials"], description="The code of a diagnosis, or a word such as paused."
    )
    why: str | None = Field(description="What that means, for people.")
    note: str | None = Field(description="What a server said.")

    @classmethod
    def of(cls, chapter: core_story.Chapter) -> Chapter:
        return cls(
            at=chapter.at,
            state=chapter.state,
            cause=chapter.cause,
            words=chapter.words,
            by=chapter.by,
            attempt=chapter.attempt,
            because=chapter.because,
            why=chapter.why,
            note=chapter.note,
        )


class DeliveryWithAttempts(Delivery):
    """A delivery with everything that was tried, and everything that happened to it."""

    attempts: list[Attempt] = Field(description="The first one first.")
    history: list[Chapter] = Field(description="The first one first.")

    @classmethod
    def with_attempts(
        cls, delivery: core.Delivery, attempts: list[core.Attempt], history: tuple[core_story.Chapter, ...]
    ) -> DeliveryWithAttempts:
        return cls(
            **_fields(delivery),
            attempts=[Attempt.of(one) for one in attempts],
            history=[Chapter.of(one) for one in history],
        )


class DeliveryList(ListOf[Delivery]):
    """Deliveries, the latest first."""


class DeliveryQuery(ListQuery):
    """Which deliveries."""

    mailbox_id: MailboxId | None = None
    state: core.State | None = None
    conversation_id: ConversationId | None = None
    bounced: bool | None = Field(None, description="Only those that came back from a recipient, or only the others.")


def _fields(delivery: core.Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "mailbox_id": delivery.mailbox_id,
        "message": delivery.message_id,
        "message_id": delivery.rfc_message_id,
        "conversation_id": delivery.conversation_id,
        "state": delivery.state,
        "sender": delivery.sender,
        "recipients": [DeliveryRecipient.of(one) for one in delivery.recipients],
        "size": delivery.size,
        "accepted_at": delivery.accepted_at,
        "expires_at": delivery.expires_at,
        "send_at": delivery.send_at,
        "next_attempt_at": delivery.next_attempt_at if delivery.state in core.WAITING else None,
        "updated_at": delivery.updated_at,
        "attempt_count": delivery.attempts,
        "author": delivery.author,
        "resend_of": delivery.resend_of,
        "bounced": delivery.bounced,
        "diagnosis": Diagnosis.of(delivery.diagnosis),
        "sent_copy": delivery.sent_copy,
    }
