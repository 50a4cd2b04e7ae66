"""Writes header fields (RFC 5322 2.2, RFC 2047) as bytes. Values come checked: no line break can be in them.

The standard library's fields are not used: it encodes long identifiers and loses the quotation marks of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.charset import Charset
from itertools import chain, repeat

from postroom.core.message import Address

_UTF8 = Charset("utf-8")
_WIDTH = 76
_LONGEST_WORD = 75  # RFC 2047 2
_LONGEST_UNBROKEN = 500  # half of what a line may hold (RFC 5322 2.1.1)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def text(name: str, value: str) -> bytes:
    """An unstructured field such as Subject: plain where it is ASCII, else in encoded words."""
    words = value.split(" ")
    if not value.isascii() or "=?" in value or max(map(len, words)) > _LONGEST_UNBROKEN:
        return _line(name, "\r\n ".join(_encoded(value, len(name) + 2)))
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _WIDTH and word and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return ("\r\n".join(lines) + "\r\n").encode()


def addresses(name: str, given: Iterable[Address]) -> bytes:
    """An address list, one address a line. Local parts that are not ASCII stand as UTF-8 (RFC 6532)."""
    return _line(name, ",\r\n ".join(_address(one) for one in given))


def identifiers(name: str, given: Iterable[str]) -> bytes:
    """Message-IDs in angle brackets, one a line."""
    return _line(name, "\r\n ".join(f"<{one}>" for one in given))


def _line(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def _address(one: Address) -> str:
    if not one.name:
        return one.email
    if not one.name.isascii() or "=?" in one.name or len(one.name) > _LONGEST_WORD:
        return "\r\n ".join([*_encoded(one.name, 0), f"<{one.email}>"])
    if _ATOMS.fullmatch(one.name):
        return f"{one.name} <{one.email}>"
    escaped = one.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{one.email}>'


def _encoded(value: str, taken: int) -> list[str]:
    """Encoded words, no character split between two."""
    lengths = chain([_LONGEST_WORD - taken], repeat(_LONGEST_WORD))
    return [one for one in _UTF8.header_encode_lines(value, lengths) if one]
