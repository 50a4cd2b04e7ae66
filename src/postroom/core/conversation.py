"""Decides which conversation a message belongs to, by its identifiers. It does not look at subjects."""

from __future__ import annotations

from collections.abc import Mapping

from postroom.core.message import Parsed


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
