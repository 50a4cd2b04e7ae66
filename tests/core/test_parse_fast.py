"""The short way that most mail takes through headers and addresses says what the long way says."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from postroom.core.parse import headers
from postroom.core.parse.addresses import addresses

PRINTABLE = st.text(string.ascii_letters + string.digits + ' \t:;=?<>@"(),.-+_\\', max_size=40)
LINES = st.lists(st.tuples(st.sampled_from(["Subject:", "From: ", "X-A :", " ", "\t", "", "no field "]), PRINTABLE))
NAMES = ("subject", "from", "x-a")


@given(LINES, st.sampled_from(["\r\n", "\n"]))
def test_fields_of_plain_headers_are_those_that_the_general_reader_finds(lines, end):
    section = end.join(start + rest for start, rest in lines).encode()
    plain, general = headers.read(section), headers.read(section + b"\nX-Escape: \x1b")
    assert [plain.all(name) for name in NAMES] == [general.all(name) for name in NAMES]


WORD = st.text("ab9_.+-", min_size=1, max_size=8)
NAME = st.lists(WORD, max_size=3).map(" ".join)


@given(NAME, WORD, WORD, st.sampled_from(['"{}" <{}@{}>', "{} <{}@{}>", "{}<{}@{}>", "{}{}@{}", "{} <{}@{}> "]))
def test_a_plain_address_is_read_as_the_general_reader_reads_it(name, local, domain, shape):
    value = shape.format(name, local, domain)
    assert addresses(value) == addresses(", " + value)
