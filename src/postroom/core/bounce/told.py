"""What a reported failure means, for people: the diagnosis on the server's words. It reads no report."""

from __future__ import annotations

import re
from dataclasses import replace

from postroom.core.bounce.reported import Reported
from postroom.core.diagnosis import Action, Diagnosis, Evidence, Stage, diagnose
from postroom.core.diagnosis.causes.connecting import AUTOMATIC
from postroom.core.diagnosis.causes.messages import CHECK, LATER, SEND_AGAIN
from postroom.core.diagnosis.codes import MESSAGES
from postroom.core.diagnosis.text import mark as _
from postroom.core.mailbox import Direction

REJECTED = "message_rejected"
GIVEN_UP = _("The servers on the way have given up: nothing is tried again by itself.")
SAME = _("Send the message again later, or tell the recipient in another way.")
_NOT_NOW = frozenset({LATER, CHECK, AUTOMATIC})
"""Steps that say that something goes on by itself, or that our own mailbox is to be looked at."""

_REPLY = re.compile(r"(?<![\d.])([245]\d\d)(?=[ :-]|$)")


_OF_THE_MESSAGE = frozenset({Action.FAIL_MESSAGE, Action.DEFER_MESSAGE})


def told(one: Reported) -> Diagnosis:
    """For a recipient at whom the message failed after it was taken: always about the message, never the mailbox."""
    reply = _REPLY.search(one.words)
    found = _judged(one, one.words or (one.status or ""), int(reply[1]) if reply else None)
    if found.action not in _OF_THE_MESSAGE and one.status:
        # Words that mean our mailbox where a server says them to us mean another's here: the code says what failed.
        found = replace(_judged(one, one.status, int(f"{one.status[0]}50")), raw=one.words)
    if found.action is Action.FAIL_MESSAGE:
        return found
    kept = tuple(step for step in found.steps if step not in _NOT_NOW and step != SEND_AGAIN)
    return replace(
        found,
        code=REJECTED,
        message=MESSAGES[f"smtp.{REJECTED}"],
        action=Action.FAIL_MESSAGE,
        steps=(GIVEN_UP, *kept, SAME),
        retry_after=None,
    )


def _judged(one: Reported, raw: str, code: int | None) -> Diagnosis:
    recipient = one.original or one.address
    return diagnose(
        Evidence(Direction.SMTP, Stage.SEND, raw=raw, smtp_code=code, enhanced=one.status, recipient=recipient)
    )
