"""Decides which conversation a message belongs to: by its identifiers, else by the thread that its provider names, else
by its topic. It looks nothing up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from postroom.core.message import Conversation, Flow, Parsed
from postroom.core.subject import is_reply, topic

TOPIC_LASTS = timedelta(days=30)
"""After the last message of a conversation; later the same subject from the same person is another matter."""


def ids_of(parsed: Parsed) -> tuple[str, ...]:
    """The Message-IDs that a message names as coming before it, the nearest first: In-Reply-To, then References from
    the last to the first (RFC 5322 3.6.4). Each once, its own never."""
    before = (*((parsed.in_reply_to,) if parsed.in_reply_to else ()), *reversed(parsed.references))
    return tuple(one for one in dict.fromkeys(before) if one != parsed.message_id)


def place(parsed: Parsed, known: Mapping[str, str]) -> str | None:
    """The conversation of the nearest message that we know; None where the message begins one.

    `known` maps Message-IDs of this mailbox to conversation identifiers; it need hold no more than `ids_of` asks for.
    """
    return next((known[one] for one in ids_of(parsed) if one in known), None)


def topic_asked(parsed: Parsed) -> str | None:
    """The topic by which an answer that names no message of ours may be placed; None where it may not be.

    Some programs drop References, and some servers give what we sent another Message-ID. What is no answer begins a
    conversation, whatever its subject: invoices of a year bear the same one.
    """
    if parsed.automatic or parsed.sender is None or not (is_reply(parsed.subject) or ids_of(parsed)):
        return None
    return topic(parsed.subject)


@dataclass(frozen=True, slots=True)
class Party:
    """A message as people take part in it: which way it went, and the mailbox's own addresses, case-folded."""

    parsed: Parsed
    flow: Flow
    ours: frozenset[str]

    @property
    def others(self) -> frozenset[str]:
        """Who must take part in a conversation already, for this message to be put into it: its sender, or all to whom
        we wrote. Empty where nobody but ourselves is in it: everybody writes to us, so that proves nothing."""
        sender = (self.parsed.sender,) if self.parsed.sender else ()
        people = sender if self.flow is Flow.INBOUND else (*self.parsed.to, *self.parsed.cc)
        return frozenset(one.email.casefold() for one in people) - self.ours

    def takes_part(self, conversation: Conversation) -> bool:
        return bool(self.others) and self.others <= {one.email.casefold() for one in conversation.participants}


def place_by_thread(party: Party, same_thread: Iterable[Conversation]) -> str | None:
    """The latest conversation with a message of the same thread, as the provider calls it; None where there is none.

    Providers put into one thread what bears one subject, also of two customers: nobody is shown what they have not
    seen, so only those who take part already are put into it.
    """
    return _latest(one for one in same_thread if party.takes_part(one))


def place_by_topic(party: Party, at: datetime, same_topic: Iterable[Conversation]) -> str | None:
    """The latest conversation of the same topic in which this sender takes part already, or in an outgoing message all
    its recipients; None where there is none.

    Nobody is shown what they have not seen: a sender who is not in it is never put into a conversation by its subject.
    """
    return _latest(one for one in same_topic if abs(at - one.updated_at) <= TOPIC_LASTS and party.takes_part(one))


def _latest(conversations: Iterable[Conversation]) -> str | None:
    found = max(conversations, key=lambda one: (one.updated_at, one.id), default=None)
    return found.id if found is not None else None
