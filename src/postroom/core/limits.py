"""What a mailbox may send, of what its server said, a person set and the provider is known for. It refuses nothing by
itself: the way into the outbox does, and the drain keeps to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from postroom.core import provider
from postroom.core.budget import Budget
from postroom.core.compose import BadDraft, Composed, Draft
from postroom.core.compose.recipient import MOST
from postroom.core.diagnosis import Diagnosis, Evidence, Stage, diagnose
from postroom.core.mailbox import Direction, Mailbox

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """So many, and whose limit it is, in words."""

    most: int
    whose: str


def size_limit(mailbox: Mailbox) -> Limit | None:
    """Bytes of a whole message, as it goes over the wire."""
    known = provider.by_key(mailbox.provider)
    if mailbox.told.size is not None:
        return Limit(mailbox.told.size, f"the mail server {mailbox.smtp.host}")
    if known.message_bytes is not None:
        return Limit(known.message_bytes, known.name)
    return None


def recipients_limit(mailbox: Mailbox) -> Limit:
    """Recipients of one message: To, Cc and Bcc together. The server's own word counts more than the table's, and ours
    holds in any case."""
    known = provider.by_key(mailbox.provider)
    ours = Limit(MOST, "Postroom")
    if mailbox.told.recipients is not None:
        theirs = Limit(mailbox.told.recipients, f"the mail server {mailbox.smtp.host}")
    elif known.recipients_a_message is not None:
        theirs = Limit(known.recipients_a_message, known.name)
    else:
        return ours
    return min(theirs, ours, key=lambda one: one.most)


def budget(mailbox: Mailbox) -> Budget:
    """What a person set, else what the provider grants."""
    known = provider.by_key(mailbox.provider)
    chosen = mailbox.budget
    return Budget(
        chosen.connections or known.smtp_connections,
        chosen.messages_a_minute or known.messages_a_minute,
        chosen.messages_a_day or known.messages_a_day,
        chosen.recipients_a_day or known.recipients_a_day,
    )


def check(mailbox: Mailbox, draft: Draft, composed: Composed) -> None:
    """Raises BadDraft, naming the field, where the server would refuse this message in any case."""
    number, most = len(composed.envelope_recipients), recipients_limit(mailbox)
    if number > most.most:
        field = max(("to", "cc", "bcc"), key=lambda name: len(getattr(draft, name)))
        raise BadDraft(
            field,
            f"the message has {number:,} recipients, and {most.whose} takes {most.most:,} for one message: send it in "
            "parts, or write to a mailing list",
        )
    size, largest = len(composed.raw), size_limit(mailbox)
    if largest is None or size <= largest.most:
        return
    attached = sum(len(one.content) for one in draft.attachments)
    said = f"the message has {_size(size)} as it is sent, and {largest.whose} takes {_size(largest.most)}"
    if attached:
        grown = f" (the attachments have {_size(attached)}, which grow by a third on the way, in base 64)"
        raise BadDraft(_largest(draft, attached), f"{said}{grown}: send a link to the larger files")
    raise BadDraft(_largest(draft, attached), f"{said}: shorten it")


def _largest(draft: Draft, attached: int) -> str:
    sizes = {"attachments": attached, "text": len(draft.text), "html": len(draft.html)}
    return max(sizes, key=sizes.__getitem__)


def _size(number: int) -> str:
    return f"{number / MEGABYTE:.1f} MB" if number >= MEGABYTE else f"{number / 1000:.1f} KB"


def used_up(mailbox: Mailbox, clears: datetime, now: datetime) -> Diagnosis:
    """The day's budget is spent: as if the provider had said so, without asking it in vain."""
    granted, known = budget(mailbox), provider.by_key(mailbox.provider)
    counted = (
        f"{granted.recipients_a_day:,} recipients"
        if granted.recipients_a_day is not None
        else f"{granted.messages_a_day:,} messages"
    )
    if granted.messages_a_day is not None and granted.recipients_a_day is not None:
        counted = f"{granted.messages_a_day:,} messages or {counted}"
    chosen = mailbox.budget.of_a_day
    whose = "the budget of this mailbox" if chosen else f"what {known.name} allows"
    found = diagnose(
        Evidence(Direction.SMTP, Stage.MAIL, raw="452 4.5.3 daily sending limit", smtp_code=452, provider=known.key)
    )
    return replace(
        found,
        reason=f"This mailbox has sent {counted} within 24 hours: {whose}. Postroom waits before the server refuses.",
        steps=(
            *(("Raise the mailbox's budget if the provider allows it more.",) if chosen else found.steps[:1]),
            "Sending goes on by itself when there is room again.",
        ),
        matched="budget.day",
        raw="",
        retry_after=max(1, int((clears - now).total_seconds()) + 1),
    )
