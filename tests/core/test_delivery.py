"""The table of a delivery, and what one try's answers make of its recipients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.delivery import (
    OPEN,
    TABLE,
    WAITING,
    Delivery,
    Effect,
    NotPossible,
    Recipient,
    RecipientState,
    Signal,
    State,
    first_warning,
    merge,
    outcome_of,
    sources,
    step,
    warning,
)
from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.mailbox import Direction
from postroom.core.retry import next_look

ENDS = {State.SENT, State.EXPIRED, State.CANCELLED}
EFFECT_OF = {
    State.SENT: Effect.TELL_SENT,
    State.FAILED: Effect.TELL_FAILED,
    State.DEFERRED: Effect.TELL_DEFERRED,
    State.EXPIRED: Effect.TELL_EXPIRED,
    State.HELD: Effect.TELL_HELD,
}


def test_what_is_sent_expired_or_cancelled_stays_so():
    assert {state for state, _ in TABLE} & ENDS == set()
    for state in ENDS:
        for signal in Signal:
            with pytest.raises(NotPossible) as refused:
                step(state, signal)
            assert state.value in str(refused.value)
            assert (refused.value.state, refused.value.signal) == (state, signal)


def test_a_failed_delivery_is_moved_by_a_person_only():
    assert {signal for state, signal in TABLE if state is State.FAILED} == {Signal.RETRIED}


def test_every_signal_and_every_state_is_used():
    assert {signal for _, signal in TABLE} == set(Signal)
    assert {after for after, _ in TABLE.values()} == set(State)


def test_whatever_waits_can_expire_and_be_cancelled():
    for state in WAITING | {State.UNCONFIRMED}:
        assert step(state, Signal.EXPIRED)[0] is State.EXPIRED
        assert step(state, Signal.CANCELLED)[0] is State.CANCELLED


def test_nothing_is_cancelled_expired_or_begun_twice_while_it_is_with_the_server():
    for signal in (Signal.CANCELLED, Signal.EXPIRED, Signal.BEGUN, Signal.TRIED, Signal.RETRIED, Signal.HOLD):
        with pytest.raises(NotPossible):
            step(State.SENDING, signal)


def test_a_message_goes_to_the_server_from_waiting_states_only():
    begun = {state for (state, _), (after, _) in TABLE.items() if after is State.SENDING}
    assert begun <= WAITING


def test_an_unconfirmed_message_is_sent_again_only_when_absent_or_a_person_says_so():
    leaving = {
        signal for (state, signal), (after, _) in TABLE.items() if state is State.UNCONFIRMED and after in WAITING
    }
    assert leaving == {Signal.ABSENT, Signal.RETRIED}


def test_each_outcome_is_told_once_and_by_its_name():
    for (before, _), (after, effects) in TABLE.items():
        told = [one for one in effects if one.value.startswith("delivery.")]
        if after in EFFECT_OF and after is not before:
            assert told == [EFFECT_OF[after]]
        assert len(told) <= 1


def test_every_open_state_leads_to_an_end():
    reach = set(ENDS) | {State.FAILED}
    for _ in State:
        reach |= {state for (state, _), (after, _) in TABLE.items() if after in reach}
    assert reach >= OPEN


def test_sources_are_the_states_a_signal_leads_out_of():
    assert sources(Signal.HOLD) == {State.QUEUED, State.DEFERRED}
    assert sources(Signal.RELEASE) == {State.HELD}
    assert all(step(state, signal) for signal in Signal for state in sources(signal))


@given(st.lists(st.sampled_from(Signal), max_size=40))
def test_no_path_sends_a_message_again_after_it_was_accepted(signals):
    state, accepted = State.QUEUED, False
    for signal in signals:
        try:
            state, _ = step(state, signal)
        except NotPossible:
            continue
        assert not (accepted and state is State.SENDING)
        accepted = accepted or signal in (Signal.ACCEPTED, Signal.FOUND, Signal.CONFIRMED, Signal.REPORTED)


def recipients(*states):
    return tuple(Recipient(f"{number}@x", state) for number, state in enumerate(states))


P, A, R = RecipientState.PENDING, RecipientState.ACCEPTED, RecipientState.REFUSED


@pytest.mark.parametrize(
    ("states", "signal"),
    [
        ((A,), Signal.ACCEPTED),
        ((A, A), Signal.ACCEPTED),
        ((R,), Signal.REFUSED),
        ((A, R), Signal.REFUSED),
        ((P,), Signal.PUT_OFF),
        ((A, P), Signal.PUT_OFF),
        ((R, P), Signal.PUT_OFF),
        ((A, R, P), Signal.PUT_OFF),
    ],
)
def test_what_the_answers_to_all_recipients_mean(states, signal):
    assert outcome_of(recipients(*states)) is signal


STATES = st.sampled_from(RecipientState)


@given(st.lists(STATES, min_size=1, max_size=6), st.dictionaries(st.integers(0, 8), STATES))
def test_merging_answers_keeps_who_and_in_which_order(before, answers):
    known = recipients(*before)
    answered = {f"{number}@x": Recipient(f"{number}@x", state, "250") for number, state in answers.items()}
    merged = merge(known, answered)
    assert [one.address for one in merged] == [one.address for one in known]
    for old, new in zip(known, merged, strict=True):
        assert new == answered.get(old.address, old)


def test_a_recipient_survives_being_written_down():
    why = Diagnosis(Direction.SMTP, "unknown_recipient", "m", "r", ("s",), Action.FAIL_MESSAGE, "rule", "550 no", 60)
    for one in (Recipient("a@x"), Recipient("a@x", R, "550 no", why)):
        assert Recipient.from_dict(one.as_dict()) == one


def test_people_are_warned_twice_counted_from_when_it_was_to_go_and_never_after_its_time():
    begin, hour = datetime(2026, 3, 1, tzinfo=UTC), timedelta(hours=1)
    assert first_warning(begin, None, begin + 72 * hour) == begin + 4 * hour
    assert first_warning(begin, begin + 10 * hour, begin + 72 * hour) == begin + 14 * hour
    assert first_warning(begin, None, begin + 4 * hour) is None
    one = delivery(begin, begin + 72 * hour)
    assert warning(one, begin + 4 * hour) == (4, begin + 24 * hour)
    assert warning(one, begin + 23 * hour) == (4, begin + 24 * hour)
    assert warning(one, begin + 24 * hour) == (24, None)
    assert warning(delivery(begin, begin + 20 * hour), begin + 4 * hour) == (4, None)


def delivery(accepted_at, expires_at):
    ids = ("dlv_1", "mbx_1", "msg_1", "1@x", "cnv_1")
    return Delivery(*ids, State.HELD, "me@x", (), 1, accepted_at, expires_at, accepted_at, accepted_at)


def test_a_message_whose_answer_was_cut_off_is_looked_for_more_and_more_seldom_until_patience_is_over():
    begin, patience = datetime(2026, 3, 1, tzinfo=UTC), timedelta(minutes=5)
    looks, now = [], begin
    while (now := next_look(begin, now, patience)) is not None:
        looks.append((now - begin).total_seconds())
    assert looks == [10, 30, 70, 150, 300]
