"""The parts of the IMAP client that do no I/O: tokens, responses, names, dates, sets of UIDs."""

import imaplib
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.wire.imap.dates import date_time, parse_date_time
from postroom.wire.imap.folders import Folder, sent_among
from postroom.wire.imap.grammar import Continuation, Data, Status, literal_behind, parse, without_announcement
from postroom.wire.imap.names import decode_folder, encode_folder, folder_of, quotable, quoted
from postroom.wire.imap.tokens import Unparsable, number, tokenise
from postroom.wire.imap.uids import uid_sets

# Tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (b"", []),
        (b"  ", []),
        (b"a 12 \\Seen", ["a", "12", "\\Seen"]),
        (b"NIL nil Nil nils", [None, None, None, "nils"]),
        (b'"" "a b" "say \\"hi\\" \\\\o/"', [b"", b"a b", b'say "hi" \\o/']),
        (b'"NIL" "5* hotel *** deal* now" "sad :("', [b"NIL", b"5* hotel *** deal* now", b"sad :("]),
        (b"(a (b ()) c)", [["a", ["b", []], "c"]]),
        (b"(\\Seen [x a{b $Forwarded ]y)", [["\\Seen", "[x", "a{b", "$Forwarded", "]y"]]),
        (b"(UID 5 BODY[HEADER.FIELDS (MESSAGE-ID)] NIL)", [["UID", "5", "BODY[HEADER.FIELDS (MESSAGE-ID)]", None]]),
        (b'body[header.fields ("X]Y" to)]<0> "v"', ['BODY[HEADER.FIELDS ("X]Y" TO)]<0>', b"v"]),
        (
            b'BODY[] "x" BINARY[1.2]<3> "y" BINARY.SIZE[1] 4',
            ["BODY[]", b"x", "BINARY[1.2]<3>", b"y", "BINARY.SIZE[1]", "4"],
        ),
        (b'"\xc3\xbc" \xc3\xbc', [b"\xc3\xbc", "ü"]),
        (b'("a""b")', [[b"a", b"b"]]),
    ],
)
def test_text_becomes_tokens(text: bytes, tokens: list) -> None:
    assert tokenise((text,)) == tokens


def test_literals_stand_where_they_were_announced() -> None:
    assert tokenise((b"(BODY[] ", b'raw ")( \r\n', b" UID 7 X ", b"", b")")) == [
        ["BODY[]", b'raw ")( \r\n', "UID", "7", "X", b""]
    ]


@pytest.mark.parametrize("text", [b"(", b")", b"(a))", b'"open', b'"open\\"', b"(a\x00b", b"(" * 60 + b")" * 60])
def test_what_is_no_imap_is_unparsable(text: bytes) -> None:
    with pytest.raises(Unparsable):
        tokenise((text,))


def test_a_hundred_thousand_quotes_take_no_time_worth_mentioning() -> None:
    started = time.perf_counter()
    for text in (b'"' + b"\\" * 200_000, b'"' + b"a\\" * 100_000, b"BODY[" + b'"' * 200_001, b"BODY[" + b"(" * 200_000):
        with suppress(Unparsable):
            tokenise((text,))
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("token", ["", "-1", "1x", "4294967296", "9" * 5000, b"1", None, [], "١"])
def test_what_is_no_number_is_unparsable(token: object) -> None:
    with pytest.raises(Unparsable):
        number(token)


# Responses


@pytest.mark.parametrize(
    ("line", "word", "code", "argument", "text"),
    [
        (b"* OK ready", "OK", None, "", "ready"),
        (b"p1 NO [AUTHENTICATIONFAILED] no", "NO", "AUTHENTICATIONFAILED", "", "no"),
        (b"p1 no [alert] x [y] z", "NO", "ALERT", "", "x [y] z"),
        (b"* OK [UIDVALIDITY 3857529045] UIDs valid", "OK", "UIDVALIDITY", "3857529045", "UIDs valid"),
        (b"* OK [PERMANENTFLAGS (\\Deleted \\*)] Limited", "OK", "PERMANENTFLAGS", "(\\Deleted \\*)", "Limited"),
        (b'p1 NO [BADCHARSET ("x]y")] none', "NO", "BADCHARSET", '("x]y")', "none"),
        (b"* OK [open", "OK", None, "", "[open"),
        (b"* BYE", "BYE", None, "", ""),
        (b"* PREAUTH hi", "PREAUTH", None, "", "hi"),
        (b"p1 NO \xfc\xdf", "NO", None, "", "\ufffd\ufffd"),
        (b"p1 OK this is not a literal {3}", "OK", None, "", "this is not a literal {3}"),
    ],
)
def test_a_status_is_read_with_its_code(line: bytes, word: str, code: str | None, argument: str, text: str) -> None:
    status = parse((line,))
    assert isinstance(status, Status)
    assert (status.word, status.code, status.argument, status.text) == (word, code, argument, text)
    assert status.line == line.decode(errors="replace")
    assert literal_behind(line) is None


def test_data_is_read_when_it_is_asked_for() -> None:
    data = parse((b"* 12 fetch (UID 5",))
    assert isinstance(data, Data)
    assert (data.number, data.name) == (12, "FETCH")
    with pytest.raises(Unparsable):
        data.tokens()
    assert parse((b"* SEARCH",)) == Data(None, "SEARCH", (b"",))
    assert parse((b"* OKAY computer",)) == Data(None, "OKAY", (b"computer",))


def test_a_continuation_may_be_bare() -> None:
    assert parse((b"+",)) == parse((b"+ ",)) == Continuation(b"")
    assert parse((b"+ idling",)) == Continuation(b"idling")


