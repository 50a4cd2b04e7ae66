"""Splits the data of an IMAP response into atoms, strings and lists (RFC 9051 9). It knows no response by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from postroom.wire.imap.spool import Spooled

Piece = bytes | Spooled
"""A piece of a response: text, or a literal, which is on disk where it is big."""
Token = str | Piece | list["Token"] | None
"""An atom is str (a number too), a quoted string or literal is bytes, a parenthesised list is a list, NIL is None."""

DEEPEST: Final = 50


class Unparsable(Exception):
    """What the server sent is no IMAP. The text says what is wrong and quotes nothing: it may be a message."""


# A section such as BODY[HEADER.FIELDS ("X]Y" TO)]<0> is one name, with spaces and brackets in it. Anything that is no
# parenthesis, space or quote passes in an atom, for servers keep keywords such as [x or a{b that the grammar forbids.
_TOKEN: Final = re.compile(
    rb"""\x20*(?:
      (?P<open>\()
    | (?P<close>\))
    | "(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)"
    | (?P<section>(?:BODY|BINARY(?:\.SIZE)?)\[(?:[^\]"]|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+\](?:<\d+>)?)
    | (?P<atom>[^\x00-\x20()"][^\x00-\x20()]*+)
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def tokenise(pieces: Sequence[Piece]) -> list[Token]:
    """`pieces` are text, literal, text, literal … text, as they were framed. Raises Unparsable."""
    top: list[Token] = []
    current = top
    above: list[list[Token]] = []
    for index, piece in enumerate(pieces):
        if index % 2 or isinstance(piece, Spooled):
            current.append(piece)
            continue
        position = 0
        for match in _TOKEN.finditer(piece):
            if match.start() != position:
                break
            position = match.end()
            kind = match.lastgroup
            if kind == "atom":
                atom = match["atom"]
                current.append(None if len(atom) == 3 and atom.upper() == b"NIL" else atom.decode(errors="replace"))
            elif kind == "section":
                current.append(match["section"].decode(errors="replace").upper())
            elif kind == "quoted":
                quoted = match["quoted"]
                current.append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
            elif kind == "open":
                if len(above) == DEEPEST:
                    raise Unparsable("lists are nested too deeply")
                inner: list[Token] = []
                current.append(inner)
                above.append(current)
                current = inner
            elif not above:
                raise Unparsable("a parenthesis is closed that was not opened")
            else:
                current = above.pop()
        if piece[position:].strip():
            raise Unparsable("a string is not closed, or a character is not allowed where it stands")
    if above:
        raise Unparsable("a parenthesis is not closed")
    return top


def number(token: Token, *, most: int = 2**32 - 1) -> int:
    """An atom as a number from 0 to `most`. Raises Unparsable."""
    if isinstance(token, str) and token.isascii() and token.isdigit() and len(token) <= 20 and int(token) <= most:
        return int(token)
    raise Unparsable("a number was expected")
