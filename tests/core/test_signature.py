"""A signature stands below what was written and above what is quoted, in text and in HTML."""

import pytest

from postroom.core.compose import Draft
from postroom.core.compose.signature import signed
from postroom.core.mailbox import Signature

BOTH = Signature("The Shop", "<b>The Shop</b>")


def draft(text="", html="", **more):
    return Draft("mbx_1", (), text=text, html=html, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello", "Hello\n\n-- \nThe Shop\n"),
        ("", "\n\n-- \nThe Shop\n"),
        (
            "Yes.\n\nOn Monday Anna wrote:\n> When?\n>\n> Anna\n",
            "Yes.\n\n-- \nThe Shop\n\nOn Monday Anna wrote:\n> When?\n>\n> Anna\n",
        ),
        ("> When?\n\nToday.", "> When?\n\nToday.\n\n-- \nThe Shop\n"),
    ],
)
def test_in_text_it_stands_above_the_quotation_at_the_end(text, expected):
    assert signed(draft(text), BOTH).text == expected


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<p>Hello</p>", ""),
        ("<html><body><p>Hello</p></body></html>", "</body>"),
        ('<p>Hello</p><div class="gmail_quote">On Monday<blockquote>x</blockquote></div>', '<div class="gmail_quote'),
        ("<p>Hello</p><blockquote>When?</blockquote>", "<blockquote>"),
    ],
)
def test_in_html_too(html, before):
    made = signed(draft(html=html), BOTH)
    assert made.html.count("<b>The Shop</b>") == 1
    assert made.html.index("Hello") < made.html.index("<b>The Shop</b>")
    if before:
        assert made.html.index("<b>The Shop</b>") < made.html.index(before)
    assert made.text == ""  # compose makes it of the HTML, with the signature


def test_the_one_that_is_missing_is_made_of_the_other_and_nothing_in_it_runs():
    made = signed(draft("Hello", "<p>Hello</p>"), Signature("A & B <c>\nsecond"))
    assert "A &amp; B &lt;c&gt;<br>\nsecond" in made.html
    assert signed(draft("Hello"), Signature("", "<p>The <b>Shop</b></p>")).text.endswith("-- \nThe Shop\n")


def test_a_message_may_go_without_it():
    plain = draft("Hello", signature=False)
    assert signed(plain, BOTH) == plain
    assert signed(draft("Hello"), None).text == "Hello"
