"""A direction that comes and goes: what people are told of it, whatever it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from postroom.core.flapping import CALM, MOST, WINDOW, damped
from postroom.core.health import Effect, Notices, Signal, State, step

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TELLS = {one for one in Effect if one.value.startswith("mailbox.")}
UP, BROKEN, OUT = Signal.SIGNED_IN, Signal.SETTINGS_REFUSED, Signal.FAILED


class Direction:
    """Steps of the table with what is told, as recover makes them; its time looks are those of rescue."""

    def __init__(self, state=State.CONNECTED):
        self.state, self.notices, self.now, self.told = state, Notices(), NOON, []

    def __call__(self, signal, minutes=1):
        self.now += timedelta(minutes=minutes)
        self.state, effects = step(self.state, signal)
        self.notices, effects = damped(self.notices, self.state, signal, effects, self.now)
        self.told += [one for one in effects if one in TELLS]

    def rests(self, minutes):
        self.now += timedelta(minutes=minutes)
        if self.notices.quiet_until and self.notices.quiet_until <= self.now:
            self(Signal.LASTED, 0)


def test_what_comes_and_goes_is_told_three_times_within_an_hour_and_then_no_more():
    direction = Direction()
    for _ in range(40):
        direction(BROKEN)
        direction(UP)
    assert direction.told.count(Effect.TELL_NEEDS_ATTENTION) == MOST
    # The last word was the trouble, and that it comes and goes.
    assert direction.told.count(Effect.TELL_CONNECTED) == MOST - 1


def test_it_is_told_how_it_stands_when_nothing_has_changed_for_half_an_hour():
    for last, told in ((UP, Effect.TELL_CONNECTED), (BROKEN, Effect.TELL_NEEDS_ATTENTION)):
        direction = Direction()
        for _ in range(5):
            direction(BROKEN)
            direction(UP)
        if last is BROKEN:
            direction(BROKEN)
        before = len(direction.told)
        direction.rests(CALM / timedelta(minutes=1) - 1)
        assert direction.told[before:] == []
        direction.rests(1)
        assert direction.told[before:] == [told]
        assert direction.notices == Notices()


def test_troubles_that_are_far_apart_are_each_told():
    direction = Direction()
    for _ in range(10):
        direction(BROKEN, minutes=WINDOW / timedelta(minutes=2))
        direction(UP)
    assert direction.told.count(Effect.TELL_NEEDS_ATTENTION) == 10
    assert direction.told.count(Effect.TELL_CONNECTED) == 10


def test_outages_that_lasted_long_enough_to_be_told_are_damped_too():
    direction = Direction()
    for _ in range(10):
        direction(OUT)
        direction(Signal.LASTED, minutes=10)
        direction(UP)
    assert direction.told.count(Effect.TELL_DEGRADED) == MOST


def test_short_outages_that_nobody_is_told_of_do_not_keep_it_from_being_told_how_it_stands():
    direction = Direction()
    for _ in range(5):
        direction(BROKEN)
        direction(UP)
    before = len(direction.told)
    for _ in range(4):
        direction(OUT, minutes=9)
        direction(UP)
        direction.rests(0)
    assert direction.told[before:] == [Effect.TELL_CONNECTED]


def test_a_sign_in_that_a_person_must_mend_is_told_at_once_and_so_is_its_end():
    direction = Direction()
    for _ in range(5):
        direction(BROKEN)
        direction(UP)
    before = len(direction.told)
    for signal in (Signal.SIGN_IN_REFUSED, Signal.SIGN_IN_REFUSED, Signal.CHANGED, UP):
        direction(signal)
    assert direction.told[before:] == [Effect.TELL_NEEDS_REAUTH, Effect.TELL_CONNECTED]


@given(st.lists(st.tuples(st.sampled_from(Signal), st.integers(0, 90)), max_size=60))
def test_whatever_happens_it_ends_in_a_true_word(path):
    """Once nothing changes any more, the last word is how it stands, wherever the table tells of it at all."""
    direction, plain = Direction(State.CONNECTING), []
    state = State.CONNECTING
    for signal, minutes in path:
        direction(signal, minutes)
        direction.rests(0)
        state, effects = step(state, signal)
        plain += [one for one in effects if one in TELLS]
    direction(Signal.LASTED, 0)
    direction.rests(CALM / timedelta(minutes=1))
    _, effects = step(state, Signal.LASTED)
    plain += [one for one in effects if one in TELLS]
    assert direction.told[-1:] == plain[-1:]
