"""IMAP responses as data (RFC 9051 7): what was framed goes in, a Status, a Continuation or Data comes out. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from postroom.wire.imap.spool import Spooled
from postroom.wire.imap.tokens import Piece, Token, Unparsable, tokenise

_STATUS: Final = re.compile(rb"(\S+) +(OK|NO|BAD|BYE|PREAUTH)(?: +(.*))?$", re.IGNORECASE | re.DOTALL)
_CODE: Final = re.compile(rb"\[([^\s\]]+)(?: +((?:[^\]\"]|\"[^\"]*\")*+))?\] *(.*)", re.DOTALL)
_DATA: Final = re.compile(rb"\* +(?:(\d{1,10}) +)?([A-Za-z][^ ()\"]*) *", re.DOTALL)
_LITERAL: Final = re.compile(rb"~?\{(\d{1,15})\+?\}$")


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, BYE or PREAUTH, tagged or not (`tag` is "*"). `code` is the response code in capitals and `argument`
    what stands behind it; `line` is the whole line as it came."""

    tag: str
    word: str
    code: str | None
    argument: str
    text: str
    line: str

    @property
    def untagged(self) -> bool:
        return self.tag == "*"


@dataclass(frozen=True, slots=True)
class Continuation:
    """The server wants more ("+"); `text` is what stands behind it."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Data:
    """An untagged response that is no status: `* 12 FETCH (…)` has number 12 and name FETCH.

    The rest is read only when somebody asks for it, so that what nobody needs cannot be wrong.
    """

    number: int | None
    name: str
    _pieces: Sequence[Piece]

    def tokens(self) -> list[Token]:
        """What stands behind the name. Raises Unparsable."""
        return tokenise(self._pieces)


Response = Status | Continuation | Data


def literal_behind(line: bytes) -> int | None:
    """The size in bytes of the literal that follows this line, None where none does. A status line announces none:
    its text may end in braces."""
    if not line.endswith(b"}") or _STATUS.match(line):
        return None
    announced = _LITERAL.search(line)
    return int(announced[1]) if announced else None


def without_announcement(line: bytes) -> bytes:
    """A line that announces a literal, without the announcement."""
    return line[: line.rindex(b"{")].removesuffix(b"~")


def parse(pieces: Sequence[Piece]) -> Response:
    """One response from its pieces: text, literal, text … text. Raises Unparsable."""
    line = pieces[0]
    if isinstance(line, Spooled):
        raise Unparsable("a response that begins with a literal")
    if line.startswith(b"* ") and (found := _DATA.match(line)) and found[2].upper() not in _STATUS_WORDS:
        rest = (line[found.end() :], *pieces[1:])
        return Data(int(found[1]) if found[1] else None, found[2].decode(errors="replace").upper(), rest)
    if line.startswith(b"+"):
        return Continuation(line[1:].strip())
    if status := _STATUS.match(line):
        return _status(status[1], status[2], status[3] or b"", line)
    raise Unparsable("a line that is no IMAP response")


_STATUS_WORDS: Final = frozenset((b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"))


def _status(tag: bytes, word: bytes, rest: bytes, line: bytes) -> Status:
    coded = _CODE.match(rest)
    code, argument, text = (coded[1], coded[2] or b"", coded[3]) if coded else (None, b"", rest)
    return Status(
        tag=tag.decode(errors="replace"),
        word=word.decode().upper(),
        code=code.decode(errors="replace").upper() if code else None,
        argument=argument.decode(errors="replace"),
        text=text.decode(errors="replace"),
        line=line.decode(errors="replace"),
    )
