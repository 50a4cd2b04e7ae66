"""Phrases: how rows name a server's words, and whether a text says one of them. No rows here: see `rules`.

A phrase is lower case, begins where a word begins, and may have gaps (…). Searching is by substring, never by regular
expression: its time grows with the text's length only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

GAP = "…"
_REACH = 120
"""How many characters a gap in a phrase may span: a phrase is about one sentence, not about a whole log."""
_TERM = re.compile(r"[a-z0-9]+")


class Phrase(NamedTuple):
    """A phrase, split at its gaps. `head` is its first word where it is a whole one: without it, no need to search."""

    head: str | None
    first: str
    others: tuple[str, ...]


Phrases = tuple[Phrase, ...]


def phrases(listed: str) -> Phrases:
    """The phrases of a list separated by bars and line ends; a blank that counts at a phrase's edge is written ␣."""
    parts = (" ".join(part.split()) for part in listed.replace("\n", "|").split("|"))
    return tuple(_phrase(part.replace("␣", " ")) for part in parts if part)


def terms_of(text: str) -> frozenset[str]:
    """The words and numbers of a lower-case text."""
    return frozenset(_TERM.findall(text))


def says_any(text: str, terms: frozenset[str], wanted: Phrases) -> bool:
    """Whether the text, whose words are `terms`, says one of the phrases."""
    for head, first, others in wanted:
        if (head is None or head in terms) and first in text and _found(text, first, others):
            return True
    return False


def _phrase(words: str) -> Phrase:
    first, *others = words.split(GAP)
    term = _TERM.match(first)
    whole = term is not None and term.end() < len(first) and first[term.end()].isascii()
    return Phrase(term.group() if term and whole else None, first, tuple(others))


def _found(text: str, first: str, others: tuple[str, ...]) -> bool:
    start = text.find(first)
    while start >= 0:
        if _begins_word(text, start) and _follow(text, start + len(first), others):
            return True
        start = text.find(first, start + 1)
    return False


def _begins_word(text: str, start: int) -> bool:
    letters = text[max(0, start - 1) : start + 1]
    return len(letters) < 2 or not (letters.isascii() and letters.isalnum())


def _follow(text: str, at: int, parts: tuple[str, ...]) -> bool:
    for part in parts:
        found = text.find(part, at, at + _REACH + len(part))
        if found < 0:
            return False
        at = found + len(part)
    return True
