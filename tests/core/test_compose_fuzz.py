"""Whatever text stands in whatever field: it is refused by name, or comes out as it was, and no header is added."""

import email
import email.policy
import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.core.compose import BadDraft, Draft, File, compose
from postroom.core.message import Address
from postroom.core.parse import parse

HOSTILE = ["a\r\nBcc: x@evil.test", "a\nX: y", "a\r\n\r\nbody", "\0", "=?utf-8?q?a?=", "é" * 90, "a@b@c", '"', "\ud800"]
ANY = st.text(st.characters(), max_size=40) | st.sampled_from(HOSTILE)
ADDRESS = st.builds(Address, ANY | st.just("anna@customer.test"), ANY)
FIELDS = {
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "reply_to",
    "subject",
    "text",
    "html",
    "headers",
    "attachments",
    "in_reply_to",
}
OURS = {
    *("from", "to", "cc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding", "auto-submitted", "x-auto-response-suppress"),
}


@st.composite
def drafts(draw):
    files = st.builds(File, ANY, ANY | st.just("image/png"), st.binary(max_size=20), st.none() | ANY)
    return Draft(
        "mbx_1",
        draw(st.lists(ADDRESS, max_size=2).map(tuple)),
        subject=draw(ANY),
        text=draw(ANY),
        html=draw(ANY),
        cc=draw(st.lists(ADDRESS, max_size=1).map(tuple)),
        bcc=(Address("hidden@secret.test", draw(ANY)), *draw(st.lists(ADDRESS, max_size=1))),
        reply_to=draw(st.lists(ADDRESS, max_size=1).map(tuple)),
        attachments=draw(st.lists(files, max_size=1).map(tuple)),
        headers=draw(st.lists(st.tuples(ANY | st.just("X-Ticket"), ANY), max_size=1).map(tuple)),
        automatic=draw(st.booleans()),
    )


def made(draft, in_reply_to=None, references=()):
    return compose(
        draft,
        sender=Address("team@shop.test", "Team"),
        message_id="1@shop.test",
        date=datetime(2026, 3, 1, tzinfo=UTC),
        in_reply_to=in_reply_to,
        references=references,
    )


def composed_or_refused(draft, in_reply_to, references):
    try:
        return made(draft, in_reply_to, references)
    except BadDraft as refused:
        return refused


@settings(deadline=None, max_examples=300)
@given(drafts(), st.none() | ANY, st.lists(ANY, max_size=2))
def test_any_text_is_refused_by_its_field_or_comes_out_as_it_was(draft, in_reply_to, references):
    composed = composed_or_refused(draft, in_reply_to, references)
    if isinstance(composed, BadDraft):
        assert composed.field in FIELDS
        assert str(composed)
        return
    section, _, _ = composed.raw.partition(b"\r\n\r\n")
    names = [line.split(b":")[0].decode().lower() for line in re.split(rb"\r\n(?![ \t])", section)]
    own = [name.lower() for name, _ in draft.headers]
    assert set(names) <= OURS | set(own)
    assert len(names) == len(set(names)) or own
    assert b"\0" not in section
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", section) is None
    assert b"hidden@secret.test" not in composed.raw  # no Bcc, in no part
    assert "hidden@secret.test" in composed.envelope_recipients
    parsed = composed.parsed
    assert [one.email for one in parsed.to] == list(dict.fromkeys(one.email for one in parsed.to))
    assert parsed.subject == " ".join(re.sub(r"[ \t]+", " ", draft.subject).strip(" ").split(" "))
    assert parsed.automatic is draft.automatic or own


TEXTS = st.text(max_size=300) | st.text(alphabet="aä.=- \t\r\n\x1b$(B\u65e5\u2028\x0b\x0c\x85\ufeff", max_size=200)


@settings(deadline=None, max_examples=300)
@given(TEXTS, ANY, ADDRESS, st.lists(st.tuples(st.just("X-Ticket") | st.just("X-Autoreply"), ANY), max_size=1))
def test_what_is_kept_of_a_plain_message_is_what_its_bytes_say(text, subject, to, headers):
    draft = Draft("mbx_1", (to,), subject=subject, text=text, headers=tuple(headers))
    composed = composed_or_refused(draft, "1@customer.test", ())
    if not isinstance(composed, BadDraft):
        assert composed.parsed == parse(composed.raw)


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_a_subject_of_any_characters_is_read_back_by_others(subject):
    message = email.message_from_bytes(
        made(Draft("mbx_1", (Address("a@b.test"),), subject=subject, text="x")).raw, policy=email.policy.default
    )
    expected = re.sub(r"[ \t]+", " ", subject).strip(" ")
    assert re.sub(r"\s+", "", message["Subject"]) == re.sub(r"\s+", "", expected)
