"""A signed-in session against scripted servers: what servers do that Dovecot does not."""

import asyncio
import time
import tracemalloc
from contextlib import aclosing

import pytest

from postroom.core.cursor import Selected, Sized
from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.ports.wire import Fetched, Idled
from postroom.wire.imap import Session
from tests.wire.imap_peer import NOW, selected, session
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


# Select


async def test_select_gives_what_the_server_says() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 172, b"* FLAGS (\\Seen [x)", b"* OK [HIGHESTMODSEQ 715194045007] ok")
        tag = await peer.command(b'SELECT "INBOX"')
        await peer.say(b"* 1 EXISTS", b"* OK [UIDVALIDITY 7] ok", tag + b" OK [READ-WRITE] done")

    async with session(story) as opened:
        assert await opened.select("INBOX") == Selected("INBOX", 42, 100, 172, 715194045007, read_only=True)
        assert await opened.select("INBOX", read_only=False) == Selected("INBOX", 7, None, 1, None, read_only=False)


async def test_a_folder_that_cannot_be_selected_is_named_in_the_evidence() -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b'EXAMINE "Entw&APw-rfe \\"2\\""')
        await peer.say(tag + b" NO [NONEXISTENT] Mailbox doesn't exist")

    async with session(story) as opened:
        with pytest.raises(Failure) as caught:
            await opened.select('Entwürfe "2"')
        seen = caught.value.evidence
        assert (seen.stage, seen.status, seen.response_code) == (Stage.SELECT, "NO", "NONEXISTENT")
        assert seen.folder == 'Entwürfe "2"'
        assert opened.closed


@pytest.mark.parametrize("line", [b"* OK fine", b"* OK [UIDVALIDITY] x", b"* OK [UIDVALIDITY x] x"])
async def test_a_folder_without_uidvalidity_is_no_folder(line: bytes) -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b"EXAMINE")
        await peer.say(b"* 1 EXISTS", line, tag + b" OK done")

    async with session(story) as opened:
        with pytest.raises(Failure, match="ProtocolError: the folder has no usable UIDVALIDITY"):
            await opened.select("INBOX")


# Sizes


async def test_sizes_are_sorted_and_begin_at_the_uid_asked_for() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 4)
        tag = await peer.command(b"UID FETCH 12:* (UID RFC822.SIZE)")
        await peer.say(
            b"* 4 FETCH (RFC822.SIZE 99 UID 14)",
            b"* 2 FETCH (FLAGS (\\Seen))",
            b"* 3 FETCH (UID 13 FLAGS ())",
            b"* 5 EXISTS",
            b"* 1 FETCH (UID 11 RFC822.SIZE 5)",
            b"* 2 FETCH (UID 12 RFC822.SIZE 5000000000)",
            tag + b" OK done",
        )

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.sizes(12) == [Sized(12, 5000000000), Sized(14, 99)]


async def test_an_empty_folder_is_not_asked() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 0)

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.sizes(1) == []


async def test_twenty_thousand_responses_are_one_list() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 20000)
        tag = await peer.command(FETCH)
        await peer.say(*(b"* %d FETCH (UID %d RFC822.SIZE 8192)" % (n, n) for n in range(1, 20001)), tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert len(await opened.sizes(1)) == 20000


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


# Idle


@pytest.mark.parametrize(
    "news", [b"* 4 EXISTS", b"* 1 RECENT", b"* 2 EXPUNGE", b"* 2 FETCH (FLAGS (\\Seen))", b"* VANISHED 7"]
)
async def test_news_ends_idle(news: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"IDLE")
        await peer.say(b"+ idling", b"* OK Still here", news)
        assert await peer.line() == b"DONE"
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.idle(60) is Idled.NEWS
        assert not opened.closed


async def test_a_server_that_repeats_the_count_at_each_idle_tells_no_news() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 3)
        tag = await peer.command(b"IDLE")
        await peer.say(b"+ idling", b"* 3 EXISTS", b"* 0 RECENT", b"* OK Still here")
        assert await peer.line() == b"DONE"
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.idle(0.1) is Idled.RENEW


