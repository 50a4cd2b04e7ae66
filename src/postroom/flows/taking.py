"""One message as it came: parsed, or set apart with its bytes and the reason. It records nothing."""

from __future__ import annotations

from dataclasses import replace

import structlog

from postroom.core import bounce
from postroom.core.cursor import Outcome
from postroom.core.message import Parsed, Unreadable
from postroom.core.parse import parse
from postroom.core.ports.store import Arrival
from postroom.core.ports.wire import Fetched

log = structlog.get_logger()


def _bounce(raw: bytes, parsed: Parsed) -> bounce.Bounce | None:
    try:
        return bounce.read(raw, parsed)
    except Exception:  # what a report does to its reader keeps nobody from the message
        log.exception("report not read", size=len(raw))
        return None


def read(arrival: Arrival, fetched: Fetched) -> Arrival:
    """The arrival with what the server gave. Never raises: whatever a message does, the next one comes through."""
    raw = fetched.whole()
    arrival = replace(
        arrival,
        raw=raw,
        size=len(raw),
        received_at=fetched.internal_date or arrival.received_at,
        thread=fetched.thread,
    )
    try:
        parsed = parse(raw)
        return replace(arrival, outcome=Outcome.FETCHED, parsed=parsed, bounce=_bounce(raw, parsed))
    except Unreadable as unreadable:
        return replace(arrival, outcome=Outcome.QUARANTINED, reason=str(unreadable))
    except Exception as fault:
        log.exception("parser failed", size=len(raw))
        return replace(
            arrival, outcome=Outcome.QUARANTINED, reason=f"the message broke the parser: {type(fault).__name__}"
        )
