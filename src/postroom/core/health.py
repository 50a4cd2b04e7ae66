"""The state of one direction of one mailbox, as a table of transitions. It performs nothing: effects are data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.mailbox import Direction


class State(StrEnum):
    """Faltering, suspected and doubted are what people see as degraded: a trouble that nobody was told of yet; a
    sign-in that was refused once and is not confirmed; and that, while people wait for a word of its end."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    FALTERING = "faltering"
    DEGRADED = "degraded"
    SUSPECTED = "suspected"
    DOUBTED = "doubted"
    NEEDS_REAUTH = "needs_reauth"
    NEEDS_ATTENTION = "needs_attention"
    PAUSED = "paused"

    @property
    def public(self) -> str:
        """The word of the contract: one of the six states that DESIGN names."""
        hidden = (State.FALTERING, State.SUSPECTED, State.DOUBTED)
        return State.DEGRADED.value if self in hidden else self.value


class Signal(StrEnum):
    """What happens to a direction."""

    SIGNED_IN = "signed in"
    FAILED = "failed, passing"
    SIGN_IN_REFUSED = "sign-in refused"
    SETTINGS_REFUSED = "settings refused"
    LASTED = "lasted too long"
    CHANGED = "credential or settings changed"
    PAUSED = "paused by a person"
    RESUMED = "resumed by a person"


class Effect(StrEnum):
    """What flows do about a transition. HOLD and RELEASE concern deliveries, so only the sending direction."""

    HOLD = "hold deliveries"
    RELEASE = "release deliveries"
    PROBE_NOW = "probe now"
    PROBE_CONFIRM = "probe once more to confirm"
    PROBE_BACKOFF = "probe with backoff"
    PROBE_SLOWLY = "probe slowly"
    PROBE_NEVER = "probe only when a person acts"
    TELL_CONNECTED = "mailbox.connected"
    TELL_DEGRADED = "mailbox.degraded"
    TELL_NEEDS_REAUTH = "mailbox.needs_reauth"
    TELL_NEEDS_ATTENTION = "mailbox.needs_attention"


_S, _G, _E = State, Signal, Effect
_UP = (_E.RELEASE, _E.TELL_CONNECTED)
_RESTART = (_S.CONNECTING, (_E.PROBE_NOW,))
_PAUSE = (_S.PAUSED, (_E.HOLD, _E.PROBE_NEVER))
_ATTENTION = (_S.NEEDS_ATTENTION, (_E.HOLD, _E.PROBE_SLOWLY, _E.TELL_NEEDS_ATTENTION))
_SUSPECT = (_S.SUSPECTED, (_E.HOLD, _E.PROBE_CONFIRM))
_DOUBT = (_S.DOUBTED, (_E.HOLD, _E.PROBE_CONFIRM))
_FALTER = (_S.FALTERING, (_E.HOLD, _E.PROBE_BACKOFF))
_REAUTH = (_S.NEEDS_REAUTH, (_E.HOLD, _E.PROBE_NEVER, _E.TELL_NEEDS_REAUTH))

