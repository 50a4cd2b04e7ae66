"""Tells whether a program sent a message: auto-replies, bounces, lists (RFC 3834). It does not tell bounces apart."""

from __future__ import annotations

import re

from postroom.core.message import Address
from postroom.core.parse.headers import Headers

_LISTS = ("list-id", "list-unsubscribe", "list-post", "list-help", "list-subscribe", "list-owner", "list-archive")
_RESPONDERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply")
_PRECEDENCES = frozenset({"bulk", "junk", "list", "auto_reply"})
_NO_REPLY = re.compile(
    r"(?:do[-_.]?)?not?[-_.]?repl(?:y|ies)(?:[-_.+].*)?|no[-_.]?responder|nicht[-_.]?antworten|bounces?(?:[-_.+].*)?"
)
_DAEMONS = frozenset({"mailer-daemon", "mail-daemon"})


def is_automatic(headers: Headers, sender: Address | None, content_type: str) -> bool:
    """Whether nobody wrote this by hand, so that an automatic answer to it would make a loop (RFC 3834 2)."""
    return sign_of(headers, sender, content_type) is not None


def sign_of(headers: Headers, sender: Address | None, content_type: str) -> str | None:
    """By what one sees that a program wrote it, for people; None where somebody may have."""
    submitted = _word(headers, "auto-submitted")
    if submitted and submitted != "no":
        return f"its header says Auto-Submitted: {submitted}"
    if (precedence := _word(headers, "precedence")) in _PRECEDENCES:
        return f"its header says Precedence: {precedence}"
    suppressed = _word(headers, "x-auto-response-suppress")  # Exchange: MS-OXCMAIL 2.2.3.2.14
    if suppressed and suppressed != "none":
        return f"its header says X-Auto-Response-Suppress: {suppressed}"
    marked = next((name for name in (*_LISTS, *_RESPONDERS) if headers.has(name)), None)
    if marked is not None:
        return f"its header has the field {marked.title()}"
    if content_type == "multipart/report":
        return "it is a report of a mail server"
    if headers.first("return-path") == "<>":
        return "it was sent from the empty address <>, which takes no answers"
    return why_no_answer(sender) if sender and _local(sender) in _DAEMONS else None


def why_no_answer(address: Address) -> str | None:
    """Why nobody reads what is sent to an address; None where somebody may."""
    local = _local(address)
    if local in _DAEMONS or _NO_REPLY.fullmatch(local):
        return f"nobody reads mail to {address.email}"
    return None


def _local(address: Address) -> str:
    return address.email.rpartition("@")[0].lower()


def _word(headers: Headers, name: str) -> str:
    return (headers.first(name) or "").partition(";")[0].partition(",")[0].strip().lower()
