"""What a look at a folder means for what we have read of it, and how fetches are cut into batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.cursor import (
    Change,
    Cursor,
    Gap,
    Order,
    Outcome,
    Reconciled,
    Selected,
    Sized,
    Spent,
    batches,
    compare,
    older,
    unchanged,
)
from postroom.core.uids import Uids


def cursor(last_uid=10, uid_validity=1):
    return Cursor("mbx_1", "INBOX", uid_validity, last_uid)


def selected(uid_next=11, uid_validity=1):
    return Selected("INBOX", uid_validity, uid_next, exists=10)


def test_a_folder_never_read_is_first():
    assert compare(None, selected()) is Change.FIRST


def test_another_uidvalidity_voids_all_we_know_whatever_uidnext_says():
    assert compare(cursor(), selected(11, 2)) is Change.RESET
    assert compare(cursor(), selected(None, 2)) is Change.RESET


@pytest.mark.parametrize(("uid_next", "change"), [(11, Change.NONE), (12, Change.NEW), (None, Change.NEW)])
def test_uids_beyond_the_cursor_are_new_and_an_old_server_that_does_not_say_is_asked(uid_next, change):
    assert compare(cursor(), selected(uid_next)) is change


def test_an_empty_folder_has_nothing_new():
    assert compare(cursor(0), selected(1)) is Change.NONE


def test_a_uidnext_that_went_back_is_not_called_nothing_new():
    # A server restored from a backup without a new UIDVALIDITY: what arrives now gets UIDs that we think we know.
    assert compare(cursor(10), selected(5)) is not Change.NONE


NOON = datetime(2026, 7, 6, 12, tzinfo=UTC)
OLDEST, NEWEST = Order.OLDEST, Order.NEWEST


def test_what_came_while_we_were_away_is_a_gap_read_from_its_oldest_and_before_what_was_there_first():
    first = Cursor("mbx_1", "INBOX", 1, 100, gaps=(Gap(1, 40, NEWEST),))
    away = first.up_to(150, OLDEST)
    assert (away.last_uid, set(away.gaps)) == (150, {Gap(1, 40, NEWEST), Gap(101, 150, OLDEST)})
    assert away.next_gap == Gap(101, 150, OLDEST)
    assert away.up_to(160, OLDEST).next_gap == Gap(101, 160, OLDEST)
    assert away.up_to(120, OLDEST) == away


@pytest.mark.parametrize(
    ("first", "last", "last_uid", "gaps"),
    [
        (31, 40, 40, ((1, 30),)),  # from above, as a first reading goes
        (1, 10, 40, ((11, 40),)),  # from below, as a catch-up goes
        (11, 20, 40, ((1, 10), (21, 40))),
        (41, 41, 41, ((1, 40),)),  # what came new
        (1, 41, 41, ()),
        (39, 45, 45, ((1, 38),)),
        (5, 4, 40, ((1, 40),)),
    ],
)
def test_what_is_accounted_for_is_in_no_gap_any_more(first, last, last_uid, gaps):
    after = Cursor("mbx_1", "INBOX", 1, 40, gaps=(Gap(1, 40, NEWEST),)).accounted(first, last)
    assert after.last_uid == last_uid
    assert after.gaps == tuple(Gap(*ends, NEWEST) for ends in gaps)


def test_nothing_is_passed_over_in_silence():
    with pytest.raises(ValueError, match="passed over"):
        cursor(10).accounted(12, 13)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.integers(0, 20)), max_size=30))
def test_whatever_happens_a_uid_is_accounted_for_or_lies_in_a_gap(steps):
    """The books of a cursor: what was never accounted for is pending, and what was is not, until it is asked again."""
    now, accounted = Cursor("mbx_1", "INBOX", 1, 0), set()
    for is_news, at, length in steps:
        if is_news:
            now = now.up_to(now.last_uid + length, OLDEST if at % 2 else NEWEST)
        else:
            first = min(at, now.last_uid + 1)
            now = now.accounted(first, first + length)
            accounted |= set(range(first, first + length + 1))
        assert set(now.pending) == set(range(1, now.last_uid + 1)) - accounted
    again = Uids.of(range(1, now.last_uid + 1, 3))
    assert again - now.without(again).pending == Uids()


def test_many_holes_are_one_gap_and_few_stay_apart():
    known = cursor(1000)
    assert known.without(Uids.of([3, 7])).gaps == (Gap(3, 3, OLDEST), Gap(7, 7, OLDEST))
    assert known.without(Uids.of(range(2, 1000, 2))).gaps == (Gap(2, 998, OLDEST),)
    assert known.without(Uids()) == known


def test_old_mail_is_a_row_for_each_run_between_what_is_read():
    there = Uids.between(1, 500_000) - Uids.of([77])
    wanted = Uids.between(499_001, 500_000) | Uids.of([300])
    rows = older(NOON, 30, there, wanted)
    assert [(one.first, one.last, one.messages) for one in rows] == [(1, 299, 298), (301, 499_000, 498_700)]
    assert {one.outcome for one in rows} == {Outcome.SKIPPED}
    assert rows[0].reason == "older than 30 days when the mailbox was connected (2026-07-06)"
    assert older(NOON, 1, there, there) == []


@given(st.frozensets(st.integers(1, 60)), st.frozensets(st.integers(1, 60)))
def test_every_uid_that_was_there_is_wanted_or_in_one_row(there, wanted):
    rows = older(NOON, 30, Uids.of(there), Uids.of(wanted & there))
    covered = [uid for row in rows for uid in range(row.first, row.last + 1)]
    assert len(covered) == len(set(covered))
    assert set(covered) & there == there - wanted
    assert sum(row.messages for row in rows) == len(there - wanted)
    assert len(rows) <= len(wanted & there) + 1


def test_an_unchanged_modseq_says_that_nothing_changed_where_all_was_there():
    whole = replace(cursor(), highest_modseq=7, reconciled=Reconciled(NOON, 10, 10))
    shown = replace(selected(), highest_modseq=7)
    assert unchanged(whole, shown)
    assert not unchanged(whole, replace(shown, highest_modseq=8))
    assert not unchanged(whole, replace(shown, highest_modseq=None))
    assert not unchanged(whole, replace(shown, exists=11))
    assert not unchanged(replace(whole, reconciled=Reconciled(NOON, 10, 9)), shown)
    assert not unchanged(replace(whole, gaps=(Gap(1, 2, OLDEST),)), shown)
    assert not unchanged(cursor(), shown)


def test_a_day_s_bytes_are_forgotten_when_the_day_is_over():
    spent = Spent().more(60, NOON).more(30, NOON + timedelta(hours=23))
    assert spent == Spent(NOON, 90)
    assert spent.left(91, NOON + timedelta(hours=23))
    assert not spent.left(90, NOON + timedelta(hours=23))
    assert spent.left(90, NOON + timedelta(hours=24))
    assert spent.left(90, NOON - timedelta(hours=1))  # a clock that was set back holds nobody up
    assert Spent().left(None, NOON)


def test_the_time_left_follows_from_the_speed():
    assert replace(cursor(), total=1000, done=400, per_minute=1200).seconds_left == 30
    assert replace(cursor(), total=1000, done=0, per_minute=0).seconds_left is None
    assert cursor().seconds_left is None


SIZES = st.lists(st.integers(0, 100), max_size=60)


@given(SIZES, st.integers(1, 10), st.integers(1, 200))
def test_batches_keep_everything_in_order_and_within_bounds(weights, most, most_bytes):
    sizes = [Sized(uid, size) for uid, size in enumerate(weights, 1)]
    runs = batches(sizes, most=most, most_bytes=most_bytes)
    assert [one for run in runs for one in run] == sizes
    for run in runs:
        assert 1 <= len(run) <= most
        assert len(run) == 1 or sum(one.size for one in run) <= most_bytes


@given(SIZES, st.integers(1, 10), st.integers(1, 200))
def test_a_batch_ends_only_where_the_next_message_would_not_fit(weights, most, most_bytes):
    runs = batches([Sized(uid, size) for uid, size in enumerate(weights, 1)], most=most, most_bytes=most_bytes)
    for run, following in pairwise(runs):
        assert len(run) == most or sum(one.size for one in run) + following[0].size > most_bytes


def test_a_giant_goes_alone():
    assert [len(run) for run in batches([Sized(1, 1), Sized(2, 10**9), Sized(3, 1)])] == [1, 1, 1]
