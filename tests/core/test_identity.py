"""Identifiers: their form, their order, and whose they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.core.identity import ENTROPY, OF_MAILBOX, Kind, identifier, mailbox_of

AT = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by timezones
BYTES = st.binary(min_size=ENTROPY, max_size=ENTROPY)
MAILBOX = identifier(Kind.MAILBOX, datetime(2026, 1, 1, tzinfo=UTC), bytes(range(ENTROPY)))


@given(st.sampled_from(Kind), AT, BYTES)
def test_an_identifier_is_its_prefix_and_letters_that_nobody_mixes_up(kind, at, entropy):
    value = identifier(kind, at, entropy, MAILBOX)
    prefix, _, rest = value.partition("_")
    assert prefix == kind.value
    assert rest.isascii()
    assert rest.isalnum()
    assert not set(rest) & set("ilou")
    assert rest == rest.lower()


@given(st.sampled_from(sorted(OF_MAILBOX)), AT, BYTES, BYTES)
def test_the_mailbox_can_be_read_from_what_belongs_to_it(kind, at, entropy, of_mailbox):
    mailbox = identifier(Kind.MAILBOX, at, of_mailbox)
    assert mailbox_of(identifier(kind, at, entropy, mailbox)) == mailbox


@given(AT, BYTES, BYTES, st.integers(1, 10**12))
def test_those_of_one_mailbox_sort_by_time(at, first, second, millis):
    later = at + timedelta(milliseconds=millis)
    assert identifier(Kind.MESSAGE, at, first, MAILBOX) < identifier(Kind.MESSAGE, later, second, MAILBOX)
    assert identifier(Kind.EVENT, at, first) < identifier(Kind.EVENT, later, second)


@given(st.sampled_from(Kind), AT, BYTES, BYTES)
def test_other_randomness_gives_another_identifier(kind, at, first, second):
    same = identifier(kind, at, first, MAILBOX) == identifier(kind, at, second, MAILBOX)
    used = slice(-8, None) if kind is Kind.MAILBOX else slice(None)
    assert same == (first[used] == second[used])


@pytest.mark.parametrize("kind", sorted(OF_MAILBOX))
def test_what_belongs_to_a_mailbox_needs_one(kind):
    with pytest.raises(ValueError, match="needs its mailbox"):
        identifier(kind, datetime(2026, 1, 1, tzinfo=UTC), bytes(ENTROPY))


@given(
    st.text(max_size=60)
    | st.sampled_from(["", "msg_", MAILBOX, "evt_" + "0" * 37, "msg_" + "u" * 37, "msg_" + "0" * 36])
)
def test_what_is_no_such_identifier_has_no_mailbox(value):
    found = mailbox_of(value)
    assert found is None or (value[:4] in ("msg_", "cnv_", "dlv_") and len(value) == 41)
