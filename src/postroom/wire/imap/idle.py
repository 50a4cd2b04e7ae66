"""Waiting for news: IDLE (RFC 2177) and NOOP. It does not fetch what is new."""

from __future__ import annotations

import time

from postroom.core.diagnosis.evidence import Stage
from postroom.core.ports.wire import Idled
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Data, Response, Status


async def idle(dialogue: Dialogue, seconds: float) -> Idled:
    """IDLE until there is news, `seconds` have passed or the server ends it. News that came since the last look (during
    a fetch, before the server's "+") counts."""
    dialogue.begin(Stage.IDLE)
    if dialogue.news:
        return _told(dialogue)
    tag = await dialogue.send(b"IDLE")
    answer = await dialogue.continuation(tag)
    if isinstance(answer, Status):
        dialogue.accepted(answer)
        return _told(dialogue)
    ends = time.monotonic() + seconds
    while not dialogue.news and (left := ends - time.monotonic()) > 0:
        if not await dialogue.stream.arrival(left):
            break
        response = await dialogue.response()
        _note_flags(dialogue, response)
        if isinstance(response, Status) and response.tag == tag:
            dialogue.accepted(response)
            return _told(dialogue)
    await dialogue.stream.write(b"DONE\r\n")
    dialogue.accepted(await dialogue.result(tag, lambda data: _note_flags(dialogue, data)))
    return _told(dialogue)


async def noop(dialogue: Dialogue) -> Idled:
    """NOOP, and whether there is news."""
    dialogue.begin(Stage.IDLE)
    await dialogue.must(b"NOOP", lambda data: _note_flags(dialogue, data))
    return _told(dialogue)


def _note_flags(dialogue: Dialogue, response: Response) -> None:
    if isinstance(response, Data) and response.name == "FETCH":
        dialogue.news = True


def _told(dialogue: Dialogue) -> Idled:
    news, dialogue.news = dialogue.news, False
    return Idled.NEWS if news else Idled.RENEW
