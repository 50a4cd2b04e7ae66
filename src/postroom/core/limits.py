"""What a mailbox may send, of what its server said, a person set and the provider is known for. It refuses nothing by
itself: the way into the outbox does, and the drain keeps to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from postroom.core import provider
from postroom.core.budget import Budget
from postroom.core.compose import BadDraft, Composed, Draft
from postroom.core.diagnosis import Diagnosis, Evidence, Stage, diagnose
from postroom.core.mailbox import Direction, Mailbox

MOST_RECIPIENTS = 1000
"""Of one message, where nobody says fewer: more of them are a mailing, and spoil the name of the mailbox."""
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
    """Recipients of one message: To, Cc and Bcc together. The server's own word counts more than the table's."""
    known = provider.by_key(mailbox.provider)
    if mailbox.told.recipients is not None:
        return Limit(mailbox.told.recipients, f"the mail server {mailbox.smtp.host}")
    if known.recipients_a_message is not None:
        return Limit(known.recipients_a_message, known.name)
    return Limit(MOST_RECIPIENTS, "Postroom")


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
    raise BadDraft(
        _largest(draft, attached),
        f"the message has {size / MEGABYTE:.1f} MB as it is sent, and {largest.whose} takes "
        f"{largest.most / MEGABYTE:.1f} MB{_grown(attached, size)}: send a link to the larger files"
        if attached
        else f"the message has {size / MEGABYTE:.1f} MB, and {largest.whose} takes {largest.most / MEGABYTE:.1f} MB: "
        "shorten it",
    )


def _largest(draft: Draft, attached: int) -> str:
    sizes = {"attachments": attached, "text": len(draft.text), "html": len(draft.html)}
    return max(sizes, key=sizes.__getitem__)


def _grown(attached: int, size: int) -> str:
    if size <= attached:
        return ""
    return f" (the attachments are {attached / MEGABYTE:.1f} MB, which grow by a third on the way, in base 64)"


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
