"""Whom an answer goes to, and its subject."""

from __future__ import annotations

import pytest

from postroom.core.compose import reply_recipients, reply_subject
from postroom.core.message import Address
from postroom.core.parse import parse

OWN = "support@shop.example"


def answer(*lines):
    found = reply_recipients(parse("\r\n".join([*lines, "", "x"]).encode()), OWN)
    return [one.email for one in found.to], [one.email for one in found.cc]


def test_an_answer_goes_to_the_sender_and_copies_to_the_others():
    assert answer("From: a@x", f"To: {OWN}, b@x", "Cc: C@x, c@x, a@x") == (["a@x"], ["b@x", "C@x"])


def test_reply_to_comes_before_from():
    assert answer("From: a@x", "Reply-To: r@x, s@x", f"To: {OWN}") == (["r@x", "s@x"], [])


def test_it_never_goes_to_ourselves_in_any_case_of_letters():
    assert answer("From: a@x", "Reply-To: Support@Shop.Example", "To: SUPPORT@shop.example") == (["a@x"], [])


def test_an_answer_to_our_own_message_goes_on_to_its_recipients():
    assert answer(f"From: {OWN}", "To: a@x, b@x", "Cc: c@x") == (["a@x", "b@x"], ["c@x"])
    assert answer(f"From: {OWN}", "Cc: c@x") == (["c@x"], [])


def test_where_nobody_else_is_left_it_is_ourselves():
    assert answer(f"From: {OWN}", f"To: {OWN}") == ([OWN], [])
    assert answer("Subject: no addresses at all") == ([OWN], [])


def test_a_list_named_in_reply_to_keeps_the_author_out_but_the_others_in():
    assert answer("From: a@x", "Reply-To: list@x", "To: list@x, b@x") == (["list@x"], ["b@x"])


def test_names_are_kept():
    found = reply_recipients(parse(b'From: "Doe, John" <a@x>\r\n\r\nx'), OWN)
    assert found.to == (Address("a@x", "Doe, John"),)


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Hello", "Re: Hello"),
        ("Re: Hello", "Re: Hello"),
        ("RE:Hello", "RE:Hello"),
        ("AW: Hallo", "AW: Hallo"),
        ("Re[2]: Hello", "Re[2]: Hello"),
        ("回复：你好", "回复：你好"),
        ("Return: of goods", "Re: Return: of goods"),
        ("Regarding: x", "Re: Regarding: x"),
        ("Fwd: Hello", "Re: Fwd: Hello"),
        ("", "Re:"),
    ],
)
def test_a_subject_gets_one_re(subject, reply):
    assert reply_subject(subject) == reply
    assert reply_subject(reply) == reply
