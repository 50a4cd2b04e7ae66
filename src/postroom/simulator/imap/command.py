"""Reads one IMAP command, whole, with its literals in place. It does no I/O and carries nothing out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroom.simulator.imap.encoding import from_modified_utf7

_LITERAL_AT_END = re.compile(rb"~?\{(\d{1,10})(\+?)\}\Z")
_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\r\n")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
_ATOM = re.compile(rb'[^\x00-\x20\x7f(){"%*\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f(){"%*\\]+')
_LIST_PATTERN = re.compile(rb'[^\x00-\x20\x7f(){"\\]+')
_FLAG = re.compile(rb'\\?[^\x00-\x20\x7f(){"%*\\\]]+')
_SEQUENCE = re.compile(rb"[0-9:*,]+")
_ITEM_NAME = re.compile(rb"[A-Za-z0-9.-]+")
_TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){"%*\\+]+')
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=")
_NUMBER = re.compile(rb"\d{1,10}")
_SECTION = re.compile(rb'\[((?:[^\]"\r\n]|"(?:[^"\\\r\n]|\\.)*")*)\]')
_MAX_NUMBER = 2**32 - 1


class Bad(Exception):
    """The command cannot be read, or not now: tagged BAD."""


class No(Exception):
    """The command was refused: tagged NO."""


@dataclass(frozen=True, slots=True)
class LiteralHeader:
    """The announcement of a literal at the end of a line; without `waits` the client sends it at once (LITERAL+)."""

    size: int
    waits: bool


def literal_header(line: bytes) -> LiteralHeader | None:
    match = _LITERAL_AT_END.search(line)
    return LiteralHeader(int(match[1]), not match[2]) if match else None


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """A set of message numbers or UIDs; None is `*`, the largest in use (RFC 3501 `sequence-set`)."""

    ranges: tuple[tuple[int | None, int | None], ...]

    def of(self, numbers: list[int]) -> list[int]:
        """Those of `numbers` (ascending) that are in the set, ascending."""
        if not numbers:
            return []
        largest = numbers[-1]
        spans = [
            sorted((largest if low is None else low, largest if high is None else high)) for low, high in self.ranges
        ]
        return [number for number in numbers if any(low <= number <= high for low, high in spans)]


class Arguments:
    """A cursor over a command's bytes. Each method reads one thing and raises Bad where it is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        match = pattern.match(self._data, self._at)
        if match is None:
            raise Bad(f"{what} expected")
        self._at = match.end()
        return match[0]

    def at(self, char: bytes) -> bool:
        return self._data.startswith(char, self._at)

    @property
    def done(self) -> bool:
        return self._at >= len(self._data)

    def end(self) -> None:
        if not self.done:
            raise Bad("too many arguments")

    def space(self) -> None:
        self.expect(b" ")

    def expect(self, char: bytes) -> None:
        if not self.at(char):
            raise Bad(f"{char.decode()!r} expected")
        self._at += len(char)

    def skip(self, char: bytes) -> bool:
        """Whether `char` is next; if so it is read."""
        found = self.at(char)
        if found:
            self._at += len(char)
        return found

    def atom(self) -> str:
        return self._match(_ATOM, "an atom").decode("ascii", "replace")

    def keyword(self) -> str:
        """An atom that is a word of the protocol, upper-case."""
        return self.atom().upper()

    def item_name(self) -> str:
        """The name of a FETCH item, upper-case, up to the bracket that may follow it."""
        return self._match(_ITEM_NAME, "a FETCH item").decode("ascii").upper()

    def tag(self) -> str:
        return self._match(_TAG, "a tag").decode("ascii", "replace")

    def base64(self) -> bytes:
        """An initial response (RFC 4959), undecoded."""
        return self._match(_BASE64, "base64")

    def number(self) -> int:
        number = int(self._match(_NUMBER, "a number"))
        if number > _MAX_NUMBER:
            raise Bad("number too large")
        return number

    def literal(self) -> bytes:
        match = _LITERAL.match(self._data, self._at)
        if match is None or match.end() + int(match[1]) > len(self._data):
            raise Bad("a literal expected")
        self._at = match.end() + int(match[1])
        return self._data[match.end() : self._at]

    def astring(self, bare: re.Pattern[bytes] = _ASTRING) -> bytes:
        if self.at(b'"'):
            quoted = self._match(_QUOTED, "a quoted string")
            return re.sub(rb'\\(["\\])', rb"\1", quoted[1:-1])
        if self.at(b"{") or self.at(b"~{"):
            return self.literal()
        return self._match(bare, "a string")

    def text(self) -> str:
        return self.astring().decode("utf-8", "replace")

    def nstring(self) -> bytes | None:
        if self._data[self._at : self._at + 3].upper() == b"NIL" and not self.at(b'"'):
            self._at += 3
            return None
        return self.astring()

    def folder(self) -> str:
        return _folder(self.astring())

    def list_pattern(self) -> str:
        return _folder(self.astring(_LIST_PATTERN))

    def flags(self) -> list[str]:
        """A parenthesised list of flags, or flags without parentheses as STORE allows."""
        if self.skip(b"("):
            found: list[str] = []
            while not self.skip(b")"):
                if found:
                    self.space()
                found.append(self._match(_FLAG, "a flag").decode("ascii", "replace"))
            return found
        found = [self._match(_FLAG, "a flag").decode("ascii", "replace")]
        while self.skip(b" "):
            found.append(self._match(_FLAG, "a flag").decode("ascii", "replace"))
        return found

    def sequence_set(self) -> SequenceSet:
        ranges = []
        for part in self._match(_SEQUENCE, "a sequence set").decode("ascii").split(","):
            low, colon, high = part.partition(":")
            ranges.append((_seq_number(low), _seq_number(high) if colon else _seq_number(low)))
        return SequenceSet(tuple(ranges))

    def at_sequence_set(self) -> bool:
        return self._data[self._at : self._at + 1] in tuple(b"%c" % char for char in b"0123456789*")

    def section(self) -> str:
        """What stands between `[` and `]` of BODY; quoted field names may hold a `]`."""
        match = _SECTION.match(self._data, self._at)
        if match is None:
            raise Bad("a section in brackets expected")
        self._at = match.end()
        return match[1].decode("ascii", "replace")


def _seq_number(text: str) -> int | None:
    if text == "*":
        return None
    if not re.fullmatch(r"[1-9]\d{0,9}", text) or int(text) > _MAX_NUMBER:
        raise Bad("a message number is 1 to 4294967295, or *")
    return int(text)


def _folder(name: bytes) -> str:
    try:
        return from_modified_utf7(name)
    except ValueError:
        raise Bad("a folder name is written in modified UTF-7") from None