# Every (state, signal) stands here; what is missing is a programming error and raises.
TABLE: dict[tuple[State, Signal], tuple[State, tuple[Effect, ...]]] = {
    (_S.CONNECTING, _G.SIGNED_IN): (_S.CONNECTED, _UP),
    # People wait for the word that it is connected: a trouble on the way must not end in silence.
    (_S.CONNECTING, _G.FAILED): (_S.CONNECTING, (_E.HOLD, _E.PROBE_BACKOFF)),
    (_S.CONNECTING, _G.SIGN_IN_REFUSED): _DOUBT,
    (_S.CONNECTING, _G.SETTINGS_REFUSED): _ATTENTION,
    (_S.CONNECTING, _G.LASTED): (_S.DEGRADED, (_E.HOLD, _E.TELL_DEGRADED)),
    (_S.CONNECTING, _G.CHANGED): _RESTART,
    (_S.CONNECTING, _G.PAUSED): _PAUSE,
    (_S.CONNECTING, _G.RESUMED): (_S.CONNECTING, ()),
    (_S.CONNECTED, _G.SIGNED_IN): (_S.CONNECTED, ()),
    (_S.CONNECTED, _G.FAILED): _FALTER,
    (_S.CONNECTED, _G.SIGN_IN_REFUSED): _SUSPECT,
    (_S.CONNECTED, _G.SETTINGS_REFUSED): _ATTENTION,
    (_S.CONNECTED, _G.LASTED): (_S.CONNECTED, ()),
    (_S.CONNECTED, _G.CHANGED): _RESTART,
    (_S.CONNECTED, _G.PAUSED): _PAUSE,
    (_S.CONNECTED, _G.RESUMED): (_S.CONNECTED, ()),
    # A short trouble that nobody was told of ends without a word.
    (_S.FALTERING, _G.SIGNED_IN): (_S.CONNECTED, (_E.RELEASE,)),
    (_S.FALTERING, _G.FAILED): (_S.FALTERING, (_E.PROBE_BACKOFF,)),
    (_S.FALTERING, _G.SIGN_IN_REFUSED): _SUSPECT,
    (_S.FALTERING, _G.SETTINGS_REFUSED): _ATTENTION,
    (_S.FALTERING, _G.LASTED): (_S.DEGRADED, (_E.TELL_DEGRADED,)),
    (_S.FALTERING, _G.CHANGED): _RESTART,
    (_S.FALTERING, _G.PAUSED): _PAUSE,
    (_S.FALTERING, _G.RESUMED): (_S.FALTERING, ()),
    (_S.DEGRADED, _G.SIGNED_IN): (_S.CONNECTED, _UP),
    (_S.DEGRADED, _G.FAILED): (_S.DEGRADED, (_E.PROBE_BACKOFF,)),
    (_S.DEGRADED, _G.SIGN_IN_REFUSED): _DOUBT,
    (_S.DEGRADED, _G.SETTINGS_REFUSED): _ATTENTION,
    (_S.DEGRADED, _G.LASTED): (_S.DEGRADED, ()),
    (_S.DEGRADED, _G.CHANGED): _RESTART,
    (_S.DEGRADED, _G.PAUSED): _PAUSE,
    (_S.DEGRADED, _G.RESUMED): (_S.DEGRADED, ()),
    # An outage between two refusals does not clear the first: a third bad sign-in may lock the account.
    (_S.SUSPECTED, _G.SIGNED_IN): (_S.CONNECTED, (_E.RELEASE,)),
    (_S.SUSPECTED, _G.FAILED): (_S.SUSPECTED, (_E.PROBE_BACKOFF,)),
    (_S.SUSPECTED, _G.SIGN_IN_REFUSED): _REAUTH,
    (_S.SUSPECTED, _G.SETTINGS_REFUSED): _ATTENTION,
    (_S.SUSPECTED, _G.LASTED): (_S.DOUBTED, (_E.TELL_DEGRADED,)),
    (_S.SUSPECTED, _G.CHANGED): _RESTART,
    (_S.SUSPECTED, _G.PAUSED): _PAUSE,
    (_S.SUSPECTED, _G.RESUMED): (_S.SUSPECTED, ()),
    (_S.DOUBTED, _G.SIGNED_IN): (_S.CONNECTED, _UP),
    (_S.DOUBTED, _G.FAILED): (_S.DOUBTED, (_E.PROBE_BACKOFF,)),
    (_S.DOUBTED, _G.SIGN_IN_REFUSED): _REAUTH,
    (_S.DOUBTED, _G.SETTINGS_REFUSED): _ATTENTION,
    (_S.DOUBTED, _G.LASTED): (_S.DOUBTED, ()),
    (_S.DOUBTED, _G.CHANGED): _RESTART,
    (_S.DOUBTED, _G.PAUSED): _PAUSE,
    (_S.DOUBTED, _G.RESUMED): (_S.DOUBTED, ()),
    (_S.NEEDS_REAUTH, _G.SIGNED_IN): (_S.CONNECTED, _UP),
    (_S.NEEDS_REAUTH, _G.FAILED): (_S.NEEDS_REAUTH, (_E.PROBE_NEVER,)),
    (_S.NEEDS_REAUTH, _G.SIGN_IN_REFUSED): (_S.NEEDS_REAUTH, (_E.PROBE_NEVER,)),
    (_S.NEEDS_REAUTH, _G.SETTINGS_REFUSED): (_S.NEEDS_REAUTH, (_E.PROBE_NEVER,)),
    (_S.NEEDS_REAUTH, _G.LASTED): (_S.NEEDS_REAUTH, ()),
    (_S.NEEDS_REAUTH, _G.CHANGED): _RESTART,
    (_S.NEEDS_REAUTH, _G.PAUSED): _PAUSE,
    (_S.NEEDS_REAUTH, _G.RESUMED): (_S.NEEDS_REAUTH, ()),
    (_S.NEEDS_ATTENTION, _G.SIGNED_IN): (_S.CONNECTED, _UP),
    (_S.NEEDS_ATTENTION, _G.FAILED): (_S.NEEDS_ATTENTION, (_E.PROBE_SLOWLY,)),
    # It may have been refused before it needed attention, and it needs a person already: no second try.
    (_S.NEEDS_ATTENTION, _G.SIGN_IN_REFUSED): _REAUTH,
    (_S.NEEDS_ATTENTION, _G.SETTINGS_REFUSED): (_S.NEEDS_ATTENTION, (_E.PROBE_SLOWLY,)),
    (_S.NEEDS_ATTENTION, _G.LASTED): (_S.NEEDS_ATTENTION, ()),
    (_S.NEEDS_ATTENTION, _G.CHANGED): _RESTART,
    (_S.NEEDS_ATTENTION, _G.PAUSED): _PAUSE,
    (_S.NEEDS_ATTENTION, _G.RESUMED): (_S.NEEDS_ATTENTION, ()),
    (_S.PAUSED, _G.SIGNED_IN): (_S.PAUSED, ()),
    (_S.PAUSED, _G.FAILED): (_S.PAUSED, ()),
    (_S.PAUSED, _G.SIGN_IN_REFUSED): (_S.PAUSED, ()),
    (_S.PAUSED, _G.SETTINGS_REFUSED): (_S.PAUSED, ()),
    (_S.PAUSED, _G.LASTED): (_S.PAUSED, ()),
    (_S.PAUSED, _G.CHANGED): (_S.PAUSED, ()),
    (_S.PAUSED, _G.PAUSED): (_S.PAUSED, ()),
    (_S.PAUSED, _G.RESUMED): _RESTART,
}


