"""Fetching against scripted servers: what servers do that Dovecot does not."""

import asyncio
import time
import tracemalloc
from contextlib import aclosing

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.ports.wire import Fetched, Idled
from postroom.wire.imap import Session
from tests.wire.imap_peer import selected, session
from tests.wire.peer import Peer

FETCH = b"UID FETCH "


def fetched(uid: int, raw: bytes, sequence: int = 1) -> bytes:
    return b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {%d}\r\n%s)\r\n' % (
        sequence,
        uid,
        len(raw),
        raw,
    )


async def all_of(opened: Session, uids: list[int]) -> list[Fetched]:
    return [one async for one in opened.fetch(uids)]


# Fetch


async def test_messages_come_byte_for_byte_with_flags_and_date() -> None:
    raw = b'Subject: 5* hotel\r\n\r\n"(sad :(\\ {3}\r\np1 OK\r\n* BYE\r\n\0\xff)'

    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"UID FETCH 5,7:8 (UID FLAGS INTERNALDATE BODY.PEEK[])")
        await peer.send(fetched(5, raw) + fetched(7, b"") + fetched(8, b"x\r\n"))
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        one, two, three = await all_of(opened, [8, 5, 7])
        assert (one.uid, one.raw, one.flags) == (5, raw, {"\\Seen"})
        assert one.internal_date.isoformat() == "1996-07-17T09:44:25+00:00"
        assert (two.uid, two.raw, three.uid, three.raw) == (7, b"", 8, b"x\r\n")
        assert raw[:9].decode() not in repr(one)


@pytest.mark.parametrize(
    ("capability", "item", "answered", "thread"),
    [
        (b"X-GM-EXT-1", b"X-GM-THRID", b"X-GM-THRID 1278455344230334865", "1278455344230334865"),
        (b"OBJECTID", b"THREADID", b"THREADID (T64b478a75b7ea9)", "T64b478a75b7ea9"),
        (b"OBJECTID", b"THREADID", b"THREADID NIL", None),
        (b"OBJECTID", b"THREADID", b"THREADID ()", None),
    ],
)
async def test_the_providers_thread_comes_with_a_message(capability, item, answered, thread) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 1, b"* CAPABILITY IMAP4rev1 " + capability)
        tag = await peer.command(b"UID FETCH 5 (UID FLAGS INTERNALDATE %s BODY.PEEK[])" % item)
        await peer.send(b"* 1 FETCH (UID 5 %s FLAGS () BODY[] {3}\r\none)\r\n" % answered)
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        (one,) = await all_of(opened, [5])
        assert (one.raw, one.thread) == (b"one", thread)


async def test_news_in_the_middle_of_a_fetch_disturbs_nothing() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(FETCH)
        await peer.send(
            b"* 4 EXISTS\r\n* 1 RECENT\r\n" + fetched(1, b"one") + b"* 2 FETCH (FLAGS (\\Seen [x))\r\n"
            b"* 3 FETCH (UID 3 FLAGS (\\Deleted))\r\n* 2 EXPUNGE\r\n* OK [ALERT] full soon\r\n"
            b"* OK Still here\r\n* LIST gibber((ish\r\n"
            + fetched(99, b"nobody asked")
            + fetched(3, b"three")
            + fetched(3, b"again")
        )
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert [(one.uid, one.raw) for one in await all_of(opened, [1, 2, 3])] == [(1, b"one"), (3, b"three")]
        assert await opened.idle(0) is Idled.NEWS  # told now, though it came then


