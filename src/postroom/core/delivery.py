"""One outgoing message on its way: its states as a table, its recipients, its attempts. It sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from postroom.core.diagnosis.verdict import Diagnosis


class State(StrEnum):
    """How a delivery stands. Sent, failed, expired and cancelled are ends."""

    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    HELD = "held"
    UNCONFIRMED = "unconfirmed"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Signal(StrEnum):
    """What happens to a delivery."""

    BEGUN = "handed to the server"
    ACCEPTED = "accepted by the server"
    REFUSED = "refused for good"
    PUT_OFF = "put off by the server"
    INTERRUPTED = "connection lost before the message was handed over"
    MAILBOX_REFUSED = "mailbox refused before the message was taken"
    UNANSWERED = "connection lost before the answer"
    HOLD = "sending stopped working"
    RELEASE = "sending works again"
    TRIED = "handed to the server to see whether sending works again"
    FOUND = "found in Sent"
    ABSENT = "not in Sent, may be sent again"
    UNKNOWABLE = "not in Sent, which proves nothing"
    EXPIRED = "hold time is over"
    CANCELLED = "cancelled by a person"
    RETRIED = "sent again by a person"
    CONFIRMED = "marked as sent by a person"
    REPORTED = "reported on by a mail server"


class Effect(StrEnum):
    """What flows do about a transition."""

    COPY_TO_SENT = "copy to Sent"
    LOOK_IN_SENT = "look in Sent"
    TELL_SENT = "delivery.sent"
    TELL_DEFERRED = "delivery.deferred"
    TELL_HELD = "delivery.held"
    TELL_FAILED = "delivery.failed"
    TELL_EXPIRED = "delivery.expired"
    TELL_UNCONFIRMED = "delivery.unconfirmed"


_S, _G, _E = State, Signal, Effect

# What is missing is refused: step() raises NotPossible, which an API answers with 409.
TABLE: dict[tuple[State, Signal], tuple[State, tuple[Effect, ...]]] = {
    (_S.QUEUED, _G.BEGUN): (_S.SENDING, ()),
    (_S.QUEUED, _G.HOLD): (_S.HELD, (_E.TELL_HELD,)),
    (_S.QUEUED, _G.EXPIRED): (_S.EXPIRED, (_E.TELL_EXPIRED,)),
    (_S.QUEUED, _G.CANCELLED): (_S.CANCELLED, ()),
    (_S.QUEUED, _G.RETRIED): (_S.QUEUED, ()),
    (_S.DEFERRED, _G.BEGUN): (_S.SENDING, ()),
    (_S.DEFERRED, _G.HOLD): (_S.HELD, (_E.TELL_HELD,)),
    (_S.DEFERRED, _G.EXPIRED): (_S.EXPIRED, (_E.TELL_EXPIRED,)),
    (_S.DEFERRED, _G.CANCELLED): (_S.CANCELLED, ()),
    (_S.DEFERRED, _G.RETRIED): (_S.QUEUED, ()),
    (_S.SENDING, _G.ACCEPTED): (_S.SENT, (_E.COPY_TO_SENT, _E.TELL_SENT)),
    # Refused or put off concerns at least one recipient; others may have accepted, hence the copy.
    (_S.SENDING, _G.REFUSED): (_S.FAILED, (_E.COPY_TO_SENT, _E.TELL_FAILED)),
    (_S.SENDING, _G.PUT_OFF): (_S.DEFERRED, (_E.COPY_TO_SENT, _E.TELL_DEFERRED)),
    (_S.SENDING, _G.INTERRUPTED): (_S.QUEUED, ()),
    (_S.SENDING, _G.MAILBOX_REFUSED): (_S.HELD, (_E.TELL_HELD,)),
    (_S.SENDING, _G.UNANSWERED): (_S.UNCONFIRMED, (_E.LOOK_IN_SENT,)),
    (_S.HELD, _G.TRIED): (_S.SENDING, ()),
    (_S.HELD, _G.RELEASE): (_S.QUEUED, ()),
    (_S.HELD, _G.EXPIRED): (_S.EXPIRED, (_E.TELL_EXPIRED,)),
    (_S.HELD, _G.CANCELLED): (_S.CANCELLED, ()),
    (_S.UNCONFIRMED, _G.FOUND): (_S.SENT, (_E.TELL_SENT,)),
    (_S.UNCONFIRMED, _G.ABSENT): (_S.QUEUED, ()),
    (_S.UNCONFIRMED, _G.UNKNOWABLE): (_S.UNCONFIRMED, (_E.TELL_UNCONFIRMED,)),
    (_S.UNCONFIRMED, _G.EXPIRED): (_S.EXPIRED, (_E.TELL_EXPIRED,)),
    (_S.UNCONFIRMED, _G.CANCELLED): (_S.CANCELLED, ()),
    (_S.UNCONFIRMED, _G.RETRIED): (_S.QUEUED, ()),
    (_S.UNCONFIRMED, _G.CONFIRMED): (_S.SENT, (_E.COPY_TO_SENT, _E.TELL_SENT)),
    # Whatever a bounce says, it shows that the server had taken the message.
    (_S.UNCONFIRMED, _G.REPORTED): (_S.SENT, (_E.COPY_TO_SENT, _E.TELL_SENT)),
    (_S.FAILED, _G.RETRIED): (_S.QUEUED, ()),
}

WAITING = frozenset({State.QUEUED, State.DEFERRED, State.HELD})
OPEN = WAITING | {State.SENDING, State.UNCONFIRMED}
WARNINGS = (4, 24)
"""Hours of waiting after which people are told that a message is still on its way."""


class NotPossible(Exception):
    """The delivery is in a state where this cannot be done; the text says which and why, for a person."""

    def __init__(self, state: State, signal: Signal) -> None:
        super().__init__(f"a delivery that is {state} cannot be {signal}")
        self.state = state
        self.signal = signal


class NothingToResend(NotPossible):
    """There is nobody in the delivery to whom it could be sent anew."""

    def __init__(self, state: State) -> None:
        why = "it is still on its way" if state in OPEN else "every recipient has accepted it"
        Exception.__init__(self, f"a delivery that is {state} cannot be sent anew: {why}")
        self.state = state


def step(state: State, signal: Signal) -> tuple[State, tuple[Effect, ...]]:
    """The next state and what to do on the way. Raises NotPossible where the table has no such transition."""
    try:
        return TABLE[state, signal]
    except KeyError:
        raise NotPossible(state, signal) from None


def sources(signal: Signal) -> frozenset[State]:
    """The states that a signal leads out of: for changing many deliveries at once."""
    return frozenset(state for state, given in TABLE if given is signal)


class Report(StrEnum):
    """What a mail server reports on a message that it had taken (RFC 3464 2.3.3). It moves no delivery by itself."""

    BOUNCED = "failed at a recipient"
    DELAYED = "delayed on its way to a recipient"
    RELAYED = "passed on to a server that reports no further"
    DELIVERED = "delivered to a recipient"


class RecipientState(StrEnum):
    """How one recipient of a delivery stands. Accepted and refused are ends: neither is tried again. Bounced: it was
    accepted, and came back."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class Recipient:
    """An envelope recipient (RFC 5321 RCPT TO) and the server's last reply to it."""

    address: str
    state: RecipientState = RecipientState.PENDING
    reply: str | None = None
    diagnosis: Diagnosis | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "state": str(self.state),
            "reply": self.reply,
            "diagnosis": self.diagnosis.as_dict() if self.diagnosis else None,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Recipient:
        diagnosis = Diagnosis.from_dict(value["diagnosis"]) if value.get("diagnosis") else None
        return cls(value["address"], RecipientState(value["state"]), value.get("reply"), diagnosis)


