"""The bytes of a message that is sent anew: the same but for its Message-ID and Date. It composes nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime

from postroom.core.compose import fields

_DATE = re.compile(rb"^Date:.*\r\n(?:[ \t].*\r\n)*", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^Message-ID:.*\r\n(?:[ \t].*\r\n)*", re.MULTILINE)


def anew(raw: bytes, *, message_id: str, date: datetime) -> bytes:
    """What we composed before, as a message of its own.

    A Message-ID names one version of a message (RFC 5322 3.6.4), and one with another Date is another. It also keeps
    the two apart where it matters: in Sent, in bounces, and for a recipient who has got the first after all.
    """
    section, blank, body = raw.partition(b"\r\n\r\n")
    section += b"\r\n"
    dated = f"Date: {format_datetime(date.astimezone(UTC))}\r\n".encode()
    named = fields.identifiers("Message-ID", [message_id])
    section = _DATE.sub(lambda _: dated, section, count=1)
    section = _MESSAGE_ID.sub(lambda _: named, section, count=1)
    return section.removesuffix(b"\r\n") + blank + body
