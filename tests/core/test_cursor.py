"""What a look at a folder means for what we have read of it, and how fetches are cut into batches."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.cursor import Change, Cursor, Selected, Sized, batches, compare


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
