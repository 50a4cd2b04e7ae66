"""When to try again: delays for probes and for put-off messages. It reads no clock: now and jitter are arguments."""

from __future__ import annotations

from datetime import datetime, timedelta

from postroom.core.health import Effect

CONFIRM = timedelta(seconds=10)
"""Between the first refused sign-in and its one confirmation."""
SLOW = timedelta(minutes=5)
"""Between probes while a person must change something that is not the sign-in."""
FIRST = timedelta(seconds=2)
CEILING = timedelta(seconds=25)
"""A server that comes back by itself is noticed within 30 seconds: this ceiling, its jitter, and the connect."""
FIRST_DEFERRAL = timedelta(minutes=5)
LAST_DEFERRAL = timedelta(hours=4)
FIRST_LOOK = timedelta(seconds=10)
"""After which Sent is looked into a second time for a message whose answer was cut off; each wait is twice the last."""


def backoff(first: timedelta, ceiling: timedelta, failures: int, jitter: float) -> timedelta:
    """Doubling from `first` up to `ceiling`, less up to a quarter of it: `jitter` is from 0 to 1."""
    grown = min(first * (1 << min(max(failures - 1, 0), 20)), ceiling)
    return grown * (1 - 0.25 * jitter)


def next_probe(
    effects: tuple[Effect, ...],
    failures: int,
    now: datetime,
    jitter: float,
    retry_after: int | None = None,
    *,
    confirm: timedelta = CONFIRM,
) -> datetime | None:
    """When a direction is tried again, None for not by itself. `retry_after` (seconds) is the provider's own rule."""
    if Effect.PROBE_NOW in effects:
        return now
    if Effect.PROBE_CONFIRM in effects:
        wait = confirm
    elif Effect.PROBE_SLOWLY in effects:
        wait = SLOW * (1 - 0.25 * jitter)
    elif Effect.PROBE_BACKOFF in effects:
        wait = backoff(FIRST, CEILING, failures, jitter)
    else:
        return None
    return now + max(wait, timedelta(seconds=retry_after or 0))


def next_attempt(attempts: int, now: datetime, jitter: float, retry_after: int | None = None) -> datetime:
    """When a put-off message is tried again (RFC 5321 4.5.4.1), later where the provider's rule says so."""
    wait = backoff(FIRST_DEFERRAL, LAST_DEFERRAL, attempts, jitter)
    return now + max(wait, timedelta(seconds=retry_after or 0))


def next_look(since: datetime, now: datetime, patience: timedelta) -> datetime | None:
    """When Sent is looked into again for a message that became unconfirmed at `since`: at once, then after 10, 20, 40
    seconds and so on, the last time when `patience` is over; None where it was looked into then."""
    waited = now - since
    if waited >= patience:
        return None
    due = FIRST_LOOK
    while due <= waited:
        due = due * 2 + FIRST_LOOK
    return since + min(due, patience)