async def test_news_before_the_continuation_counts() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"IDLE")
        await peer.say(b"* 4 EXISTS", b"+ idling")
        assert await peer.line() == b"DONE"
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.idle(60) is Idled.NEWS


async def test_news_behind_done_counts() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"IDLE")
        await peer.say(b"+ idling")
        assert await peer.line() == b"DONE"
        await peer.say(b"* 4 EXISTS", tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.idle(0.05) is Idled.NEWS


@pytest.mark.parametrize("end", [b"* BYE [UNAVAILABLE] Server shutting down", b""])
async def test_the_end_of_the_connection_is_noticed_at_once(end: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.command(b"IDLE")
        await peer.say(b"+ idling")
        if end:
            await peer.say(end)
        peer.writer.close()

    async with session(story) as opened:
        await opened.select("INBOX")
        started = time.monotonic()
        with pytest.raises(Failure) as caught:
            await opened.idle(600)
        assert time.monotonic() - started < 5
        seen = caught.value.evidence
        assert seen.stage is Stage.IDLE
        if end:
            assert (seen.status, seen.response_code, seen.raw) == ("BYE", "UNAVAILABLE", end.decode())
        else:
            assert seen.exception == "ConnectionLost: the server closed the connection"


async def test_a_server_that_ends_idle_by_itself_is_taken_at_its_word() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b"IDLE")
        await peer.say(b"+ idling", tag + b" OK enough")
        tag = await peer.command(b"NOOP")
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.idle(60) is Idled.RENEW
        assert await opened.noop() is Idled.RENEW


async def test_a_refused_idle_is_a_failure() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b"IDLE") + b" BAD unknown command")

    async with session(story) as opened:
        with pytest.raises(Failure) as caught:
            await opened.idle(60)
        assert (caught.value.evidence.stage, caught.value.evidence.status) == (Stage.IDLE, "BAD")


async def test_a_server_that_does_not_answer_done_is_given_up() -> None:
    async def story(peer: Peer) -> None:
        await peer.command(b"IDLE")
        await peer.say(b"+ idling")

    async with session(story, patience=0.2) as opened:
        with pytest.raises(Failure, match=r"TimeoutError: no answer for 0\.2 seconds"):
            await opened.idle(0.05)


async def test_cancelling_idle_closes_the_connection() -> None:
    async def story(peer: Peer) -> None:
        await peer.command(b"IDLE")
        await peer.say(b"+ idling")

    async with session(story) as opened:
        waiting = asyncio.create_task(opened.idle(600))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert opened.closed


async def test_aborting_from_outside_ends_idle_with_a_failure() -> None:
    async def story(peer: Peer) -> None:
        await peer.command(b"IDLE")
        await peer.say(b"+ idling")

    async with session(story) as opened:
        asyncio.get_running_loop().call_later(0.05, opened.abort)
        with pytest.raises(Failure, match="closed on our side"):
            await opened.idle(600)


@pytest.mark.parametrize(
    ("lines", "idled"), [((b"* 4 EXISTS",), Idled.NEWS), ((b"* 3 EXISTS", b"* OK hm"), Idled.RENEW)]
)
async def test_noop_says_whether_there_is_news(lines: tuple[bytes, ...], idled: Idled) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 3)
        await peer.say(*lines, await peer.command(b"NOOP") + b" OK done")

    async with session(story) as opened:
        await opened.select("INBOX")
        assert await opened.noop() is idled


