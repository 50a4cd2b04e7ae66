"""Tells whether a program sent a message: auto-replies, bounces, lists (RFC 3834). It does not tell bounces apart."""

from __future__ import annotations

from postroom.core.message import Address
from postroom.core.parse.headers import Headers

_LISTS = ("list-id", "list-unsubscribe", "list-post", "list-help", "list-subscribe", "list-owner", "list-archive")
_RESPONDERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply")
_PRECEDENCES = frozenset({"bulk", "junk", "list", "auto_reply"})
_DAEMONS = frozenset({"mailer-daemon", "mail-daemon"})


def is_automatic(headers: Headers, sender: Address | None, content_type: str) -> bool:
    """Whether nobody wrote this by hand, so that an automatic answer to it would make a loop (RFC 3834 2)."""
    submitted = _word(headers, "auto-submitted")
    if submitted and submitted != "no":
        return True
    if _word(headers, "precedence") in _PRECEDENCES:
        return True
    suppressed = _word(headers, "x-auto-response-suppress")  # Exchange: MS-OXCMAIL 2.2.3.2.14
    if suppressed and suppressed != "none":
        return True
    if any(headers.has(name) for name in (*_LISTS, *_RESPONDERS)):
        return True
    if content_type == "multipart/report" or headers.first("return-path") == "<>":
        return True
    return sender is not None and sender.email.partition("@")[0].lower() in _DAEMONS


def _word(headers: Headers, name: str) -> str:
    return (headers.first(name) or "").partition(";")[0].partition(",")[0].strip().lower()