@pytest.mark.parametrize("body", [b"BODY[] NIL", b"FLAGS ()", b"RFC822.SIZE 3"])
async def test_a_message_without_a_body_is_missing_and_the_others_come(body: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(FETCH)
        await peer.send(b"* 1 FETCH (UID 1 " + body + b")\r\n" + fetched(2, b"two"))
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert [one.uid for one in await all_of(opened, [1, 2])] == [2]


@pytest.mark.parametrize(
    ("response", "raw"),
    [
        (b'* 1 FETCH (BODY[] "short \\"quoted\\"" UID 1)\r\n', b'short "quoted"'),
        (b"* 1 FETCH (BODY[] ~{2}\r\nab UID 1)\r\n", b"ab"),
        (b"* 1 fetch (uid 1 body[] {2+}\r\nab)\r\n", b"ab"),
        (b"* 1 FETCH (BODY[] {2}\r\nab UID 1 FLAGS ({4}\r\nkeyw))\r\n", b"ab"),
    ],
)
async def test_a_body_comes_in_every_form_of_string(response: bytes, raw: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(FETCH)
        await peer.send(response)
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert [(one.uid, one.raw) for one in await all_of(opened, [1])] == [(1, raw)]


async def test_scattered_uids_go_in_short_lines_two_at_a_time() -> None:
    uids = list(range(1, 6000, 2))
    lines: list[bytes] = []

    async def story(peer: Peer) -> None:
        await selected(peer)
        tags = [await peer.command(FETCH), await peer.command(FETCH)]  # the second without waiting for an answer
        sent = 0
        while tags:
            tag = tags.pop(0)
            await peer.say(tag + b" OK done")
            sent += 1
            if sent < 3:
                await asyncio.sleep(0)
            if len(peer.heard) < 5 and len(b"".join(peer.heard)) < len(",".join(map(str, uids))):
                tags.append(await peer.command(FETCH))
        lines.extend(peer.heard)

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await all_of(opened, uids) == []
    fetches = [line for line in lines if FETCH in line]
    assert len(fetches) >= 2
    assert max(map(len, fetches)) < 8192
    asked = ",".join(line.split(b" ")[3].decode() for line in fetches)
    assert asked == ",".join(map(str, uids))


async def test_a_literal_of_forty_megabytes_is_in_memory_once() -> None:
    size = 40 * 2**20

    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(FETCH)
        await peer.send(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % size)
        block = b"0123456789abcde\n" * 65536
        for _ in range(size // len(block)):
            await peer.send(block)
        await peer.say(b")", tag + b" OK done")

    async with session(story, patience=30) as opened:
        await opened.select("INBOX")
        tracemalloc.start()
        started = time.perf_counter()
        try:
            (only,) = await all_of(opened, [1])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(only.raw) == size
        assert peak < 1.6 * size
        assert time.perf_counter() - started < 20


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"NO [SERVERBUG] Server Unavailable. 15", "NO"),
        (b"BAD Too long argument", "BAD"),
        (b"NO [EXPUNGEISSUED] gone", None),
    ],
)
async def test_a_refused_fetch_fails_unless_messages_were_only_expunged(answer: bytes, status: str | None) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(FETCH)
        await peer.send(fetched(1, b"one"))
        await peer.say(tag + b" " + answer)

    async with session(story) as opened:
        await opened.select("INBOX")
        arrived: list[int] = []

        async def fetch() -> None:
            async for one in opened.fetch([1, 2]):
                arrived.append(one.uid)

        if status is None:
            await fetch()
        else:
            with pytest.raises(Failure) as caught:
                await fetch()
            assert (caught.value.evidence.stage, caught.value.evidence.status) == (Stage.FETCH, status)
        assert arrived == [1]
        assert opened.closed == (status is not None)


async def test_a_connection_cut_inside_a_message_shows_no_message_text() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.command(FETCH)
        await peer.send(b"* 1 FETCH (UID 1 BODY[] {1000}\r\nSubject: confidential")
        peer.writer.close()

    async with session(story) as opened:
        await opened.select("INBOX")
        with pytest.raises(Failure) as caught:
            await all_of(opened, [1])
        assert caught.value.evidence.exception == "ConnectionLost: the server closed the connection"
        assert "confidential" not in f"{caught.value!r}{caught.value.evidence!r}{opened.transcript}"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"* 1 FETCH (UID 1 BODY[] {2}\r\nab",
        b"* 1 FETCH UID 1",
        b"* 1 FETCH (BODY[] {2}\r\nab)",
        b"* 1 FETCH (UID x)",
        b"hello",
    ],
)
async def test_a_nonsensical_answer_is_a_protocol_error(nonsense: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.command(FETCH)
        await peer.say(nonsense)

    async with session(story) as opened:
        await opened.select("INBOX")
        with pytest.raises(Failure) as caught:
            await all_of(opened, [1])
        assert caught.value.evidence.exception.startswith("ProtocolError: ")
        assert opened.closed


async def test_nonsense_is_quoted_where_it_can_be_no_message() -> None:
    async def story(peer: Peer) -> None:
        await peer.command(b"NOOP")
        await peer.say(b"HTTP/1.1 502 Bad Gateway")

    async with session(story) as opened:
        with pytest.raises(Failure) as caught:
            await opened.noop()
        assert caught.value.evidence.raw == "HTTP/1.1 502 Bad Gateway"
        assert caught.value.evidence.exception == "ProtocolError: a line that is no IMAP response"


async def test_a_literal_beyond_all_measure_is_refused_before_it_comes() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.command(FETCH)
        await peer.say(b"* 1 FETCH (UID 1 BODY[] {99999999999}")

    async with session(story) as opened:
        await opened.select("INBOX")
        with pytest.raises(Failure, match="ProtocolError: a response of more than 256 MiB"):
            await all_of(opened, [1])


async def test_leaving_a_fetch_early_closes_the_connection() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.command(FETCH)
        await peer.send(fetched(1, b"one") + fetched(2, b"two"))

    async with session(story) as opened:
        await opened.select("INBOX")
        async with aclosing(opened.fetch([1, 2])) as arriving:
            async for _ in arriving:
                break
        assert opened.closed
        with pytest.raises(Failure, match="closed on our side"):
            await opened.noop()


async def test_two_commands_at_once_are_the_callers_mistake() -> None:
    async def story(peer: Peer) -> None:
        await peer.command(b"NOOP")

    async with session(story) as opened:
        waiting = asyncio.create_task(opened.noop())
        await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError, match="one thing at a time"):
            await opened.select("INBOX")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert opened.closed