async def test_a_bye_that_came_while_nobody_listened_is_read_by_the_next_command() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        await peer.say(b"* BYE [INACTIVITY] Autologout; idle for too long")
        peer.writer.close()

    async with session(story) as opened:
        await opened.select("INBOX")
        async with asyncio.timeout(5):
            while not opened.closed:  # noqa: ASYNC110 - the end comes from outside, there is no event to wait for
                await asyncio.sleep(0.005)
        with pytest.raises(Failure) as caught:
            await opened.noop()
        seen = caught.value.evidence
        assert (seen.status, seen.response_code) == ("BYE", "INACTIVITY")


# Folders


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        (
            (b'* LIST (\\HasNoChildren) "/" INBOX', b'* LIST (\\HasNoChildren \\Sent) "/" "Gesendet &- gut"'),
            "Gesendet & gut",
        ),
        ((b'* LIST () "." {14}\r\nINBOX.&AMk-l\\"', b'* LIST () "." "INBOX.Sent Items"'), "INBOX.Sent Items"),
        ((b'* LIST () NIL "&AMk-l&AOk-ments envoy&AOk-s"',), "Éléments envoyés"),
        ((b"* LIST () NIL INBOX", b"* LIST () NIL NIL"), None),
    ],
)
async def test_the_sent_folder_is_found_by_use_or_by_name(lines: tuple[bytes, ...], sent: str | None) -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b'LIST "" "*"')
        await peer.say(*lines, tag + b" OK done")

    async with session(story) as opened:
        assert await opened.sent_folder() == sent


async def test_a_server_that_cannot_list_special_uses_after_all_is_asked_plainly() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'LIST "" "*" RETURN (SPECIAL-USE)') + b" BAD what")
        await peer.say(b'* LIST () "/" Sent', await peer.command(b'LIST "" "*"') + b" OK done")

    async with session(story, b"IMAP4rev1 LIST-EXTENDED SPECIAL-USE") as opened:
        assert await opened.sent_folder() == "Sent"


@pytest.mark.parametrize("answer", [b"NO [ALREADYEXISTS] it is there", b"NO Mailbox already exists"])
async def test_creating_what_exists_is_no_failure(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'CREATE "Gesendet &APw-"') + b" " + answer)

    async with session(story) as opened:
        await opened.create("Gesendet ü")


# Append


async def test_append_waits_to_be_asked_for_a_large_message() -> None:
    raw = b"x" * 200_000

    async def story(peer: Peer) -> None:
        tag = await peer.command(b'APPEND "Sent" (\\Seen) "01-Mar-2026 12:00:00 +0000" {200000}')
        assert peer.heard[-1].endswith(b"{200000}")
        await peer.say(b"* 3 EXISTS", b"+ go on")
        assert await peer.reader.readexactly(len(raw)) == raw
        assert await peer.line() == b""
        await peer.say(tag + b" OK [APPENDUID 1 2] done")

    async with session(story, b"IMAP4rev1 LITERAL+") as opened:
        await opened.append("Sent", raw, ["\\Seen"], NOW)
        assert raw[:50].decode() not in str(opened.transcript)


@pytest.mark.parametrize(
    ("capability", "size", "at_once"),
    [(b"LITERAL+", 4097, True), (b"LITERAL-", 4096, True), (b"LITERAL-", 4097, False)],
)
async def test_append_of_a_small_message_does_not_wait_where_it_need_not(
    capability: bytes, size: int, at_once: bool
) -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b"APPEND")
        assert peer.heard[-1].endswith(b"+}") == at_once
        if not at_once:
            await peer.say(b"+")
        assert await peer.reader.readexactly(size) == b"x" * size
        assert await peer.line() == b""
        await peer.say(tag + b" OK done")

    async with session(story, b"IMAP4rev1 " + capability) as opened:
        await opened.append("Sent", b"x" * size, [], NOW)


