"""Reads a message's header section: fields, encoded words (RFC 2047), parameters. It does not look into the body."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable

from postroom.core.parse.charset import clean, codec_of, decode

CAP = 64 * 1024
"""Bytes of a header section that are read; what is beyond is cut off."""

_END = re.compile(rb"\r?\n[ \t]*\r?\n")
_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_PLAIN_FIELD = re.compile(r"^([!-9;-~]{1,200})[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_FOLD = re.compile(r"\n[ \t]+")
_STRANGE = re.compile(rb"[\0\x1b]")
_LINE_END = re.compile(rb"\r\n|\n")
_WORD = re.compile(r"=\?([^?\s]{1,75})\?([bBqQ])\?([^?]*)\?=")
_PARAMETER = re.compile(r";\s*([^\s=;]{1,40})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;\s]*))")
_BLANKS = re.compile(r"[\x01-\x20\x7f]+")  # not the wide space of Japanese, which is meant
_COMPLETE = 4  # characters of base64 that make three bytes


class Headers:
    """Header fields by name in lower case: value unfolded, its bytes made text, encoded words left alone."""

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            self._values.setdefault(name, []).append(value)

    def __bool__(self) -> bool:
        return bool(self._values)

    def all(self, name: str) -> list[str]:
        """Every value, in order."""
        return self._values.get(name, [])

    def first(self, name: str) -> str | None:
        """The first that says something: a message with two Subjects is read as mail programs read it."""
        return next(filter(None, self._values.get(name, ())), None)

    def has(self, name: str) -> bool:
        return name in self._values


def split(raw: bytes) -> tuple[bytes, int]:
    """The header section and where the body begins."""
    end = _END.search(raw)
    return (raw[: end.start()], end.end()) if end else (raw, len(raw))


def shorten(section: bytes) -> bytes:
    """At most CAP bytes of a header section, cut between two lines."""
    if len(section) <= CAP:
        return section
    line_end = section.rfind(b"\n", 0, CAP)
    return section[: line_end if line_end > 0 else CAP].rstrip(b"\r\n")


def read(section: bytes) -> Headers:
    """The fields of a header section. Lines that are no field are passed over."""
    if section.isascii() and not _STRANGE.search(section):  # most mail, and several times as fast
        text = section.decode("ascii").replace("\r\n", "\n")
        return Headers((name.lower(), _FOLD.sub(" ", value).strip()) for name, value in _PLAIN_FIELD.findall(text))
    fields: list[tuple[str, str]] = []
    name: str | None = None
    value: list[bytes] = []

    def close() -> None:
        if name is not None:
            fields.append((name, decode(b"".join(value)).strip()))

    for line in _LINE_END.split(section):
        if line[:1] in (b" ", b"\t"):
            value.append(b" " + line.lstrip(b" \t"))
            continue
        close()
        name, value = None, []
        if field := _FIELD.fullmatch(line):
            name, value = field[1].decode("ascii").lower(), [field[2]]
    close()
    return Headers(fields)


def decode_words(value: str) -> str:
    """Text with its encoded words decoded (RFC 2047). Broken ones stay as they are.

    Words of one charset that follow each other are decoded together: many senders split them inside a character.
    """
    if "=?" not in value:
        return value
    out: list[str] = []
    data, charset, end = b"", "", 0
    for word in _WORD.finditer(value):
        between = value[end : word.start()]
        content = _bytes_of(word[2], word[3])
        if content is None:
            continue
        same = word[1].lower() == charset and data and not between.strip()
        if not same and data:
            out.append(_text_of(data, charset))
        if between and (not data or between.strip()):
            out.append(between)
        data = data + content if same else content
        charset, end = word[1].lower(), word.end()
    if data:
        out.append(_text_of(data, charset))
    return clean("".join([*out, value[end:]]))


def _text_of(data: bytes, charset: str) -> str:
    return decode(data, charset if codec_of(charset) else None)


def _bytes_of(encoding: str, text: str) -> bytes | None:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    if len(kept) % _COMPLETE == 1:
        kept = kept[:-1]
    try:
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % _COMPLETE))
    except binascii.Error:
        return None


def unquoted(value: str) -> str:
    """A header's text as people read it: decoded, white space made single, no control characters."""
    return _BLANKS.sub(" ", decode_words(value)).strip(" ")


def parameter(value: str, name: str) -> str | None:
    """A plain parameter of a structured field such as Content-Type (RFC 2045 5.1), without RFC 2231."""
    for found in _PARAMETER.finditer(value[:CAP]):
        if found[1].lower() == name:
            return found[2] if found[2] is not None else found[3]
    return None
