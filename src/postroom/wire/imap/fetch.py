"""UID FETCH: sizes, whole messages as they arrive, and Message-IDs. It decides not what to fetch, nor why."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from postroom.core.cursor import Sized
from postroom.core.diagnosis.evidence import Stage
from postroom.core.ports.wire import Fetched
from postroom.core.uids import Uids
from postroom.wire.imap.dates import parse_date_time
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Continuation, Data, Status
from postroom.wire.imap.tokens import Piece, Token, Unparsable, number
from postroom.wire.imap.uids import HIGHEST, lowest_reached, uid_sets

PIPELINED: Final = 2
"""Commands under way at once: the server works on the next while we read this one's answer."""

LONGEST_THREAD: Final = 255
"""Characters of an OBJECTID (RFC 8474 3)."""

_MESSAGE_ID: Final = re.compile(rb"^message-id:\s*<?\s*([^>\s]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Item:
    """What one FETCH response says. `uid` is None in updates that the server sends by itself."""

    uid: int | None
    values: dict[str, Token]

    def body(self, name: str = "BODY[]") -> Piece | None:
        """BODY[] where it is there and not NIL."""
        value = self.values.get(name)
        return value.encode() if isinstance(value, str) else None if isinstance(value, list) else value


def item_of(data: Data) -> Item:
    """Raises Unparsable."""
    tokens = data.tokens()
    if len(tokens) != 1 or not isinstance(tokens[0], list) or len(tokens[0]) % 2:
        raise Unparsable("a FETCH response that is no list of names and values")
    pairs = iter(tokens[0])
    values: dict[str, Token] = {}
    for name, value in zip(pairs, pairs, strict=True):
        if not isinstance(name, str):
            raise Unparsable("a FETCH response with a name that is no atom")
        values[name.upper()] = value
    return Item(number(values["UID"]) if "UID" in values else None, values)


async def sizes(dialogue: Dialogue, first_uid: int) -> list[Sized]:
    """RFC822.SIZE of every message from `first_uid` on, ascending."""
    dialogue.begin(Stage.FETCH)
    dialogue.news = False  # what comes from here on is either in the answer or news again
    if not dialogue.exists:
        return []
    # first:* gives the last message even where its UID is lower than first (RFC 9051 6.4.9).
    found, reached = await _sizes(dialogue, b"%d:*" % max(1, first_uid))
    before = HIGHEST
    while reached is not None and max(1, first_uid) < reached < before:
        before = reached
        more, reached = await _sizes(dialogue, b"%d:%d" % (max(1, first_uid), reached - 1))
        found |= more
    return [Sized(uid, size) for uid, size in sorted(found.items()) if uid >= first_uid]


async def sizes_of(dialogue: Dialogue, uids: Uids) -> list[Sized]:
    """RFC822.SIZE of these messages, ascending; those that are not there are missing."""
    dialogue.begin(Stage.FETCH)
    found: dict[int, int] = {}
    left, before = uids, HIGHEST
    while left:
        reached = 0
        for words in uid_sets(left):
            more, stopped = await _sizes(dialogue, words)
            found |= more
            reached = max(reached, stopped or 0)
        left = (left & Uids.between(1, reached - 1)) - Uids.of(found) if reached < before else Uids()
        before = reached
    return [Sized(uid, size) for uid, size in sorted(found.items()) if uid in uids]


async def _sizes(dialogue: Dialogue, words: bytes) -> tuple[dict[int, int], int | None]:
    """By UID; and where the server stopped, when it answers for so many messages only."""
    found: dict[int, int] = {}

    def keep(data: Data) -> None:
        if data.name != "FETCH":
            return
        item = item_of(data)
        if item.uid is not None and "RFC822.SIZE" in item.values:
            found[item.uid] = number(item.values["RFC822.SIZE"], most=2**63 - 1)

    status = await dialogue.must(b"UID FETCH %s (UID RFC822.SIZE)" % words, keep)
    return found, lowest_reached(status)


async def messages(dialogue: Dialogue, uids: Sequence[int]) -> AsyncGenerator[Fetched, None]:
    """Whole messages as they arrive. Left before its end, the connection is closed: it still speaks of them."""
    dialogue.begin(Stage.FETCH)
    wanted = set(uids)
    waiting = uid_sets(wanted)
    thread = thread_item(dialogue.capabilities)
    under_way: set[str] = set()
    reached, before = 0, HIGHEST
    finished = False
    try:
        while True:
            await _send_more(dialogue, waiting, under_way, thread)
            if not under_way and 0 < reached < before:
                waiting = uid_sets([uid for uid in wanted if uid < reached])
                reached, before = 0, reached
                continue
            if not under_way:
                finished = True
                return
            response = await dialogue.response()
            if isinstance(response, Status):
                if response.tag in under_way:
                    under_way.remove(response.tag)
                    _accept(dialogue, response)
                    reached = max(reached, lowest_reached(response) or 0)
            elif isinstance(response, Continuation):
                raise dialogue.nonsense("the server asks for more where nothing is missing")
            elif response.name == "FETCH":
                fetched = _fetched(dialogue, response)
                if fetched is not None and fetched.uid in wanted:
                    wanted.remove(fetched.uid)
                    yield fetched
    finally:
        if not finished:
            dialogue.stream.abort()


async def _send_more(dialogue: Dialogue, waiting: Iterator[bytes], under_way: set[str], thread: bytes) -> None:
    while len(under_way) < PIPELINED and (uids := next(waiting, None)):
        items = b"UID FLAGS INTERNALDATE %sBODY.PEEK[]" % (thread + b" " if thread else b"")
        under_way.add(await dialogue.send(b"UID FETCH %s (%s)" % (uids, items)))


def thread_item(capabilities: frozenset[str]) -> bytes:
    """What is asked for the provider's name of a message's conversation: Gmail's X-GM-THRID (X-GM-EXT-1), else THREADID
    (OBJECTID, RFC 8474 5.2); empty where it has none."""
    return b"X-GM-THRID" if "X-GM-EXT-1" in capabilities else b"THREADID" if "OBJECTID" in capabilities else b""


def _thread(item: Item) -> str | None:
    """A number, or one identifier in parentheses; NIL where the server does not say."""
    value = item.values.get("X-GM-THRID") or item.values.get("THREADID")
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    return value[:LONGEST_THREAD] if isinstance(value, str) else None


def _accept(dialogue: Dialogue, status: Status) -> None:
    if status.word != "OK" and status.code != "EXPUNGEISSUED":  # RFC 5530: some of them are gone, the others came
        raise dialogue.refusal(status)


async def part(dialogue: Dialogue, uid: int, begin: int, size: int) -> Fetched | None:
    """`size` bytes of a message from `begin` on (RFC 9051 6.4.5), fewer at its end; None where it is not there."""
    dialogue.begin(Stage.FETCH)
    thread = thread_item(dialogue.capabilities)
    items = b"UID FLAGS INTERNALDATE %sBODY.PEEK[]<%d.%d>" % (thread + b" " if thread else b"", begin, size)
    found: list[Fetched] = []

    def keep(data: Data) -> None:
        if data.name == "FETCH" and (one := _fetched(dialogue, data, f"BODY[]<{begin}>")) and one.uid == uid:
            found.append(one)

    _accept(dialogue, await dialogue.ask(b"UID FETCH %d (%s)" % (uid, items), keep))
    return found[0] if found else None


def _fetched(dialogue: Dialogue, data: Data, body: str = "BODY[]") -> Fetched | None:
    """None for an update of flags, and for a message that is there and has no body to give (BODY[] NIL)."""
    try:
        item = item_of(data)
    except Unparsable as error:
        raise dialogue.nonsense(str(error)) from error
    raw = item.body(body)
    if raw is None:
        return None
    if item.uid is None:
        raise dialogue.nonsense("a message without its UID")
    date = item.values.get("INTERNALDATE")
    flags = item.values.get("FLAGS")
    return Fetched(
        uid=item.uid,
        raw=raw,
        internal_date=parse_date_time(date) if isinstance(date, bytes) else None,
        flags=frozenset(flag for flag in flags if isinstance(flag, str)) if isinstance(flags, list) else frozenset(),
        thread=_thread(item),
    )


async def message_ids(dialogue: Dialogue, command: bytes) -> dict[int, str]:
    """UID and Message-ID (without angle brackets) of the messages that `command` names: `UID FETCH 1,2` for example."""
    found: dict[int, str] = {}

    def keep(data: Data) -> None:
        if data.name != "FETCH":
            return
        item = item_of(data)
        for name, value in item.values.items():
            if item.uid is not None and isinstance(value, bytes) and name.startswith("BODY[HEADER"):
                header = _MESSAGE_ID.search(value)
                if header:
                    found[item.uid] = header[1].decode(errors="replace")

    status = await dialogue.ask(command + b" (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", keep)
    _accept(dialogue, status)
    return found
