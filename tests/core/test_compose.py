"""Outgoing bytes, read again by our parser and by the standard library. It sends nothing."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postroom.core.compose import BadDraft, Draft, File, compose
from postroom.core.compose.content import POLICY, content
from postroom.core.message import Address
from postroom.core.parse import attachment

AT = datetime(2026, 3, 2, 10, 0, tzinfo=timezone(timedelta(hours=2)))
SENDER = Address("support@shop.example", "Shop Support")
TO = Address("anna@example.org", "Anna")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def draft(**changes):
    values = {"mailbox_id": "mbx_1", "to": (TO,), "subject": "Hello", "text": "Hi Anna,\nall is well."}
    return Draft(**(values | changes))


def made(sender=SENDER, in_reply_to=None, references=(), **changes):
    return compose(
        draft(**changes),
        sender=sender,
        message_id="m1@shop.example",
        date=AT,
        in_reply_to=in_reply_to,
        references=references,
    )


def standard(composed):
    return email.message_from_bytes(composed.raw, policy=email.policy.default)


def text_of(message) -> str:
    """Without the line ending that a part has or has not: both say the same."""
    return message.get_content().replace("\r\n", "\n").removesuffix("\n")


def well_formed(raw: bytes) -> bool:
    lines = raw.split(b"\r\n")
    return all(len(one) <= 998 and b"\n" not in one and b"\r" not in one and b"\0" not in one for one in lines)


def test_a_plain_text_is_one_7bit_part():
    composed = made()
    message = standard(composed)
    assert message.get_content_type() == "text/plain"
    assert message["content-transfer-encoding"] == "7bit"
    assert text_of(message) == "Hi Anna,\nall is well."
    assert message["date"].datetime == AT
    assert composed.parsed.date == AT.astimezone(UTC)
    assert message["message-id"] == "<m1@shop.example>"
    assert composed.parsed.message_id == "m1@shop.example"
    assert message["mime-version"] == "1.0"
    assert composed.envelope_recipients == ("anna@example.org",)
    assert not composed.needs_utf8


def test_the_same_draft_gives_the_same_bytes():
    changes = {"html": "<p>x</p>", "attachments": (File("a.png", "image/png", PNG),)}
    assert made(**changes).raw == made(**changes).raw


def test_text_html_pictures_and_files_stand_where_mail_programs_look_for_them():
    composed = made(
        html='<p>Grüße <img src="cid:logo@x"></p>',
        attachments=(
            File("logo.png", "image/png", PNG, "logo@x"),
            File("Rechnung März.pdf", "application/pdf", b"%PDF"),
        ),
    )
    message = standard(composed)
    assert [one.get_content_type() for one in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    parsed = composed.parsed
    assert parsed.text == "Hi Anna,\nall is well."
    assert "Grüße" in parsed.html
    assert [(one.filename, one.inline, one.content_id) for one in parsed.attachments] == [
        ("logo.png", True, "logo@x"),
        ("Rechnung März.pdf", False, None),
    ]
    assert attachment(composed.raw, 0)[1] == PNG
    assert parsed.faults == ()
    assert well_formed(composed.raw)


def test_html_alone_gets_a_text_beside_it():
    parsed = made(text="", html="<p>One</p><p>Two &amp; three</p>").parsed
    assert "One" in parsed.text
    assert "Two & three" in parsed.text
    assert "<p>" not in parsed.text


def test_a_picture_with_a_content_id_but_no_html_is_an_ordinary_attachment():
    parsed = made(attachments=(File("logo.png", "image/png", PNG, "logo@x"),)).parsed
    assert [(one.filename, one.inline) for one in parsed.attachments] == [("logo.png", False)]


def test_an_attached_message_goes_as_plain_bytes_because_mime_forbids_base64_for_it():
    content = b"Subject: x\r\n\r\n" + b"y" * 2000
    composed = made(attachments=(File("a.eml", "message/rfc822", content),))
    described, again = attachment(composed.raw, 0)
    assert (described.filename, described.content_type, again) == ("a.eml", "application/octet-stream", content)


def test_text_attachments_keep_their_bytes_and_charset():
    composed = made(attachments=(File("a.csv", "text/csv; charset=iso-8859-1", "é;1\r\n".encode("latin-1")),))
    assert attachment(composed.raw, 0)[1] == "é;1\r\n".encode("latin-1")
    assert b'charset="iso-8859-1"' in composed.raw


def test_bcc_is_in_the_envelope_and_in_what_we_keep_and_never_in_the_bytes():
    composed = made(cc=(Address("c@example.org"),), bcc=(Address("secret@example.org", "Secret"),))
    assert composed.envelope_recipients == ("anna@example.org", "c@example.org", "secret@example.org")
    assert composed.parsed.bcc == (Address("secret@example.org", "Secret"),)
    assert b"secret" not in composed.raw.lower()
    assert b"bcc" not in composed.raw.lower()


def test_a_message_may_go_to_bcc_alone():
    composed = made(to=(), bcc=(TO,))
    assert composed.envelope_recipients == (TO.email,)
    assert standard(composed)["to"] is None


def test_a_recipient_named_twice_gets_one_copy():
    composed = made(to=(TO, Address("ANNA@Example.org")), cc=(Address("anna@EXAMPLE.org"), Address("b@example.org")))
    assert composed.envelope_recipients == ("anna@example.org", "b@example.org")


def test_international_domains_become_ascii_and_only_local_parts_need_smtputf8():
    composed = made(to=(Address("info@bücher.example", "Bücher"),))
    assert composed.envelope_recipients == ("info@xn--bcher-kva.example",)
    assert not composed.needs_utf8
    composed = made(to=(Address("jürgen@bücher.example"),))
    assert composed.envelope_recipients == ("jürgen@xn--bcher-kva.example",)
    assert composed.needs_utf8
    assert composed.parsed.to == (Address("jürgen@xn--bcher-kva.example"),)


@pytest.mark.parametrize(
    "address",
    ["a@b.c", "a+b@example.org", "o'brien@example.org", '"two words"@example.org', "a..b@docomo.example", "u@localhost",
     "x@[192.0.2.1]", "x_y@a_b.example", "x@EXAMPLE.ORG", "x" * 64 + "@example.org"],
)  # fmt: skip
def test_an_address_is_taken(address):
    assert len(made(to=(Address(address),)).envelope_recipients) == 1


@pytest.mark.parametrize(
    "address",
    ["", "anna", "anna@", "@example.org", "anna example.org", "a b@example.org", "a@b c.example", "a@-b.example",
     "a@b..example", "a@.example", "a,b@example.org", "a@b@example.org", "<a@b.c>", "a@" + "x" * 64 + ".example",
     "x" * 65 + "@example.org", "a@" + "x." * 130 + "org", "a@exa\u2028mple.org", "é" * 33 + "@example.org",
     "a\ud800@b.c", '"a<b"@example.org', '"a\\>b"@example.org'],
)  # fmt: skip
def test_a_wrong_address_is_refused_by_the_name_of_its_field(address):
    for field in ("to", "cc", "bcc"):
        with pytest.raises(BadDraft) as refused:
            made(**{"to": (TO,), field: (Address(address),)})
        assert refused.value.field == field


def test_nobody_and_too_many_are_refused():
    with pytest.raises(BadDraft, match="no recipient"):
        made(to=())
    many = tuple(Address(f"a{i}@example.org") for i in range(501))
    with pytest.raises(BadDraft, match="501 recipients"):
        made(to=many[:250], cc=many[250:])
    assert len(made(to=many[:500]).envelope_recipients) == 500


def test_an_empty_message_is_refused_but_each_thing_alone_is_enough():
    with pytest.raises(BadDraft, match="empty") as refused:
        made(subject=" ", text=" \n", html="")
    assert refused.value.field == "text"
    assert made(text="").parsed.subject == "Hello"
    assert made(subject="").parsed.subject == ""
    assert made(subject="", text="", attachments=(File("a.png", "image/png", PNG),)).parsed.attachments


INJECTIONS = ["x\r\nBcc: evil@example.org", "x\nBcc: evil@example.org", "x\rBcc: evil@example.org", "x\0y", "x\x1fy"]


@pytest.mark.parametrize("evil", INJECTIONS)
def test_no_line_break_gets_into_a_header(evil):
    tries = {
        "subject": {"subject": evil},
        "to": {"to": (Address("a@b.c", evil),)},
        "cc": {"cc": (Address(f"a@{evil}"),)},
        "bcc": {"bcc": (Address(f"{evil}@b.c"),)},
        "headers": {"headers": (("X-Ticket", evil),)},
        "attachments": {"attachments": (File(evil, "text/plain", b"x"),)},
        "sender": {"sender": Address("a@b.c", evil)},
        "in_reply_to": {"in_reply_to": evil},
    }
    for field, changes in tries.items():
        with pytest.raises(BadDraft) as refused:
            made(**changes)
        assert refused.value.field == field
    for changes in (
        {"headers": ((f"X-{evil}", "x"),)},
        {"attachments": (File("a", evil, b"x"),)},
        {"html": "x", "attachments": (File("a", "image/png", b"x", evil),)},
        {"references": (evil,)},
    ):
        with pytest.raises(BadDraft):
            made(**changes)


@pytest.mark.parametrize("name", ["Bcc", "From", "x", "X-", "X-A:B", "X A", "DKIM-Signature", "X-é"])
def test_only_headers_of_ones_own_are_taken(name):
    with pytest.raises(BadDraft, match="X-"):
        made(headers=((name, "v"),))


def test_headers_of_ones_own_arrive():
    message = standard(made(headers=(("X-Ticket", "4711"), ("x-Über".replace("Ü", "U"), "grün"))))
    assert (message["x-ticket"], message["x-uber"]) == ("4711", "grün")


def test_a_thread_keeps_its_first_and_last_references():
    many = [f"{i}@x" for i in range(100)]
    parsed = made(in_reply_to="parent@x", references=many).parsed
    assert parsed.in_reply_to == "parent@x"
    assert parsed.references == ("0@x", *many[-19:], "parent@x")
    assert made(in_reply_to="0@x", references=("0@x",)).parsed.references == ("0@x",)


def test_identifiers_that_no_header_can_hold_are_left_out():
    parsed = made(in_reply_to="é@x", references=("a b@x", "ok@x")).parsed
    assert (parsed.in_reply_to, parsed.references) == (None, ("ok@x",))


def test_angle_brackets_that_came_along_do_no_harm():
    assert made(in_reply_to="<parent@x>").parsed.in_reply_to == "parent@x"


def test_a_mailbox_with_an_international_domain_can_send():
    composed = compose(draft(), sender=Address("info@bücher.example"), message_id="m1@bücher.example", date=AT)
    assert composed.parsed.message_id == "m1@xn--bcher-kva.example"
    assert composed.parsed.sender == Address("info@xn--bcher-kva.example")
    assert not composed.needs_utf8


def test_long_identifiers_are_not_encoded():
    long = "x" * 300 + "@shop.example"
    composed = made(in_reply_to=long, references=(long + "2",))
    assert f"In-Reply-To: <{long}>\r\n".encode() in composed.raw


@pytest.mark.parametrize(
    "text",
    ["plain", "Grüße aus Köln", "日本語" * 200, "x" * 5000, "\r\n".join(["a"] * 3), "a\rb\nc", ".\n..\n. ", "From me\n",
     "trailing   \n", "\ttab", "a\u2028b", "😀" * 500, ("word " * 400)],
)  # fmt: skip
def test_a_text_arrives_as_it_was_written(text):
    composed = made(text=text)
    assert well_formed(composed.raw)
    assert composed.raw.isascii()
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert text_of(standard(composed)) == expected.removesuffix("\n")
    assert composed.parsed.text == expected.strip("\n")


def test_what_no_message_can_hold_is_refused_by_name():
    for changes, field in (
        ({"text": "a\0b"}, "text"),
        ({"html": "a\0b"}, "html"),
        ({"text": "a\ud800b"}, "text"),
        ({"subject": "a\ud800b"}, "subject"),
        ({"subject": "x" * 2001}, "subject"),
        ({"headers": (("X-A", "x" * 2001),)}, "headers"),
        ({"attachments": (File("a", "nonsense", b""),)}, "attachments"),
    ):
        with pytest.raises(BadDraft) as refused:
            made(**changes)
        assert refused.value.field == field


SUBJECTS = st.text(
    st.characters(blacklist_categories=("Cs",), min_codepoint=0x20, blacklist_characters="\x7f"), max_size=300
)


@settings(max_examples=200, deadline=None)
@given(subject=SUBJECTS, name=SUBJECTS.map(lambda one: one[:80]))
def test_any_subject_and_any_name_arrive_as_they_were_written(subject, name):
    composed = made(subject=subject, to=(Address("a@b.example", name), Address("c@d.example")))
    assert well_formed(composed.raw)
    assert composed.raw.isascii()
    message = standard(composed)
    expected = " ".join(one for one in subject.split(" ") if one)
    assert composed.parsed.subject == expected
    assert [one.email for one in composed.parsed.to] == ["a@b.example", "c@d.example"]
    assert [one.addr_spec for one in message["to"].addresses] == ["a@b.example", "c@d.example"]
    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["Doe, John", 'J "Q" Doe', "Müller, Jörg (Büro)", "a@b.c team", "x" * 200, "日本語 太郎", "=?x?="]
)
def test_display_names_arrive(name):
    composed = made(to=(Address("a@b.example", name),))
    assert composed.parsed.to == (Address("a@b.example", name),)
    if len(name) < 75:  # between encoded words of a name the standard library of Python 3.11 puts spaces
        assert standard(composed)["to"].addresses[0].display_name == name


@given(st.lists(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=78), max_size=8))
@example(["." * 78])
@example(["From x", "..", " ", "\t", ""])
def test_a_plain_text_takes_a_shorter_way_to_the_same_bytes(lines):
    text = "\n".join(lines) + "\n"
    message = EmailMessage(policy=POLICY)
    message.set_content(text)
    assert content(Draft("mbx_1", (), text=text), "seed") == message.as_bytes(policy=POLICY)


TEXTS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=400)


@given(TEXTS | st.text(alphabet="aä.= \t\r\n\u65e5\u2028\x0c", max_size=400))
@example("." * 79 + "\n.\nFrom x\n")
@example("a" * 75 + " \n" + "a" * 76 + "=\n" + "é" * 30)
@example("one\r\ntwo\rthree \t")
@example("\u65e5\u672c" * 200 + "\r\n")
def test_any_text_arrives_as_it_was_written_in_lines_that_every_server_takes(text):
    written = content(Draft("mbx_1", (), text=text), "seed")
    assert written.isascii()
    assert written.endswith(b"\r\n")
    lines = written.split(b"\r\n")
    assert all(len(one) <= 78 and not {0x0D, 0x0A} & set(one) for one in lines)
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    expected += "" if expected.endswith("\n") else "\n"
    read = email.message_from_bytes(written).get_payload(decode=True).decode()
    assert read.replace("\r\n", "\n") == expected
