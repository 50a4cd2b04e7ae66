"""The table of a direction's health: that it is whole, and what must hold on any path through it."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.health import TABLE, Effect, Health, Signal, State, is_common, signal_of, step
from postroom.core.mailbox import Direction

SIGNALS = st.lists(st.sampled_from(Signal), max_size=40)
PERSON = {Signal.CHANGED, Signal.RESUMED, Signal.PAUSED}
PROBES = {one for one in Effect if one.name.startswith("PROBE_")}
TOLD = {
    Effect.TELL_CONNECTED: "connected",
    Effect.TELL_DEGRADED: "degraded",
    Effect.TELL_NEEDS_REAUTH: "needs_reauth",
    Effect.TELL_NEEDS_ATTENTION: "needs_attention",
}


def walk(signals, state=State.CONNECTING):
    """Each step of a path: state before, signal, state after, effects."""
    for signal in signals:
        after, effects = step(state, signal)
        yield state, signal, after, effects
        state = after


def test_every_state_and_signal_stands_in_the_table_and_nothing_else():
    assert set(TABLE) == set(product(State, Signal))


def test_every_state_is_reached_from_a_new_mailbox():
    seen, waiting = {State.CONNECTING}, deque([State.CONNECTING])
    while waiting:
        state = waiting.popleft()
        for signal in Signal:
            after, _ = step(state, signal)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    assert seen == set(State)


def test_people_see_the_six_states_of_the_contract():
    assert {one.public for one in State} == {
        "connecting", "connected", "degraded", "needs_reauth", "needs_attention", "paused"
    }  # fmt: skip


def test_no_step_asks_for_two_kinds_of_probe_or_both_holds_and_releases():
    for _, effects in TABLE.values():
        assert len(PROBES & set(effects)) <= 1
        assert not {Effect.HOLD, Effect.RELEASE} <= set(effects)


def test_what_is_told_is_what_people_then_see():
    for after, effects in TABLE.values():
        told = [TOLD[one] for one in effects if one in TOLD]
        assert told in ([], [after.public])


@given(SIGNALS)
def test_deliveries_are_held_in_every_failed_state_and_released_when_connected(signals):
    held = False
    for _, _, after, effects in walk(signals):
        if Effect.HOLD in effects:
            held = True
        if Effect.RELEASE in effects:
            held = False
        if after is State.CONNECTED:
            assert not held
        elif after is not State.CONNECTING:  # a moment, in which nothing is begun either
            assert held


@given(SIGNALS)
def test_leaving_connected_holds_except_where_a_person_restarts_it(signals):
    for before, signal, after, effects in walk(signals):
        if before is State.CONNECTED and after is not State.CONNECTED and signal is not Signal.CHANGED:
            assert Effect.HOLD in effects


@given(SIGNALS)
def test_needs_reauth_ends_only_by_a_person_or_by_a_sign_in_that_worked(signals):
    for before, signal, after, effects in walk(signals):
        if before is State.NEEDS_REAUTH and after is not State.NEEDS_REAUTH:
            assert signal in PERSON | {Signal.SIGNED_IN}
        if after is State.NEEDS_REAUTH and before is not State.NEEDS_REAUTH:
            assert Effect.TELL_NEEDS_REAUTH in effects
        if after is State.NEEDS_REAUTH:
            assert not (PROBES - {Effect.PROBE_NEVER}) & set(effects)


@given(SIGNALS)
def test_paused_ends_only_when_a_person_resumes_it(signals):
    for before, signal, after, effects in walk(signals):
        if before is State.PAUSED and after is not State.PAUSED:
            assert signal is Signal.RESUMED
            assert Effect.PROBE_NOW in effects
        if before is State.PAUSED and signal is not Signal.RESUMED:
            assert effects == ()


def refusals(signals):
    """The longest run of refused sign-ins that the engine tried, with neither a success nor a person between them.

    A direction that is probed only when a person acts is not tried by the engine: a person tried what is refused there.
    """
    longest = run = 0
    for before, signal, _, _ in walk(signals):
        if signal in PERSON or signal is Signal.SIGNED_IN:
            run = 0
        if signal is Signal.SIGN_IN_REFUSED and before not in (State.NEEDS_REAUTH, State.PAUSED):
            run += 1
            longest = max(longest, run)
    return longest


NO_SETTINGS = st.lists(st.sampled_from([one for one in Signal if one is not Signal.SETTINGS_REFUSED]), max_size=60)


@given(NO_SETTINGS)
def test_there_are_never_more_than_two_refused_sign_ins_without_a_person(signals):
    assert refusals(signals) <= 2


def test_refused_settings_between_them_do_not_allow_a_third_refused_sign_in():
    refused, settings = Signal.SIGN_IN_REFUSED, Signal.SETTINGS_REFUSED
    assert refusals([refused, settings, refused, settings, refused]) <= 2


@pytest.mark.parametrize("state", [one for one in State if one not in (State.NEEDS_REAUTH, State.PAUSED)])
def test_a_passing_failure_is_tried_again_by_itself(state):
    _, effects = step(state, Signal.FAILED)
    assert {Effect.PROBE_BACKOFF, Effect.PROBE_SLOWLY} & set(effects)


@pytest.mark.parametrize("state", [one for one in State if one is not State.PAUSED])
def test_a_person_who_changes_something_gets_an_answer_now(state):
    assert step(state, Signal.CHANGED) == (State.CONNECTING, (Effect.PROBE_NOW,))


def test_a_short_trouble_is_told_to_nobody_and_a_long_one_once():
    short = [Signal.SIGNED_IN, Signal.FAILED, Signal.FAILED, Signal.SIGNED_IN]
    assert told(short) == [Effect.TELL_CONNECTED]
    lasting = [Signal.SIGNED_IN, Signal.FAILED, Signal.LASTED, Signal.LASTED, Signal.FAILED, Signal.SIGNED_IN]
    assert told(lasting) == [Effect.TELL_CONNECTED, Effect.TELL_DEGRADED, Effect.TELL_CONNECTED]
    doubt = [Signal.SIGNED_IN, Signal.SIGN_IN_REFUSED, Signal.FAILED, Signal.LASTED, Signal.LASTED]
    assert told(doubt) == [Effect.TELL_CONNECTED, Effect.TELL_DEGRADED]


@pytest.mark.parametrize("trouble", [Signal.FAILED, Signal.SIGN_IN_REFUSED])
def test_a_direction_that_flaps_twenty_times_is_announced_once(trouble):
    assert told([Signal.SIGNED_IN, *[trouble, Signal.SIGNED_IN] * 20]) == [Effect.TELL_CONNECTED]


def told(signals):
    return [effect for *_, effects in walk(signals) for effect in effects if effect in TOLD]


def test_people_who_were_told_of_a_trouble_are_told_of_its_end():
    mended = [
        Signal.SIGNED_IN,
        Signal.SIGN_IN_REFUSED,
        Signal.SIGN_IN_REFUSED,
        Signal.CHANGED,
        Signal.FAILED,  # one hiccup right after the new password
        Signal.SIGNED_IN,
    ]
    assert told(mended)[-1] is Effect.TELL_CONNECTED


def test_one_trouble_is_told_once_though_a_refused_sign_in_comes_into_it():
    trouble = [Signal.SIGNED_IN, Signal.FAILED, Signal.LASTED, Signal.SIGN_IN_REFUSED, Signal.FAILED, Signal.LASTED]
    assert told(trouble).count(Effect.TELL_DEGRADED) == 1


@pytest.mark.parametrize("action", Action)
def test_every_action_of_a_diagnosis_is_a_signal(action):
    found = signal_of(Diagnosis(Direction.IMAP, "x", "m", "r", (), action, "rule"))
    assert found in {Signal.FAILED, Signal.SIGN_IN_REFUSED, Signal.SETTINGS_REFUSED}
    assert (found is Signal.SIGN_IN_REFUSED) == (action is Action.REAUTHENTICATE)


def test_only_connected_is_usable():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    usable = {one for one in State if Health("mbx_1", Direction.SMTP, one, now).usable}
    assert usable == {State.CONNECTED}


@pytest.mark.parametrize(
    ("alike", "of_provider", "common"),
    [
        (1, 1, False),
        (4, 4, False),
        (10, 10, True),
        (9, 500, False),
        (10, 500, True),
        (5, 5, True),
        (5, 10, True),
        (5, 11, False),
        (0, 0, False),
    ],
)
def test_a_failure_is_common_when_ten_have_it_or_five_that_are_half(alike, of_provider, common):
    assert is_common(alike, of_provider) is common
