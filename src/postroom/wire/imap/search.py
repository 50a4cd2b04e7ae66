"""UID SEARCH: which UIDs a folder has, by ESEARCH (RFC 4731) where it is offered. It fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from postroom.core.diagnosis.evidence import Stage
from postroom.core.uids import Run, Uids
from postroom.wire.imap.dates import day
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Data, Status
from postroom.wire.imap.tokens import Unparsable, number
from postroom.wire.imap.uids import HIGHEST, lowest_reached, uid_sets

AT_ONCE: Final = 50_000
"""Messages that one command looks through: the answer to more could be longer than a line may be."""

_RUN: Final = re.compile(r"(\d{1,10})(?::(\d{1,10}))?")


async def search(dialogue: Dialogue, among: Uids | None = None, since: date | None = None) -> Uids:
    """UIDs of the selected folder, of those `among` which is asked; `since` leaves out what the server took in on an
    earlier day (INTERNALDATE; RFC 9051 6.4.4). A server that cannot search by date gives all.

    Raises Failure (stage fetch).
    """
    dialogue.begin(Stage.FETCH)
    if not dialogue.exists or (among is not None and not among):
        return Uids()
    runs: list[Run] = []
    by_date = since is not None
    for window in _windows(dialogue.exists):
        for uids in uid_sets(among) if among is not None else (None,):
            words = window + (b"UID " + uids if uids is not None else b"" if window else b"ALL")
            if by_date and since is not None:
                if await _ask(dialogue, b"%s SINCE %s" % (words.strip(), day(since)), runs):
                    continue
                by_date = False
            await _ask(dialogue, words.strip(), runs)
    found = Uids.joined(runs)
    return found if among is None else found & among


def _windows(exists: int) -> Iterator[bytes]:
    """Message numbers, the highest first: what is expunged between two commands lets later messages fall into a window
    that is still to come, and none out of it."""
    if exists <= AT_ONCE:
        yield b""
        return
    for last in range(exists, 0, -AT_ONCE):
        yield b"%d:%s " % (max(1, last - AT_ONCE + 1), b"*" if last == exists else b"%d" % last)


async def _ask(dialogue: Dialogue, words: bytes, runs: list[Run]) -> bool:
    """Whether the server could; what it found is added to `runs`. What is not said is not taken for nothing found: an
    answer that does not come at all is asked for once more, in the old form, and what a limited one leaves out too."""
    extended = bool(dialogue.capabilities & {"ESEARCH", "IMAP4REV2"})
    answered, status = await _asked(dialogue, (b"RETURN (ALL) " if extended else b"") + words, runs)
    if status.word == "OK" and not answered:
        _, status = await _asked(dialogue, words, runs)
    before = HIGHEST
    while (reached := lowest_reached(status)) is not None and 1 < reached < before:
        before = reached
        _, status = await _asked(dialogue, b"%s UID 1:%d" % (words, reached - 1), runs)
    return status.word == "OK"


async def _asked(dialogue: Dialogue, words: bytes, runs: list[Run]) -> tuple[bool, Status]:
    """Whether an answer came, and how the command ended."""
    found: list[Run] = []
    answered = False

    def keep(data: Data) -> None:
        nonlocal answered
        answered = answered or data.name in ("SEARCH", "ESEARCH")
        if data.name == "SEARCH":
            # A CONDSTORE server may put (MODSEQ n) behind the numbers (RFC 7162 3.1.5).
            uids = (number(token) for token in data.tokens() if not isinstance(token, list))
            found.extend((uid, uid) for uid in uids)
        elif data.name == "ESEARCH":
            found.extend(_all_of(data))

    status = await dialogue.ask(b"UID SEARCH " + words, keep)
    if status.word != "OK" and b"SINCE" not in words:
        raise dialogue.refusal(status)
    runs.extend(found)
    return answered, status


def _all_of(data: Data) -> list[Run]:
    """ALL of `* ESEARCH (TAG "p1") UID ALL 1:3,5`; nothing where nothing was found. Raises Unparsable."""
    tokens = iter(data.tokens())
    for token in tokens:
        if isinstance(token, str) and token.upper() == "ALL":
            value = next(tokens, None)
            if not isinstance(value, str):
                raise Unparsable("an ESEARCH response whose ALL is no set")
            return [_run(part) for part in value.split(",")]
    return []


def _run(part: str) -> Run:
    found = _RUN.fullmatch(part)
    if not found:
        raise Unparsable("an ESEARCH response whose ALL is no set")
    first = number(found[1])
    last = number(found[2]) if found[2] else first
    return min(first, last), max(first, last)  # a set may be written backwards (RFC 9051 9, seq-range)