async def test_append_makes_the_folder_where_the_server_suggests_it() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(await peer.command(b'APPEND "Sent"') + b" NO [TRYCREATE] no such folder")
        await peer.say(await peer.command(b'CREATE "Sent"') + b" OK made")
        await peer.say(await peer.command(b'SUBSCRIBE "Sent"') + b" NO who cares")
        tag = await peer.command(b'APPEND "Sent"')
        await peer.say(b"+")
        await peer.reader.readexactly(3)
        assert await peer.line() == b""
        await peer.say(tag + b" OK done")

    async with session(story, b"IMAP4rev1") as opened:
        await opened.append("Sent", b"abc", ["\\Seen"], NOW)


async def test_a_refused_append_says_why_even_after_the_connection_is_closed() -> None:
    async def story(peer: Peer) -> None:
        tag = await peer.command(b"APPEND")
        await peer.say(b"+")
        await peer.reader.read(1000)
        await peer.say(tag + b" NO [OVERQUOTA] Mailbox is full")
        peer.writer.write_eof()

    async with session(story, b"IMAP4rev1") as opened:
        with pytest.raises(Failure) as caught:
            await opened.append("Sent", b"x" * 2**26, ["\\Seen"], NOW)
        seen = caught.value.evidence
        assert (seen.stage, seen.status, seen.response_code, seen.folder) == (Stage.APPEND, "NO", "OVERQUOTA", "Sent")


async def test_what_is_no_flag_is_never_sent() -> None:
    async def story(peer: Peer) -> None:
        assert await peer.line() == b""

    async with session(story) as opened:
        with pytest.raises(ValueError, match="not IMAP flags"):
            await opened.append("Sent", b"x", ["\\Seen) {1}\r\nx"], NOW)


# Find


async def test_find_verifies_what_the_search_says() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer)
        tag = await peer.command(b'UID SEARCH HEADER Message-ID "a@x"')
        await peer.say(b"* SEARCH 4 9 7 (MODSEQ 12)", tag + b" OK done")
        tag = await peer.command(b"UID FETCH 4,7,9 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        await peer.send(
            b'* 1 FETCH (UID 4 BODY[HEADER.FIELDS ("Message-ID")] {26}\r\nMessage-ID: <aa@x.org>\r\n\r\n)\r\n'
            b"* 2 FETCH (UID 9 BODY[HEADER.FIELDS (MESSAGE-ID)] {23}\r\nMESSAGE-id:\r\n <a@x>\r\n\r\n)\r\n"
            b"* 3 FETCH (UID 7 BODY[HEADER.FIELDS (MESSAGE-ID)] NIL)\r\n"
        )
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        assert await opened.find("Sent", "a@x") == [9]


@pytest.mark.parametrize("answer", [b"BAD no such key", b"NO cannot search", b"OK nothing"])
async def test_find_reads_the_last_headers_where_search_fails(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 200)
        await peer.say(await peer.command(b"UID SEARCH") + b" " + answer)
        tag = await peer.command(b"FETCH 151:* (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        await peer.send(b"* 200 FETCH (UID 77 BODY[HEADER.FIELDS (MESSAGE-ID)] {21}\r\nMessage-ID: <a@x>\r\n\r\n)\r\n")
        await peer.say(tag + b" OK done")

    async with session(story) as opened:
        assert await opened.find("Sent", "a@x") == [77]


async def test_find_in_an_empty_folder_asks_nothing() -> None:
    async def story(peer: Peer) -> None:
        await selected(peer, 0)

    async with session(story) as opened:
        assert await opened.find("Sent", "a@x") == []


# The end


async def test_logout_says_good_bye_and_never_raises() -> None:
    async def polite(peer: Peer) -> None:
        await peer.say(b"* BYE see you", await peer.command(b"LOGOUT") + b" OK done")

    async def rude(peer: Peer) -> None:
        await peer.command(b"LOGOUT")
        await peer.say(b"* BYE")
        peer.writer.close()

    async def garbled(peer: Peer) -> None:
        await peer.command(b"LOGOUT")
        await peer.say(b"\xff\xfe")

    for story in (polite, rude, garbled):
        async with session(story) as opened:
            await opened.logout()
            assert opened.closed
            await opened.logout()
