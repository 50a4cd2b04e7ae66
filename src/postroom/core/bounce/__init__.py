"""What mail servers report about messages that we sent: who failed, why, which message. It finds no delivery.

RFC 3464 reports are read by their fields, all others by their wording. What is no report is None, never an exception.
"""

from __future__ import annotations

import re

from postroom.core.bounce.original import message_ids
from postroom.core.bounce.report import of_report
from postroom.core.bounce.reported import Action, Bounce, Reported
from postroom.core.bounce.told import told
from postroom.core.bounce.wording import looks_like_a_bounce, of_wording
from postroom.core.message import Parsed
from postroom.core.parse import headers, parts
from postroom.core.parse.parts import Part, TooMuch

__all__ = ["Action", "Bounce", "Reported", "read", "told"]

LARGEST = 10 * 1024 * 1024
"""Bytes of a message that are looked through: a larger one returns an attachment, and its report stands before it."""

LOOKED_AT = 256 * 1024
"""Bytes of any automatic message in which the mark of a report is looked for."""

_MARKED = re.compile(rb"delivery-status|x-failed-recipients", re.IGNORECASE)


def read(raw: bytes, parsed: Parsed) -> Bounce | None:
    """The report in a message that arrived; None where it is none, or does not say which message it is about."""
    if not (parsed.automatic and _MARKED.search(raw, 0, LOOKED_AT)) and not looks_like_a_bounce(parsed):
        return None
    raw = raw[:LARGEST]
    section, body_at = headers.split(raw)
    found = headers.read(headers.shorten(section))
    try:
        root, _ = parts.read(section, raw[body_at:] if len(section) > headers.CAP else b"", raw)
    except TooMuch:
        return None
    leaves = list(_leaves(root))
    recipients = of_report(leaves)
    if recipients is None:
        recipients = of_wording(found, parsed) if looks_like_a_bounce(parsed, found) else ()
    if not recipients:
        return None
    named = message_ids(found, leaves, parsed)
    return Bounce(named, recipients) if named else None


def _leaves(part: Part) -> list[Part]:
    if not part.is_multipart:
        return [part]
    return [leaf for child in part.children for leaf in _leaves(child)]
