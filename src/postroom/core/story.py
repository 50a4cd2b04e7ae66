"""What happened to a delivery, told in order and in plain words. It holds none of it: core.delivery does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from postroom.core.delivery import Delivery, State, Transition
from postroom.core.diagnosis.codes import MESSAGES
from postroom.core.diagnosis.text import mark as _

HANDED_IN = "handed_in"
_WORDS = {
    "paused": _("the mailbox is paused"),
    "connecting": _("the mailbox is being connected"),
    "faltering": _("the mail server does not answer"),
    "suspected": _("the mail server refused the sign-in"),
    "worker_lost": _("the process that was sending it ended before the answer came"),
    "store_lost": _("the database failed while it was being handed over"),
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened. `cause` is a word for programs, `words` are for people; `because` is the code of a
    diagnosis, or a word, and `why` what it means; `note` is what a server said."""

    at: datetime
    state: State
    cause: str
    words: str
    by: str | None = None
    attempt: int | None = None
    because: str | None = None
    why: str | None = None
    note: str | None = None


def story(delivery: Delivery, transitions: Sequence[Transition]) -> tuple[Chapter, ...]:
    """From the acceptance on."""
    begin = Chapter(delivery.accepted_at, State.QUEUED, HANDED_IN, _("accepted for sending"), by=delivery.author)
    return begin, *(_chapter(one) for one in transitions)


def _chapter(one: Transition) -> Chapter:
    why = MESSAGES.get(one.because or "") or _WORDS.get(one.because or "")
    return Chapter(
        one.at, one.state, one.cause.name.lower(), str(one.cause), one.by, one.attempt, one.because, why, one.note
    )
