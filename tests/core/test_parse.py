"""Headers, charsets, names and the choice of text, one fact at a time. Whole messages: test_parse_corpus."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from postroom.core.message import Address
from postroom.core.parse import parse, safe_filename
from postroom.core.parse.addresses import addresses, date, message_id, message_ids
from postroom.core.parse.charset import codec_of, decode
from postroom.core.parse.headers import decode_words


def message(*lines: str, body: str = "x") -> bytes:
    return "\r\n".join([*lines, "", body]).encode()


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Привет, как ваши дела? Спасибо за заказ.", "koi8-r"),
        ("Привет, как ваши дела? Спасибо за заказ.", "cp1251"),
        ("中文测试邮件内容，请查收附件。", "gb18030"),
        ("これは日本語のメールです。よろしくお願いします。", "shift_jis"),
        ("これは日本語のメールです。よろしくお願いします。", "iso-2022-jp"),
        ("안녕하세요 주문 문의드립니다 감사합니다", "euc-kr"),
        ("Grüße aus Köln, bis später", "cp1252"),
        ("Zażółć gęślą jaźń — dziękuję bardzo za odpowiedź", "cp1250"),
    ],
)
def test_text_is_found_without_and_with_a_declared_charset(text, codec):
    assert decode(text.encode(codec)) == text
    assert decode(text.encode(codec), codec) == text


def test_utf8_wins_over_a_wrong_latin_label_and_short_declared_text_over_utf8():
    assert decode("café".encode(), "iso-8859-1") == "café"
    assert decode("Её".encode("cp1251"), "windows-1251") == "Её"


def test_a_cut_inside_a_character_does_not_change_the_charset():
    assert decode("ééééééééééééééééééééééé".encode()[:-1]).startswith("éééé")


@pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "", "x-unknown", "a\0b", "é" * 9])
def test_what_is_no_charset_of_mail_is_none(name):
    assert codec_of(name) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?UTF-8?Q?a_b=20c?= =?utf-8?q?d?=", "a b cd"),
        ("=?utf-8*en?B?w6k=?= plain =?utf-8?Q?=C3=A9?=", "é plain é"),
        ("=?x-unknown?B?YWJj?=", "abc"),
        ("=?utf-8?B?YWJ?=", "ab"),
        ("=?utf-8?B?w6k", "=?utf-8?B?w6k"),
        ("=?utf-8?X?abc?= =?utf-8?Q?d?=", "=?utf-8?X?abc?= d"),
        ("Re: =?iso-8859-1?Q?H=E9?=llo", "Re: Héllo"),
        ("no words =? here ?=", "no words =? here ?="),
    ],
)
def test_encoded_words_are_decoded_and_broken_ones_left(value, text):
    assert decode_words(value) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.c", [("a@b.c", "")]),
        ("<a@b.c>", [("a@b.c", "")]),
        ('"Doe, John" <a@b.c>, d@e.f', [("a@b.c", "Doe, John"), ("d@e.f", "")]),
        ('"O\\"Brien \\\\ Co" <a@b.c>', [("a@b.c", 'O"Brien \\ Co')]),
        ("=?utf-8?Q?Doe,_J=C3=B6?= <a@b.c>", [("a@b.c", "Doe, Jö")]),
        ("=?utf-8?Q?J=C3=B6_=3Ca=40b=2Ec=3E?=", [("a@b.c", "Jö")]),
        ('"a@b.c" <a@b.c>', [("a@b.c", "")]),
        ('O"Brien <a@b.c>', [("a@b.c", "OBrien")]),
        ("Friends: a@b.c, d@e.f;", [("a@b.c", ""), ("d@e.f", "")]),
        ('"two words"@b.c, Name <"x y"@b.c>', [('"two words"@b.c', ""), ('"x y"@b.c', "Name")]),
        ("undisclosed-recipients:;", []),
        ("nobody", []),
        (None, []),
        ("jürgen@exämple.org", [("jürgen@exämple.org", "")]),
        ("Name\u202e <a@b.c>", [("a@b.c", "Name")]),
        ("mailto:a@b.c", [("a@b.c", "")]),
    ],
)
def test_addresses_are_read_as_they_come(value, expected):
    assert addresses(value) == tuple(Address(email, name) for email, name in expected)


def test_identifiers_lose_brackets_comments_and_folds():
    assert message_id("<a@b> (comment)") == "a@b"
    assert message_id("a@b") == "a@b"
    assert message_id("<no-at-sign>") == "no-at-sign"
    assert message_id("bare-token") == "bare-token"
    assert message_id("two words") is None
    assert message_id("") is None
    assert message_id("<" + "x" * 2000 + "@b>") is None
    assert message_ids("<a@b><c@d>\t<a@b>") == ("a@b", "c@d")
    many = message_ids(" ".join(f"<{i}@x>" for i in range(1000)))
    assert (len(many), many[0], many[-1]) == (100, "0@x", "999@x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 2 Mar 2026 10:00:00 +0100", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2 Mar 2026 10:00:00", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02T10:00:00+01:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("Mon, 2 Mar 1926 10:00:00 +0000", None),
        ("Mon, 2 Mar 9999 10:00:00 +0000", None),
        ("Fri, 31 Dec 9999 23:59:59 -1400", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_are_in_utc_or_none(value, expected):
    assert date(value) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner=x",
        "Precedence: BULK",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "List-Id: <a.b>",
        "Return-Path: <>",
        "Content-Type: multipart/report; boundary=b",
        "From: MAILER-DAEMON@example.org",
    ],
)
def test_a_program_sent_it(line):
    body = "--b\r\n\r\nx\r\n--b--" if "boundary" in line else "x"
    assert parse(message(line, body=body)).automatic


@pytest.mark.parametrize(
    "line", ["Auto-Submitted: no", "Precedence: normal", "X-Auto-Response-Suppress: None", "Return-Path: <a@b>"]
)
def test_a_person_sent_it(line):
    assert not parse(message(line, "From: a@b")).automatic


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\dir\\a.txt", "a.txt"),
        ("...", "attachment-1.pdf"),
        ("", "attachment-1.pdf"),
        (".htaccess", "htaccess"),
        ("nul.txt", "_nul.txt"),
        ("a\r\nb\0c.txt", "abc.txt"),
        ("x\u202egnp.exe", "xgnp.exe"),
        ("e\u0301.txt", "é.txt"),
        ('a"b<c>.txt', "a_b_c_.txt"),
    ],
)
def test_file_names_are_safe_to_save(name, safe):
    assert safe_filename(name, "application/pdf", 0) == safe


def test_a_long_file_name_keeps_its_extension():
    name = safe_filename("x" * 1000 + ".pdf")
    assert name.endswith("x.pdf")
    assert len(name) <= 150


def test_bare_carriage_returns_and_blank_lines_before_the_header_are_taken():
    assert parse(b"From: a@b\rSubject: s\r\rtext").subject == "s"
    parsed = parse(b"\r\n\r\nFrom: a@b\r\nSubject: s\r\n\r\ntext")
    assert (parsed.subject, parsed.text) == ("s", "text")
    parsed = parse(b" folded: x\r\nSubject: s\r\n\r\ntext")
    assert (parsed.subject, parsed.text) == ("s", "text")


def test_of_two_subjects_the_first_counts_and_of_two_to_both():
    parsed = parse(message("Subject: one", "Subject: two", "To: a@b", "To: c@d"))
    assert parsed.subject == "one"
    assert [one.email for one in parsed.to] == ["a@b", "c@d"]


def test_the_sender_is_the_first_author_else_the_sender_field():
    assert parse(message("From: a@b, c@d")).sender == Address("a@b")
    assert parse(message("From: nobody", "Sender: S <s@t>")).sender == Address("s@t", "S")


def test_an_inner_multipart_without_its_boundary_does_not_lose_its_text():
    body = "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\nthe text\r\n--b--"
    parsed = parse(message("From: a@b", "Content-Type: multipart/mixed; boundary=b", body=body))
    assert "the text" in parsed.text
