"""`kill -9` at random moments while sending: nothing is lost, and what may be there already is left to a person.

A sample of what `python -m tests.walks.kills --kills 200` does; the seed is printed where it fails.
"""

import random
import sys

import pytest

from postroom.core.mailbox import UnconfirmedPolicy
from tests.walks.kills import kill_many


@pytest.fixture
def seed():
    chosen = random.randrange(10**6)
    sys.stdout.write(f"seed {chosen}\n")
    return chosen


@pytest.mark.timeout(240)
async def test_whoever_is_killed_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path, dovecot, seed):
    outcome = await kill_many(tmp_path, dovecot, kills=12, seed=seed, policy=UnconfirmedPolicy.ASK)
    assert (outcome.kills, outcome.lost, outcome.repeated) == (12, 0, 0), outcome


@pytest.mark.timeout(240)
async def test_two_workers_that_are_killed_in_turn_lose_nothing_and_repeat_nothing(
    tmp_path, dovecot, postgresql_url, seed
):
    outcome = await kill_many(
        tmp_path,
        dovecot,
        kills=3,
        seed=seed,
        policy=UnconfirmedPolicy.ASK,
        database=postgresql_url,
        workers=2,
        ttl=1.0,
        fill=30,
    )
    assert (outcome.kills, outcome.lost, outcome.repeated) == (3, 0, 0), outcome
