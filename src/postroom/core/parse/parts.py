"""Reads the MIME tree of a message into parts with their bytes, within fixed bounds. It does not say what they mean."""

from __future__ import annotations

import email
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from fast_mail_parser import ParseError, PyLazyMimePart, parse_email_tree

from postroom.core.parse.charset import decode
from postroom.core.parse.headers import decode_words, parameter, shorten

MOST_PARTS = 500
DEEPEST = 100
MOST_WORDS = 4000
"""Encoded words: fast-mail-parser's time grows with their square."""
MOST_WORK = 1_000_000
"""Lines times multiparts that the slow parser is given; it looks for every open boundary on every line."""
LARGEST = 100 * 1024 * 1024
"""Bytes: fast-mail-parser takes no more, and a message that large comes from no mail server."""

TOO_DEEP = f"parts are nested more than {DEEPEST} deep; those below are not shown"
TOO_MANY = f"the message has more than {MOST_PARTS} parts; the rest are not shown"
REPAIRED = "the message is not well-formed; it was repaired"

_BOUNDARY = re.compile(rb"boundary", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A node of the MIME tree: `content` is decoded from its transfer encoding and empty for a multipart.

    `content_type` is in lower case without parameters; `is_message` marks an attached message, which is not opened.
    """

    content_type: str
    content: bytes = field(default=b"", repr=False)
    charset: str | None = None
    filename: str = ""
    disposition: str | None = None
    content_id: str | None = None
    is_message: bool = False
    children: tuple[Part, ...] = ()

    @property
    def is_multipart(self) -> bool:
        return self.content_type.startswith("multipart/")


class TooMuch(Exception):
    """The parts cannot be read within the bounds; the text is the fault, for people who look."""


class _Hollow(Exception):
    """A multipart without parts: its boundary is missing or wrong. The standard library keeps its text."""


def read(section: bytes, body: bytes, raw: bytes) -> tuple[Part, list[str]]:
    """The tree and what was wrong with it. `raw` is `section`, a blank line and `body`. Raises TooMuch."""
    if len(raw) > LARGEST:
        raise TooMuch(f"the message is larger than {LARGEST // 1024 // 1024} MB; its parts are not opened")
    shortened = shorten(section)
    if len(shortened) < len(section):
        raw = shortened + b"\r\n\r\n" + body
    if raw.count(b"=?") <= MOST_WORDS:
        try:
            return _Reader(raw).of_fast(parse_email_tree(raw, mode="lazy"))
        except (ParseError, _Hollow):
            pass
    part, faults = _slowly(raw)
    return part, [REPAIRED, *faults]


def _slowly(raw: bytes) -> tuple[Part, list[str]]:
    """By the standard library, which takes anything but needs bounds and has no types for what it did."""
    if raw.count(b"\n") * (1 + len(_BOUNDARY.findall(raw))) > MOST_WORK:
        raise TooMuch("the message is too intricate; its parts are not opened")
    try:
        return _Reader(raw).of_slow(email.message_from_bytes(raw))
    except RecursionError:
        raise TooMuch(TOO_DEEP) from None


class _Reader:
    """One reading: counts parts and notes faults."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._count = 0
        self._faults: dict[str, None] = {}

    def of_fast(self, root: PyLazyMimePart) -> tuple[Part, list[str]]:
        return self._fast(root, 0), list(self._faults)

    def of_slow(self, root: Message) -> tuple[Part, list[str]]:
        return self._slow(root, 0), list(self._faults)

    def _within(self, depth: int) -> bool:
        self._count += 1
        if self._count > MOST_PARTS:
            self._faults[TOO_MANY] = None
            return False
        if depth > DEEPEST:
            self._faults[TOO_DEEP] = None
            return False
        return True

    def _fast(self, node: PyLazyMimePart, depth: int) -> Part:
        content_type = _type(node.content_type)
        if content_type.startswith("multipart/"):
            if not node.children:
                raise _Hollow
            children = (self._fast(one, depth + 1) for one in node.children if self._within(depth + 1))
            return Part(content_type, children=tuple(children))
        charset = None
        if content_type.startswith("text/"):
            value = next((values[0] for key, values in node.headers.items() if key.lower() == "content-type"), "")
            charset = parameter(value, "charset") if value else None
        return Part(
            content_type,
            node.content or b"",
            charset,
            self._filename(node.filename),
            node.disposition.lower() if node.disposition else None,
            node.content_id,
            node.is_message,
        )

    def _filename(self, name: str) -> str:
        """fast-mail-parser takes bytes that are not UTF-8 for Latin-1; file names in old Chinese mail are GBK."""
        if not name.isascii():
            try:
                as_latin = name.encode("latin-1")
            except UnicodeEncodeError:
                return name
            if as_latin in self._raw:
                return decode(as_latin)
        return decode_words(name)

    def _slow(self, node: Message, depth: int) -> Part:
        content_type = _type(node.get_content_type())
        payload = node.get_payload()
        if content_type.startswith("multipart/"):
            if isinstance(payload, list):
                children = (self._slow(one, depth + 1) for one in _messages(payload) if self._within(depth + 1))
                return Part(content_type, children=tuple(children))
            self._faults["the message says that it has parts but has none"] = None
            return Part("text/plain", _bytes(node), None)
        is_message = isinstance(payload, list)
        return Part(
            content_type,
            b"".join(_flattened(_messages(payload))) if is_message else _bytes(node),
            _plain(node.get_param("charset")),
            decode_words(_plain(node.get_filename()) or ""),
            node.get_content_disposition(),
            (_plain(node.get("content-id")) or "").strip(" <>") or None,
            is_message,
        )


def _type(value: str) -> str:
    """`text/plain` where none is said (RFC 2045 5.2) or it is no type at all."""
    lower = value.strip().lower()
    return lower if re.fullmatch(r"[!-.0-~]{1,127}/[!-.0-~]{1,127}", lower) else "text/plain"


def _messages(payload: object) -> list[Message]:
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _bytes(node: Message) -> bytes:
    content = node.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _flattened(messages: list[Message]) -> Iterator[bytes]:
    for one in messages:
        try:
            yield one.as_bytes()
        except (ValueError, LookupError, TypeError, AttributeError):
            yield _bytes(one)


def _plain(value: object) -> str | None:
    """compat32 gives a header or parameter as text, as a Header for 8-bit bytes, or as an RFC 2231 triple."""
    if value is None:
        return None
    if isinstance(value, tuple):
        value = email.utils.collapse_rfc2231_value(value)
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
