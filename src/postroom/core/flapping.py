"""What people are told of a direction that comes and goes. It changes no state: what is shown of it is always true."""

from __future__ import annotations

from datetime import datetime, timedelta

from postroom.core.health import Effect, Notices, Signal, State

MOST = 3
"""Troubles that are told within WINDOW; with the last of them it is told that it comes and goes, and then no more."""
WINDOW = timedelta(hours=1)
CALM = timedelta(minutes=30)
"""How long nothing must have changed until people are told how it stands now."""

_TELLS = {
    State.CONNECTED: Effect.TELL_CONNECTED,
    State.DEGRADED: Effect.TELL_DEGRADED,
    State.DOUBTED: Effect.TELL_DEGRADED,
    State.NEEDS_ATTENTION: Effect.TELL_NEEDS_ATTENTION,
}
_ALL = frozenset({*_TELLS.values(), Effect.TELL_NEEDS_REAUTH})
_BY_A_PERSON = frozenset({Signal.CHANGED, Signal.PAUSED, Signal.RESUMED})


def damped(
    notices: Notices, state: State, signal: Signal, effects: tuple[Effect, ...], now: datetime
) -> tuple[Notices, tuple[Effect, ...]]:
    """What is told of a step into `state`, and what is known of it afterwards."""
    saying = _ALL.intersection(effects)
    # Who acts waits for the word of it; and a sign-in that is refused for good ends by a person alone.
    if signal in _BY_A_PERSON or Effect.TELL_NEEDS_REAUTH in saying:
        return Notices(), effects
    if notices.quiet_until is not None:
        if signal is Signal.LASTED and notices.quiet_until <= now and state in _TELLS:
            return Notices(), (*(one for one in effects if one not in _ALL), _TELLS[state])
        if saying:
            return Notices(notices.troubles, now + CALM), tuple(one for one in effects if one not in _ALL)
        return notices, effects
    if not saying or Effect.TELL_CONNECTED in saying:
        return notices, effects
    lately = (*(at for at in notices.troubles if now - at < WINDOW), now)
    return Notices(lately, now + CALM if len(lately) >= MOST else None), effects
