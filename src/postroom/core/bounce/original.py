"""Finds which message a report is about: the Message-ID of what it returns. It does not know whether it is ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from postroom.core.bounce.report import STATUS_TYPES, blocks
from postroom.core.message import Parsed
from postroom.core.parse import headers
from postroom.core.parse.addresses import message_ids as in_brackets
from postroom.core.parse.headers import Headers
from postroom.core.parse.parts import Part

RETURNED_TYPES = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})
NAMES = (
    "message-id",
    "x-original-message-id",
    "x-google-original-message-id",
    "x-microsoft-original-message-id",
    "original-message-id",
)
"""Of a returned header section. Servers that write a Message-ID of their own keep ours under one of the other names."""
MOST = 20

_LINE = re.compile(r"^[>|\s]*(?:x-[a-z-]*original-)?message-id\s*:\s*(<[^<>\s]{3,900}>)", re.IGNORECASE | re.MULTILINE)


def message_ids(found: Headers, leaves: Iterable[Part], parsed: Parsed) -> tuple[str, ...]:
    """Candidates, the surest first: what is returned, the report's fields, its own references, what it quotes."""
    leaves = list(leaves)
    named = [*_returned(leaves), *_of_fields(leaves), *_of_header(found, parsed), *_quoted(leaves, parsed)]
    own = parsed.message_id
    return tuple(one for one in dict.fromkeys(named) if one != own)[:MOST]


def _returned(leaves: list[Part]) -> Iterator[str]:
    for leaf in leaves:
        if leaf.content_type in RETURNED_TYPES:
            section, _ = headers.split(leaf.content.lstrip())
            yield from _named(headers.read(headers.shorten(section)), (*NAMES[1:], NAMES[0]))


def _of_fields(leaves: list[Part]) -> Iterator[str]:
    for leaf in leaves:
        if leaf.content_type in STATUS_TYPES:
            for block in blocks(leaf):
                yield from _named(block, NAMES)


def _of_header(found: Headers, parsed: Parsed) -> Iterator[str]:
    yield from _named(found, NAMES[1:])
    if parsed.in_reply_to:
        yield parsed.in_reply_to
    yield from parsed.references[-1:]  # those before it are of older messages


def _quoted(leaves: list[Part], parsed: Parsed) -> Iterator[str]:
    texts = [parsed.text, *(leaf.content.decode("utf-8", "replace") for leaf in leaves if _is_text(leaf))]
    for text in texts:
        for line in _LINE.findall(text[:200_000]):
            yield from in_brackets(line)


def _is_text(leaf: Part) -> bool:
    return leaf.content_type.startswith("text/") and leaf.content_type not in RETURNED_TYPES


def _named(found: Headers, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        for value in found.all(name):
            yield from in_brackets(value)[:1]
