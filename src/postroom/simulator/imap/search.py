"""SEARCH: reads the criteria into one test of a message. It does not fetch or sort."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from email.utils import parsedate_to_datetime

from postroom.simulator.folder import StoredMessage, header_end
from postroom.simulator.imap.command import Arguments, Bad, SequenceSet
from postroom.simulator.imap.encoding import parse_date
from postroom.simulator.imap.view import View

Test = Callable[[StoredMessage], bool]

_MAX_DEPTH = 32
_FLAGS = {name.upper(): f"\\{name}" for name in ("Seen", "Answered", "Flagged", "Deleted", "Draft")}
_HEADERS = frozenset({"FROM", "TO", "CC", "BCC", "SUBJECT"})
_DATES: dict[str, Callable[[date, date], bool]] = {
    "BEFORE": lambda day, limit: day < limit,
    "ON": lambda day, limit: day == limit,
    "SINCE": lambda day, limit: day >= limit,
}


def read_criteria(args: Arguments, view: View) -> Test:
    """All criteria up to the end, joined by AND (RFC 3501 6.4.4). Raises Bad."""
    if args.skip(b"CHARSET ") or args.skip(b"charset "):
        charset = args.text().upper()
        if charset not in ("UTF-8", "US-ASCII"):
            raise Bad(f"[BADCHARSET (UTF-8 US-ASCII)] {charset} is not known")
        args.space()
    tests = [_read_key(args, view, 0)]
    while not args.done:
        args.space()
        tests.append(_read_key(args, view, 0))
    return _all(tests)


def _all(tests: list[Test]) -> Test:
    return lambda message: all(test(message) for test in tests)


def _read_key(args: Arguments, view: View, depth: int) -> Test:
    if depth > _MAX_DEPTH:
        raise Bad("criteria nested too deep")
    if args.skip(b"("):
        tests = [_read_key(args, view, depth + 1)]
        while not args.skip(b")"):
            args.space()
            tests.append(_read_key(args, view, depth + 1))
        return _all(tests)
    if args.at_sequence_set():
        return _numbers(args.sequence_set(), view)
    word = args.keyword()
    if word in ("NOT", "OR"):
        args.space()
        one = _read_key(args, view, depth + 1)
        if word == "NOT":
            return lambda message: not one(message)
        args.space()
        other = _read_key(args, view, depth + 1)
        return lambda message: one(message) or other(message)
    return _without_argument(word, view) or _with_argument(word, args, view)


def _numbers(numbers: SequenceSet, view: View) -> Test:
    chosen = {view.uids[number - 1] for number in numbers.of(view.numbers)}
    return lambda message: message.uid in chosen


def _without_argument(word: str, view: View) -> Test | None:
    if word == "ALL":
        return lambda message: True
    if word in ("RECENT", "NEW", "OLD"):
        return lambda message: (
            (message.uid >= view.recent_from) is (word != "OLD") and not (word == "NEW" and "\\Seen" in message.flags)
        )
    if word in _FLAGS:
        return lambda message: _FLAGS[word] in message.flags
    if word.startswith("UN") and word[2:] in _FLAGS:
        return lambda message: _FLAGS[word[2:]] not in message.flags
    return None


def _with_argument(word: str, args: Arguments, view: View) -> Test:
    args.space()
    if word == "UID":
        uids = set(args.sequence_set().of(view.uids))
        return lambda message: message.uid in uids
    if word in ("LARGER", "SMALLER"):
        size = args.number()
        return lambda message: len(message.raw) > size if word == "LARGER" else len(message.raw) < size
    if word in ("KEYWORD", "UNKEYWORD"):
        flag = args.atom().casefold()
        return lambda message: (flag in map(str.casefold, message.flags)) is (word == "KEYWORD")
    if word in _HEADERS:
        return _header(word, args.text())
    if word == "HEADER":
        name = args.text()
        args.space()
        return _header(name, args.text())
    if word in ("BODY", "TEXT"):
        wanted = args.text().casefold()
        return lambda message: wanted in _decoded(message, whole=word == "TEXT")
    if word.removeprefix("SENT") in _DATES:
        return _date(word, args)
    raise Bad(f"{word} is not a search key of this server")


def _header(name: str, wanted: str) -> Test:
    """A field that holds the text, in any case; an empty text asks only whether the field is there."""
    folded = wanted.casefold()
    return lambda message: any(folded in str(value).casefold() for value in message.headers.get_all(name, []))


def _decoded(message: StoredMessage, *, whole: bool) -> str:
    raw = message.raw if whole else message.raw[header_end(message.raw) :]
    return raw.decode("utf-8", "replace").casefold()


def _date(word: str, args: Arguments) -> Test:
    compare = _DATES[word.removeprefix("SENT")]
    try:
        limit = parse_date(args.text())
    except ValueError as error:
        raise Bad(str(error)) from None
    if not word.startswith("SENT"):
        return lambda message: compare(message.internal_date.date(), limit)

    def sent(message: StoredMessage) -> bool:
        try:
            return compare(parsedate_to_datetime(str(message.headers.get("Date", ""))).date(), limit)
        except (ValueError, TypeError, IndexError):  # a Date that cannot be read matches no date
            return False

    return sent
