"""Delays of probes and of put-off messages. Times are arguments: nothing waits here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.health import TABLE, Effect
from postroom.core.retry import (
    CEILING,
    CONFIRM,
    FIRST,
    FIRST_DEFERRAL,
    LAST_DEFERRAL,
    SLOW,
    backoff,
    next_attempt,
    next_probe,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JITTER = st.floats(0, 1)
FAILURES = st.integers(0, 10**9)


@given(FAILURES, JITTER)
def test_a_delay_stays_between_three_quarters_of_the_first_and_the_ceiling(failures, jitter):
    wait = backoff(FIRST, CEILING, failures, jitter)
    assert FIRST * 0.75 <= wait <= CEILING


@given(st.integers(1, 60))
def test_delays_never_shrink_and_double_until_the_ceiling(failures):
    now, then = (backoff(FIRST, CEILING, one, 0.0) for one in (failures, failures + 1))
    assert then == min(now * 2, CEILING)


def test_the_first_delay_is_the_first():
    assert backoff(FIRST, CEILING, 0, 0) == backoff(FIRST, CEILING, 1, 0) == FIRST


@given(FAILURES, JITTER)
def test_a_server_that_comes_back_is_noticed_within_thirty_seconds(failures, jitter):
    assert next_probe((Effect.PROBE_BACKOFF,), failures, NOW, jitter) <= NOW + timedelta(seconds=25)


def test_each_kind_of_probe_has_its_time():
    assert next_probe((Effect.PROBE_NOW,), 5, NOW, 0.5) == NOW
    assert next_probe((Effect.HOLD, Effect.PROBE_CONFIRM), 5, NOW, 0.5) == NOW + CONFIRM
    assert next_probe((Effect.PROBE_CONFIRM,), 5, NOW, 0.5, confirm=timedelta(seconds=1)) == NOW + timedelta(seconds=1)
    assert next_probe((Effect.PROBE_SLOWLY,), 5, NOW, 0.0) == NOW + SLOW
    assert next_probe((Effect.PROBE_NEVER,), 5, NOW, 0.0) is None
    assert next_probe((), 5, NOW, 0.0) is None


@pytest.mark.parametrize("effects", sorted({effects for _, effects in TABLE.values()}), ids=str)
def test_every_set_of_effects_of_the_table_has_a_time_or_none(effects):
    found = next_probe(effects, 3, NOW, 0.5, 90)
    tries = {Effect.PROBE_NOW, Effect.PROBE_CONFIRM, Effect.PROBE_SLOWLY, Effect.PROBE_BACKOFF} & set(effects)
    assert (found is not None) == bool(tries)


@given(st.integers(0, 100_000))
def test_the_providers_own_delay_is_waited_for_and_never_shortens_ours(retry_after):
    own = next_probe((Effect.PROBE_BACKOFF,), 3, NOW, 0.5)
    assert next_probe((Effect.PROBE_BACKOFF,), 3, NOW, 0.5, retry_after) == max(
        own, NOW + timedelta(seconds=retry_after)
    )
    later = next_attempt(1, NOW, 0.5, retry_after)
    assert later == max(next_attempt(1, NOW, 0.5), NOW + timedelta(seconds=retry_after))


@given(FAILURES, JITTER)
def test_a_put_off_message_is_tried_again_between_minutes_and_hours_later(attempts, jitter):
    wait = next_attempt(attempts, NOW, jitter) - NOW
    assert FIRST_DEFERRAL * 0.75 <= wait <= LAST_DEFERRAL
