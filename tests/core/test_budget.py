"""Budgets: what fits into a day that rolls on, how fast a minute's worth may begin."""

from datetime import UTC, datetime, timedelta

from postroom.core.budget import BUCKET, DAY, Budget, Day, Pace, Spent, bucket, clears_at

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PEOPLE = Budget(recipients_a_day=100)


def at(hours: float, messages: int, recipients: int) -> Spent:
    """Spent so many hours before noon."""
    return Spent(NOON - timedelta(hours=hours), messages, recipients)


def test_a_piece_of_ten_minutes_begins_on_the_ten_minutes():
    assert bucket(NOON + timedelta(minutes=9, seconds=59)) == NOON
    assert bucket(NOON + timedelta(minutes=10)) == NOON + timedelta(minutes=10)


def test_what_fits_may_go_at_once_and_what_does_not_waits_for_the_oldest_to_be_a_day_old():
    spent = [at(20, 1, 60), at(3, 1, 40)]
    assert clears_at(PEOPLE, [], 1, NOON) is None
    assert clears_at(PEOPLE, spent[:1], 40, NOON) is None
    assert clears_at(PEOPLE, spent, 1, NOON) == spent[0].at + BUCKET + DAY
    assert clears_at(PEOPLE, spent, 61, NOON) == spent[1].at + BUCKET + DAY


def test_what_is_older_than_a_day_counts_no_more():
    assert clears_at(PEOPLE, [at(24.2, 1, 100)], 100, NOON) is None
    assert clears_at(PEOPLE, [at(24.1, 1, 100)], 1, NOON) is not None  # its last minute is not a day old yet


def test_messages_and_recipients_are_both_kept_to():
    both = Budget(messages_a_day=2, recipients_a_day=100)
    assert clears_at(both, [at(5, 2, 2)], 1, NOON) is not None
    assert clears_at(both, [at(5, 1, 99)], 2, NOON) is not None
    assert clears_at(both, [at(5, 1, 99)], 1, NOON) is None


def test_a_message_to_more_than_a_whole_day_allows_goes_when_nothing_else_was_sent():
    assert clears_at(PEOPLE, [], 500, NOON) is None
    assert clears_at(PEOPLE, [at(1, 1, 1)], 500, NOON) == at(1, 1, 1).at + BUCKET + DAY


def test_what_is_begun_is_spent_before_the_store_has_counted_it():
    day = Day(PEOPLE, [at(1, 1, 99)])
    assert day.clears_at(1, NOON) is None
    day.spend(1, NOON)
    assert day.clears_at(1, NOON) is not None
    assert day.clears_at(1, NOON + DAY + BUCKET) is None


def test_a_few_go_at_once_and_many_no_faster_than_the_budget():
    pace = Pace(3)
    for second in range(3):
        now = NOON + timedelta(seconds=second)
        assert pace.next_at(now) == now
        pace.began(now)
    now = NOON + timedelta(seconds=10)
    assert pace.next_at(now) == NOON + timedelta(minutes=1)
    pace.began(NOON + timedelta(minutes=1))
    assert pace.next_at(NOON + timedelta(minutes=1)) == NOON + timedelta(minutes=1, seconds=1)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer_than_a_minute():
    pace = Pace(1)
    pace.began(NOON)
    earlier = NOON - timedelta(days=3)
    assert pace.next_at(earlier) == earlier + timedelta(minutes=1)