@pytest.mark.parametrize(
    "line", [b"", b"*", b"* ", b"HTTP/1.1 400 Bad Request", b"220 mx ESMTP", b"SSH-2.0-x", b"\x15\x03\x01"]
)
def test_other_protocols_are_no_response(line: bytes) -> None:
    with pytest.raises(Unparsable):
        parse((line,))


@pytest.mark.parametrize(
    ("line", "size", "rest"),
    [
        (b"* 1 FETCH (BODY[] {42}", 42, b"* 1 FETCH (BODY[] "),
        (b"* 1 FETCH (BINARY[1] ~{7}", 7, b"* 1 FETCH (BINARY[1] "),
        (b"* LIST () NIL {3+}", 3, b"* LIST () NIL "),
        (b"* 1 FETCH (UID 5)", None, b""),
        (b"* 1 FETCH ({x}", None, b""),
    ],
)
def test_a_literal_is_announced_at_the_end_of_a_line(line: bytes, size: int | None, rest: bytes) -> None:
    assert literal_behind(line) == size
    if size is not None:
        assert without_announcement(line) == rest


# Names


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("INBOX", b"INBOX"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("A&B", b"A&-B"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 5.1.3
        ("😀", b"&2D3eAA-"),
        ("a\r\nb LOGOUT", b"a&AA0ACg-b LOGOUT"),
    ],
)
def test_folder_names_are_modified_utf_7(name: str, encoded: bytes) -> None:
    assert encode_folder(name) == encoded
    assert decode_folder(encoded) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_folder_name_comes_back(name: str) -> None:
    encoded = encode_folder(name)
    assert quotable(encoded)
    assert decode_folder(encoded) == name


@pytest.mark.parametrize(
    ("name", "shown"), [(b"a&b", "a&b"), (b"&!!!-", "&!!!-"), (b"&2D0-", "&2D0-"), ("Gelöscht".encode(), "Gelöscht")]
)
def test_a_name_that_is_no_utf_7_stays_as_it_is(name: bytes, shown: str) -> None:
    assert decode_folder(name) == shown


@given(st.binary())
def test_any_bytes_are_some_folder_name(name: bytes) -> None:
    assert isinstance(decode_folder(name), str)


def test_a_folder_may_be_called_nil_and_a_list_is_no_name() -> None:
    assert (folder_of(None), folder_of("Sent"), folder_of(b"Sent"), folder_of(["x"])) == ("NIL", "Sent", "Sent", None)


@given(st.binary().filter(quotable))
def test_what_is_quoted_is_one_token_again(text: bytes) -> None:
    assert tokenise((quoted(text),)) == [text]


# Dates


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"17-Jul-1996 02:44:25 -0700", datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (b" 1-FEB-2024 00:00:00 +0530", datetime(2024, 1, 31, 18, 30, tzinfo=UTC)),
        (b"31-Feb-2024 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +2359", None),
        (b"01-Foo-2024 00:00:00 +0000", None),
        (b"01-Jan-2024 00:00:00 +9999", None),
        (b"yesterday", None),
    ],
)
def test_internaldate_is_read(text: bytes, at: datetime | None) -> None:
    assert parse_date_time(text) == at


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_date_comes_back_and_the_standard_library_agrees(naive: datetime) -> None:
    at = naive.replace(microsecond=0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    text = date_time(at)
    assert parse_date_time(text.strip(b'"')) == at
    theirs = imaplib.Internaldate2tuple(b"25 (INTERNALDATE " + text + b")")
    assert datetime.fromtimestamp(time.mktime(theirs), UTC) == at


# UIDs


@pytest.mark.parametrize(
    ("uids", "sets"),
    [([], []), ([7], [b"7"]), ([3, 1, 2, 9, 5, 6, 5], [b"1:3,5:6,9"]), (range(1, 20001), [b"1:20000"])],
)
def test_uids_become_compact_sets(uids: list[int], sets: list[bytes]) -> None:
    assert list(uid_sets(uids)) == sets


@given(st.sets(st.integers(1, 2**32 - 1), max_size=200), st.integers(25, 200))
def test_sets_hold_every_uid_once_and_are_short(uids: set[int], longest: int) -> None:
    found: list[int] = []
    for one in uid_sets(uids, longest):
        assert len(one) <= longest
        for part in one.decode().split(","):
            first, _, last = part.partition(":")
            found.extend(range(int(first), int(last or first) + 1))
    assert found == sorted(uids)


# The Sent folder


def listed(*folders: tuple[str, str]) -> list[Folder]:
    return [Folder(frozenset(attributes.lower().split()), "/", name) for attributes, name in folders]


@pytest.mark.parametrize(
    ("folders", "sent"),
    [
        (listed(("", "INBOX"), ("\\Sent", "[Gmail]/Gesendet"), ("", "Sent")), "[Gmail]/Gesendet"),
        (listed(("\\NonExistent \\Sent", "Old"), ("", "Sent Items")), "Sent Items"),
        (listed(("\\Noselect", "Sent"), ("", "INBOX/Sent")), "INBOX/Sent"),
        (listed(("", "Archive/Sent"), ("", "Sent")), "Sent"),
        (listed(("", "INBOX"), ("", "Éléments envoyés")), "Éléments envoyés"),
        (listed(("", "ОТПРАВЛЕННЫЕ")), "ОТПРАВЛЕННЫЕ"),
        (listed(("", "INBOX"), ("", "Presentations")), None),
        ([], None),
    ],
)
def test_the_sent_folder_is_the_one_that_says_so_or_is_called_so(folders: list[Folder], sent: str | None) -> None:
    assert sent_among(folders) == sent
