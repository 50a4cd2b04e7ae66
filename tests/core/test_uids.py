"""Sets of UIDs do what sets do, however the runs lie."""

from hypothesis import given
from hypothesis import strategies as st

from postroom.core.uids import Uids

SETS = st.frozensets(st.integers(1, 40), max_size=30)


@given(SETS, SETS)
def test_they_join_and_part_as_sets_do(one, other):
    ones, others = Uids.of(one), Uids.of(other)
    assert set(ones | others) == one | other
    assert set(ones - others) == one - other
    assert set(ones & others) == one & other


@given(SETS, SETS)
def test_runs_never_touch_so_that_equal_sets_are_equal(one, other):
    made = Uids.of(one) | Uids.of(other)
    assert made == Uids.of(one | other)
    assert all(first[1] + 1 < second[0] for first, second in zip(made.runs, made.runs[1:], strict=False))


@given(SETS, st.integers(0, 41))
def test_what_is_in_it_is_known(one, uid):
    assert (uid in Uids.of(one)) == (uid in one)


@given(SETS, st.integers(0, 40))
def test_its_ends_are_cut_off_by_count(one, count):
    uids, ascending = Uids.of(one), sorted(one)
    assert len(uids) == len(one)
    assert list(uids.lowermost(count)) == ascending[:count]
    assert list(uids.uppermost(count)) == ascending[len(ascending) - min(count, len(ascending)) :]
    assert list(reversed(uids)) == ascending[::-1]
    assert (uids.lowest, uids.highest) == (min(one, default=0), max(one, default=0))


def test_half_a_million_uids_are_one_run():
    every = Uids.between(1, 2**32 - 1) - Uids.of([7])
    assert every.runs == ((1, 6), (8, 2**32 - 1))
    assert len(every) == 2**32 - 2
    assert not Uids.between(5, 4)
