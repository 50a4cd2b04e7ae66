"""Limits told at acceptance: the field, the limit, whose it is, the mend."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from postroom.core import limits
from postroom.core.budget import Budget, Told
from postroom.core.compose import BadDraft, Draft, File, compose
from postroom.core.mailbox import AuthKind, Endpoint, Mailbox, Security
from postroom.core.message import Address

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
END = Endpoint("smtp.example.org", 587, Security.STARTTLS, "help@example.org")
MAILBOX = Mailbox("mbx_1", "help@example.org", "Help", "generic", END, END, AuthKind.PASSWORD, NOON)


def people(number, name="to"):
    return {name: tuple(Address(f"{n}@customer.test") for n in range(number))}


def refusal(mailbox, **content):
    """What `check` says to this draft: the field and the words; None where it passes."""
    draft = Draft("mbx_1", **{"to": (Address("anna@customer.test"),), "text": "Hello", **content})
    composed = compose(draft, sender=Address("help@example.org"), message_id="1@example.org", date=NOON)
    try:
        limits.check(mailbox, draft, composed)
    except BadDraft as bad:
        return bad.field, str(bad)
    return None


def test_a_message_to_a_thousand_is_refused_before_it_is_composed():
    with pytest.raises(BadDraft, match="1002 recipients; a message takes at most 500") as raised:
        refusal(MAILBOX, **people(1001, "bcc"))
    assert raised.value.field


def test_the_field_with_most_recipients_is_named():
    few = replace(MAILBOX, told=Told(recipients=10))
    assert refusal(few, **people(11, "bcc"))[0] == "bcc"
    assert refusal(few, **people(10)) is None


def test_what_is_known_of_the_provider_counts_and_the_servers_own_word_counts_more():
    workspace = replace(MAILBOX, provider="google_workspace")
    assert "Google Workspace takes 100 " in refusal(workspace, **people(101))[1]
    told = replace(workspace, told=Told(recipients=5))
    assert "the mail server smtp.example.org takes 5 " in refusal(told, **people(6))[1]
    assert refusal(replace(workspace, told=Told(recipients=900)), **people(101)) is None
    assert limits.recipients_limit(replace(workspace, told=Told(recipients=900))) == limits.Limit(500, "Postroom")


def test_the_bytes_as_they_are_sent_count_with_base_64():
    told = replace(MAILBOX, told=Told(size=1_000_000))
    small = File("a.bin", "application/octet-stream", bytes(700_000))
    large = File("a.bin", "application/octet-stream", bytes(800_000))
    assert refusal(told, attachments=(small,)) is None
    field, words = refusal(told, attachments=(large,))
    assert field == "attachments"
    assert "1.1 MB as it is sent" in words
    assert "the mail server smtp.example.org takes 1.0 MB" in words
    assert "800.0 KB, which grow by a third" in words
    assert "send a link" in words


def test_a_text_that_is_too_long_is_named_as_what_it_is():
    told = replace(MAILBOX, told=Told(size=10_000))
    field, words = refusal(told, text="A line of text.\n" * 2000)
    assert field == "text"
    assert words.endswith("the mail server smtp.example.org takes 10.0 KB: shorten it")
    assert refusal(told, html="<p>A line of text.</p>\n" * 2000)[0] == "html"


def test_a_person_sets_what_the_provider_would_grant_otherwise():
    assert limits.budget(MAILBOX) == Budget(connections=2)
    microsoft = replace(MAILBOX, provider="microsoft365")
    assert limits.budget(microsoft) == Budget(3, 30, None, 10_000)
    assert limits.budget(replace(microsoft, budget=Budget(recipients_a_day=500))) == Budget(3, 30, None, 500)


@pytest.mark.parametrize(
    ("mailbox", "words"),
    [
        (
            replace(MAILBOX, provider="google_workspace"),
            "2,000 messages or 10,000 recipients within 24 hours: what Google",
        ),
        (
            replace(MAILBOX, budget=Budget(recipients_a_day=50)),
            "50 recipients within 24 hours: the budget of this mailbox",
        ),
    ],
)
def test_a_spent_day_is_told_with_its_limit_and_when_it_goes_on(mailbox, words):
    found = limits.used_up(mailbox, NOON + timedelta(hours=3), NOON)
    assert found.name == "smtp.mailbox_limit_exceeded"
    assert found.action == "retry"
    assert words in found.reason
    assert 3 * 3600 <= found.retry_after <= 3 * 3600 + 2
    assert found.raw == ""
