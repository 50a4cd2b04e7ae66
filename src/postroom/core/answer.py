"""What a server's answer to a message means for each recipient and for the mailbox. It sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from postroom.core.delivery import Delivery, Recipient, RecipientState, Signal, merge, outcome_of
from postroom.core.diagnosis import Action, Diagnosis, diagnose
from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.mailbox import Direction
from postroom.core.ports.wire import Answer, Reply

SENDING_LIMIT = "mailbox_limit_exceeded"
SESSION_USED_UP = "limit.sending.session"
"""The rule that reads "too many messages in this session"."""
SERVICE_CLOSING = 421


@dataclass(frozen=True, slots=True)
class Judged:
    """`mailbox` is there where not the message but the mailbox was refused: it waits then. `session_over`: the refusal
    says no more than that this session has carried enough (421, "too many messages in this session")."""

    signal: Signal
    recipients: tuple[Recipient, ...]
    diagnosis: Diagnosis | None = None
    mailbox: Diagnosis | None = None
    session_over: bool = False


def judge(delivery: Delivery, answer: Answer) -> Judged:
    """The outcome for every recipient that was pending (RFC 5321 3.3: each RCPT is answered for itself)."""
    answered: dict[str, Recipient] = {}
    diagnosis: Diagnosis | None = None
    mailbox: Diagnosis | None = None
    for one in delivery.pending:
        reply = decisive(answer, one.address)
        found = None if reply.ok else diagnose(reply.evidence or _evidence(reply, one.address))
        answered[one.address] = _recipient(one, reply, found)
        if found is not None:
            diagnosis = found if diagnosis is None or found.returns_message else diagnosis
            of_the_message = found.returns_message or found.action is Action.DEFER_MESSAGE
            mailbox = mailbox if of_the_message else found
    recipients = merge(delivery.recipients, answered)
    if mailbox is not None and not any(one.state is RecipientState.ACCEPTED for one in answered.values()):
        return Judged(Signal.MAILBOX_REFUSED, recipients, mailbox, mailbox, _session_over(answer, mailbox))
    # Some were accepted, and then a limit was reached: whatever else this mailbox sends now is asked in vain.
    rests = mailbox is not None and mailbox.code == SENDING_LIMIT
    return Judged(outcome_of(recipients), recipients, diagnosis, mailbox if rests else None)


def interrupted(delivery: Delivery, judged: Judged) -> Judged:
    """The same message goes on over a new session: nothing was said against it, nor against the mailbox."""
    return Judged(Signal.INTERRUPTED, delivery.recipients, judged.diagnosis)


def _session_over(answer: Answer, mailbox: Diagnosis) -> bool:
    replies = (answer.sender, *answer.recipients.values(), *((answer.data,) if answer.data else ()))
    return mailbox.matched == SESSION_USED_UP or (
        mailbox.action is Action.RETRY
        and mailbox.code != SENDING_LIMIT
        and any(one.code == SERVICE_CLOSING for one in replies)
    )


def returned(delivery: Delivery, judged: Judged, why: Diagnosis) -> Judged:
    """The same, where what was refused for good is not the mailbox but what this one message is sent as."""
    refused = (
        replace(one, state=RecipientState.REFUSED) if one.state is RecipientState.PENDING else one
        for one in judged.recipients
    )
    return Judged(Signal.REFUSED, tuple(refused), why)


def decisive(answer: Answer, address: str) -> Reply:
    """The reply that decides for one recipient: the first refusal on its way, else the last word."""
    if not answer.sender.ok:
        return answer.sender
    recipient = answer.recipients.get(address)
    if recipient is not None and not recipient.ok:
        return recipient
    return answer.data or recipient or answer.sender


def _recipient(one: Recipient, reply: Reply, found: Diagnosis | None) -> Recipient:
    state = RecipientState.PENDING
    if found is None:
        state = RecipientState.ACCEPTED
    elif found.returns_message:
        state = RecipientState.REFUSED
    return replace(one, state=state, reply=reply.text, diagnosis=found)


def _evidence(reply: Reply, address: str) -> Evidence:
    return Evidence(Direction.SMTP, Stage.SEND, raw=reply.text, smtp_code=reply.code, recipient=address)
