"""Reads SMTP replies and EHLO keywords out of lines (RFC 5321 4.2, 4.1.1.1; RFC 2034). It reads no connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from postroom.core.budget import UNTOLD, Told

MOST_LINES = 512
"""Lines of one reply; a server that goes on after that is not speaking SMTP any more."""
LONGEST_LINE = 8192
"""Bytes of one reply line. RFC 5321 4.5.3.1.5 allows 512; some servers write more."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|\Z)")


class NotSmtp(Exception):
    """What the server sent is no SMTP reply; the text says in which way, and the lines stay with the reader."""


@dataclass(frozen=True, slots=True)
class Lines:
    """One whole reply: its code and all of its lines as they came, without CRLF, decoded with replacement."""

    code: int
    lines: tuple[str, ...]

    @property
    def raw(self) -> str:
        return "\n".join(self.lines)

    @property
    def text(self) -> str:
        """The words without the codes before them, lines parted by a newline."""
        code = str(self.code)
        return "\n".join(line[4:] if line.startswith(code) else line for line in self.lines)

    @property
    def enhanced(self) -> str | None:
        """The RFC 3463 code of the first line that has one (RFC 2034 section 4 asks for it on every line)."""
        for line in self.lines:
            found = _ENHANCED.match(line[4:].lstrip())
            if found and found.group(1)[0] == str(self.code)[0]:
                return found.group(1)
        return None

    @property
    def accepted(self) -> bool:
        """2yz. What waits for more (3yz) is no acceptance."""
        return self.code // 100 == 2

    @property
    def refused(self) -> bool:
        """4yz or 5yz."""
        return self.code >= 400


class ReplyReader:
    """Puts the lines of one reply after the other together: `feed` gives a reply when its last line has come.

    Lenient where nothing can be mistaken: a bare code without text, a line inside a reply that lacks its code (some
    servers fold their text), codes that differ between the lines (the last one counts). Raises NotSmtp for the rest.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    @property
    def partial(self) -> str:
        """The lines of the reply that has not ended yet."""
        return "\n".join(self._lines)

    def feed(self, line: bytes) -> Lines | None:
        """Takes a line without its CRLF. Raises NotSmtp; `partial` then shows what came."""
        words = line.rstrip(b"\r\n")
        # A NUL too is no character of a reply (RFC 5321 4.2), and PostgreSQL would not keep the answer for its sake.
        self._lines.append(words.decode("utf-8", "replace").replace("\0", "\ufffd"))
        if len(self._lines) > MOST_LINES:
            raise NotSmtp(f"a reply of more than {MOST_LINES} lines")
        found = _LINE.match(words)
        if found is None:
            if len(self._lines) > 1:
                return None
            raise NotSmtp("the server's words are no SMTP reply")
        if found.group(2) == b"-":
            return None
        reply = Lines(int(found.group(1)), tuple(self._lines))
        self._lines = []
        return reply


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What EHLO announced; nothing at all after HELO. In `told`, `size` is None where there is no fixed limit."""

    keywords: frozenset[str] = frozenset()
    mechanisms: tuple[str, ...] = ()
    told: Told = UNTOLD
    raw: str = field(default="", repr=False)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords


def capabilities_of(reply: Lines) -> Capabilities:
    """Reads a 250 reply to EHLO. `AUTH=LOGIN PLAIN`, which old servers announce beside or for AUTH, counts as AUTH."""
    keywords: set[str] = set()
    mechanisms: list[str] = []
    size: int | None = None
    most: dict[str, int] = {}
    for line in reply.lines[1:]:
        words = line[4:].upper().split()
        if not words:
            continue
        if words[0].startswith("AUTH="):
            words = ["AUTH", words[0].removeprefix("AUTH="), *words[1:]]
        keywords.add(words[0])
        if words[0] == "AUTH":
            mechanisms += [word for word in words[1:] if word and word not in mechanisms]
        elif words[0] == "SIZE" and len(words) > 1 and words[1].isascii() and words[1].isdigit():
            size = int(words[1][:19]) or None
        elif words[0] == "LIMITS":
            most = dict(_limits(words[1:]))
    told = Told(size, most.get("RCPTMAX"), most.get("MAILMAX"))
    return Capabilities(frozenset(keywords), tuple(mechanisms), told, reply.raw)


def _limits(words: list[str]) -> Iterator[tuple[str, int]]:
    """RFC 9422 2: name=number, each number from 1 to 999999; what is not of this form is passed over."""
    for word in words:
        name, _, value = word.partition("=")
        if value.isascii() and value.isdigit() and len(value) <= 6 and int(value) > 0:
            yield name, int(value)