UNTOLD = frozenset(state for state, signal in TABLE if signal is _G.LASTED and TABLE[state, signal][0] is not state)
"""States in which a trouble may last that people were not told of."""


def step(state: State, signal: Signal) -> tuple[State, tuple[Effect, ...]]:
    """The next state and what to do on the way."""
    return TABLE[state, signal]


_SIGNALS = {
    Action.RETRY: Signal.FAILED,
    Action.DEFER_MESSAGE: Signal.FAILED,
    Action.FAIL_MESSAGE: Signal.SETTINGS_REFUSED,
    Action.REAUTHENTICATE: Signal.SIGN_IN_REFUSED,
    Action.FIX_SETTINGS: Signal.SETTINGS_REFUSED,
}


def signal_of(diagnosis: Diagnosis) -> Signal:
    """What a failed connection means for the direction."""
    return _SIGNALS[diagnosis.action]


@dataclass(frozen=True, slots=True)
class Notices:
    """What people were told lately (core.flapping): when of a trouble; and, where it comes and goes, until when nothing
    is said unless it changes again."""

    troubles: tuple[datetime, ...] = ()
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """One direction's row. `failures` counts in a row; `next_probe_at` is when to try again, None for not by itself;
    `heard_at` is when the server last answered us."""

    mailbox_id: str
    direction: Direction
    state: State
    since: datetime
    diagnosis: Diagnosis | None = None
    failures: int = 0
    next_probe_at: datetime | None = None
    heard_at: datetime | None = None
    notices: Notices = Notices()

    @property
    def flapping(self) -> bool:
        """Whether it came and went so often that its changes are not told just now."""
        return self.notices.quiet_until is not None

    @property
    def usable(self) -> bool:
        return self.state is State.CONNECTED

    def as_dict(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "state": self.state.public,
            "since": self.since,
            "diagnosis": self.diagnosis.as_dict() if self.diagnosis else None,
            "next_probe_at": self.next_probe_at,
            "heard_at": self.heard_at,
            "flapping": self.flapping,
        }


INCIDENT_LASTS = timedelta(minutes=30)
"""In each state that people were told of. What is refused still may be each mailbox's own: one is asked, to see."""
ASKED_FOR = timedelta(hours=24)
"""How long the others wait for the one that was asked, before the next is."""


def is_common(alike: int, of_provider: int) -> bool:
    """Whether so many mailboxes of one provider fail alike at the same time that the fault is the provider's (or ours).

    `alike` mailboxes of `of_provider` connected there were refused with the same code within the last minutes: ten, or
    five where that is half of them. Two colleagues who change their passwords on one day are neither.
    """
    return alike >= 10 or (alike >= 5 and 2 * alike >= of_provider)


def has_lasted(health: Health, now: datetime) -> bool:
    """Whether an incident has lasted so long that it may be none: all passwords may have been changed."""
    return health.state in (State.DEGRADED, State.DOUBTED) and now - health.since >= INCIDENT_LASTS


def may_be_common(asked: int, working: int) -> bool:
    """Whether a refusal that has lasted is still the provider's.

    Where others at the same server have signed in since, the server is well, and the refusal is this mailbox's own.
    Else it is found out with one mailbox: only where nobody is `asked` to sign in again, this one is.
    """
    return asked > 0 and working == 0


GRACE = timedelta(minutes=10)
"""How long a passing failure lasts before people are told, unless set."""
