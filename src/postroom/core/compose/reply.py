"""Whom an answer goes to and what its subject is. It does not decide whether to answer."""

from __future__ import annotations

from typing import NamedTuple

from postroom.core.message import Address, Parsed
from postroom.core.subject import is_reply


class Recipients(NamedTuple):
    """Of an answer to all; for an answer to the sender alone, leave `cc` out."""

    to: tuple[Address, ...]
    cc: tuple[Address, ...]


def reply_subject(subject: str) -> str:
    """With one `Re:` before it, unless it says so already in some language."""
    return subject.strip() if is_reply(subject) else f"Re: {subject.strip()}".rstrip()


def reply_recipients(parsed: Parsed, own_address: str, *aliases: str) -> Recipients:
    """To Reply-To, else From; copies to whoever else had the message (RFC 5322 3.6.3). Never to `own_address`
    or one of the aliases.

    An answer to what we sent ourselves goes on to whom it had gone. Only where nobody else is left it is ourselves.
    """
    own = {one.strip().lower() for one in (own_address, *aliases)}
    sender = (parsed.sender,) if parsed.sender else ()
    others = (*parsed.to, *parsed.cc)
    wrote_it = parsed.sender is not None and parsed.sender.email.lower() in own
    to = _without(parsed.to if wrote_it else parsed.reply_to or sender, own)
    if not to:
        to = _without(sender, own) or _without(others, own)
    if not to:
        return Recipients((parsed.reply_to or sender or parsed.to)[:1] or (Address(own_address),), ())
    return Recipients(to, _without(others, own | {*(one.email.lower() for one in to)}))


def _without(given: tuple[Address, ...], left_out: set[str]) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    for one in given:
        if one.email.lower() not in left_out:
            found.setdefault(one.email.lower(), one)
    return tuple(found.values())