class SentCopy(StrEnum):
    """Whether the Sent folder has its copy: not due yet, due, there (by us), left to the provider, or given up because
    the server would not take it."""

    NONE = "none"
    DUE = "due"
    DONE = "done"
    BY_PROVIDER = "by_provider"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the outbox. `sender` is the envelope's MAIL FROM; `expires_at` counts from acceptance, never moves.

    `diagnosis` is of the last try; once it is sent, of its copy for Sent where that cannot be filed.
    `author` is who handed it in; `resend_of` the delivery whose message this one sends anew.
    """

    id: str
    mailbox_id: str
    message_id: str
    rfc_message_id: str
    conversation_id: str
    state: State
    sender: str
    recipients: tuple[Recipient, ...]
    size: int
    accepted_at: datetime
    expires_at: datetime
    next_attempt_at: datetime
    updated_at: datetime
    attempts: int = 0
    send_at: datetime | None = None
    diagnosis: Diagnosis | None = None
    sent_copy: SentCopy = SentCopy.NONE
    author: str | None = None
    resend_of: str | None = None

    @property
    def pending(self) -> tuple[Recipient, ...]:
        return tuple(one for one in self.recipients if one.state is RecipientState.PENDING)

    @property
    def bounced(self) -> bool:
        return any(one.state is RecipientState.BOUNCED for one in self.recipients)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery, never changed once written. `outcome` is the signal's name in the table."""

    delivery_id: str
    number: int
    started_at: datetime
    ended_at: datetime
    outcome: Signal
    stage: str | None = None
    reply: str | None = None
    diagnosis: Diagnosis | None = None
    recipients: tuple[Recipient, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in a delivery's story, never changed once written.

    `by` is the person who did it (a key's name, the command line), None for Postroom; `attempt` the try that led to it;
    `because` the code of the diagnosis that it follows from, or a word such as `paused`; `note` what a server said.
    """

    delivery_id: str
    number: int
    at: datetime
    state: State
    cause: Signal | Report
    by: str | None = None
    attempt: int | None = None
    because: str | None = None
    note: str | None = None


def first_warning(accepted_at: datetime, send_at: datetime | None, expires_at: datetime) -> datetime | None:
    """When people are told first that it waits; None where it expires before. What is to go later is not late."""
    return _warning_within(max(accepted_at, send_at or accepted_at), 0, expires_at)


def warning(due: Delivery, now: datetime) -> tuple[int, datetime | None]:
    """The hours that a warning that is due speaks of, and when the next one is due."""
    since = max(due.accepted_at, due.send_at or due.accepted_at)
    hours = max((one for one in WARNINGS if since + timedelta(hours=one) <= now), default=WARNINGS[0])
    return hours, _warning_within(since, hours, due.expires_at)


def _warning_within(since: datetime, after: int, expires_at: datetime) -> datetime | None:
    later = (since + timedelta(hours=one) for one in WARNINGS if one > after)
    return next((one for one in later if one < expires_at), None)


def outcome_of(recipients: tuple[Recipient, ...]) -> Signal:
    """What an answered try means: put off while anyone is pending, refused when anyone was, else accepted.

    A delivery of which some were accepted and one was refused has failed: somebody must act for the one.
    """
    states = {one.state for one in recipients}
    if RecipientState.PENDING in states:
        return Signal.PUT_OFF
    return Signal.REFUSED if RecipientState.REFUSED in states else Signal.ACCEPTED


def merge(recipients: tuple[Recipient, ...], answered: dict[str, Recipient]) -> tuple[Recipient, ...]:
    """The recipients with what one try told of them."""
    return tuple(replace(answered[one.address]) if one.address in answered else one for one in recipients)


def left_out(delivery: Delivery) -> tuple[Recipient, ...]:
    """To whom a message that came to its end can be sent anew: all who have not got it. Raises NothingToResend."""
    without = (RecipientState.PENDING, RecipientState.REFUSED, RecipientState.BOUNCED)
    found = tuple(Recipient(one.address) for one in delivery.recipients if one.state in without)
    if delivery.state in OPEN or not found:
        raise NothingToResend(delivery.state)
    return found


def all_accepted(delivery: Delivery) -> tuple[Recipient, ...]:
    """The recipients of a delivery of which it turned out that the server had taken it."""
    return tuple(
        replace(one, state=RecipientState.ACCEPTED) if one.state is RecipientState.PENDING else one
        for one in delivery.recipients
    )
