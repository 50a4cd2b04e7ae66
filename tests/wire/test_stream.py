"""The stream against real sockets: waits, the buffer, the end, the evidence. TLS and opening have their own files."""

import asyncio
import socket
import time
import tracemalloc

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.wire.resolve import Guard
from postroom.wire.stream import Stream
from tests.wire.peer import PASSWORD, Peer, account, served

ANYWHERE = Guard(allow_private=True)


async def opened(port: int, **options: float) -> Stream:
    return await Stream.open(account(port), ANYWHERE, **options)


async def silent(peer: Peer) -> None:
    await peer.gone()


# Reading


async def test_lines_end_with_crlf_or_lf() -> None:
    async def story(peer: Peer) -> None:
        await peer.send(b"one\r\ntwo\nthr\ree\r\n\r\n")
        await peer.gone()

    async with served(story) as port:
        stream = await opened(port)
        assert [await stream.read_line() for _ in range(4)] == [b"one", b"two", b"thr\ree", b""]
        assert list(stream.transcript) == ["S: one", "S: two", "S: thr\ree", "S: "]
        stream.abort()


async def test_what_came_before_the_end_can_still_be_read() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* BYE so long", b"more")

    async with served(story) as port:
        stream = await opened(port)
        assert await stream.read_line() == b"* BYE so long"
        assert await stream.read_line() == b"more"
        with pytest.raises(Failure) as caught:
            await stream.read_line()
        assert caught.value.evidence.exception == "ConnectionLost: the server closed the connection"
        assert stream.closed


async def test_the_last_words_without_an_end_of_line_are_evidence_but_not_while_fetching() -> None:
    async def story(peer: Peer) -> None:
        await peer.send(b"421 too many con")

    for stage, raw in (
        (Stage.GREETING, "421 too many con"),
        (Stage.FETCH, "ConnectionLost: the server closed the connection"),
    ):
        async with served(story) as port:
            stream = await opened(port)
            stream.stage = stage
            with pytest.raises(Failure) as caught:
                await stream.read_line()
            assert caught.value.evidence.raw == raw


async def test_a_reset_connection_is_lost_with_its_reason() -> None:
    async def story(peer: Peer) -> None:
        await peer.line()
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.writer.transport.abort()

    async with served(story) as port:
        stream = await opened(port)
        await stream.write(b"x\r\n")
        with pytest.raises(Failure, match=r"ConnectionLost: the connection broke .*reset by peer"):
            await stream.read_line()


async def test_silence_is_bounded_and_named() -> None:
    async with served(silent) as port:
        stream = await opened(port, timeout=0.1)
        started = time.monotonic()
        with pytest.raises(Failure) as caught:
            await stream.read_line()
        assert caught.value.evidence.exception == "TimeoutError: no answer for 0.1 seconds"
        assert time.monotonic() - started < 5
        assert stream.closed


async def test_a_line_that_trickles_for_ever_is_given_up() -> None:
    async def story(peer: Peer) -> None:
        while not peer.reader.at_eof():
            await peer.send(b"a")
            await asyncio.sleep(0.02)

    async with served(story) as port:
        stream = await opened(port, timeout=0.1)
        with pytest.raises(Failure) as caught:
            await stream.read_line()
        assert caught.value.evidence.exception.startswith("TimeoutError: ")
        assert set(caught.value.evidence.raw) == {"a"}


async def test_bytes_that_keep_coming_are_waited_for_longer_than_one_timeout() -> None:
    async def story(peer: Peer) -> None:
        for _ in range(12):
            await peer.send(b"x" * 10)
            await asyncio.sleep(0.06)
        await peer.gone()

    async with served(story) as port:
        stream = await opened(port, timeout=0.6)
        assert await stream.read_exactly(120) == b"x" * 120
        stream.abort()


async def test_a_line_without_end_is_no_protocol() -> None:
    async def story(peer: Peer) -> None:
        await peer.send(b"a" * 5000)
        await peer.gone()

    async with served(story) as port:
        stream = await opened(port)
        with pytest.raises(Failure, match="ProtocolError: a line of more than 1000 bytes"):
            await stream.read_line(1000)


async def test_forty_megabytes_come_whole_and_in_memory_once() -> None:
    size = 40 * 2**20

    async def story(peer: Peer) -> None:
        block = bytes(range(256)) * 4096
        for _ in range(size // len(block)):
            await peer.send(block)
        await peer.say(b"end")
        await peer.gone()

    async with served(story) as port:
        stream = await opened(port)
        tracemalloc.start()
        started = time.perf_counter()
        try:
            data = await stream.read_exactly(size)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(data) == size
        assert data[:256] == data[-256:] == bytes(range(256))
        assert await stream.read_line() == b"end"
        assert peak < 1.6 * size
        assert time.perf_counter() - started < 20
        stream.abort()


async def test_a_server_that_sends_more_than_is_read_is_held_back() -> None:
    sent = 0

    async def story(peer: Peer) -> None:
        nonlocal sent
        for _ in range(1000):
            await peer.send(b"y" * 65536)
            sent += 65536

    async with served(story) as port:
        stream = await opened(port)
        await stream.read_exactly(10)
        for _ in range(200):
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        assert len(stream._pipe.buffer) < 2**20
        before = sent
        assert before < 65536 * 1000
        await stream.read_exactly(20 * 2**20)  # and reading goes on where it stopped
        assert sent > before
        stream.abort()


# Writing


async def test_a_slow_but_progressing_upload_does_not_time_out() -> None:
    size = 6 * 2**20
    taken = 0

    async def story(peer: Peer) -> None:
        nonlocal taken
        while taken < size:
            taken += len(await peer.reader.read(256 * 1024))
            await asyncio.sleep(0.03)
        await peer.say(b"done")

    async with served(story) as port:
        stream = await opened(port, timeout=0.2)
        started = time.monotonic()
        await stream.write(b"z" * size, secret=True)
        stream.timeout = 10
        assert await stream.read_line() == b"done"
        assert time.monotonic() - started > 0.4
        assert taken == size
        stream.abort()


async def test_a_server_that_stops_taking_is_given_up() -> None:
    async def story(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await asyncio.sleep(30)

    async with served(story) as port:
        stream = await opened(port, timeout=0.1)
        with pytest.raises(Failure, match=r"TimeoutError: no answer for 0\.4 seconds"):
            await stream.write(b"z" * 2**26)
        assert stream.closed


async def test_writing_to_a_server_that_left_is_a_failure_with_its_last_words() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* BYE Autologout")

    async with served(story) as port:
        stream = await opened(port)
        assert await stream.arrival(5)
        await asyncio.wait_for(stream._pipe.gone(5), 60)
        with pytest.raises(Failure) as caught:
            await stream.write(b"a NOOP\r\n")
        assert caught.value.evidence.raw == "* BYE Autologout"


# Evidence


async def test_evidence_says_all_that_the_connection_knows() -> None:
    async with served(silent) as port:
        stream = await opened(port)
        stream.stage, stream.mechanism = Stage.AUTH, "PLAIN"
        seen = stream.evidence("a NO no", status="NO", folder="INBOX")
        assert (seen.direction, seen.stage, seen.raw, seen.provider) == ("imap", Stage.AUTH, "a NO no", "generic")
        assert (seen.host, seen.port, seen.security, seen.address) == ("localhost", port, "none", "127.0.0.1")
        assert (seen.username, seen.mechanism, seen.status, seen.folder) == (
            "anna@example.test",
            "PLAIN",
            "NO",
            "INBOX",
        )
        assert seen.seen_at is not None
        stream.abort()


async def test_the_secret_is_nowhere_even_where_the_server_repeats_it() -> None:
    async def story(peer: Peer) -> None:
        line = await peer.line()
        await peer.say(b"BAD unknown command " + line)
        await peer.gone()

    async with served(story) as port:
        stream = await opened(port)
        await stream.write(f"LOGIN anna {PASSWORD}\r\n".encode(), secret=True)
        line = await stream.read_line()
        failure = stream.failure(line.decode(), exception=ValueError(PASSWORD))
        assert failure.evidence.raw == "BAD unknown command LOGIN anna ***"
        for text in (
            str(failure),
            repr(failure),
            repr(failure.evidence),
            repr(list(stream.transcript)),
            repr(stream.account),
        ):
            assert PASSWORD not in text
        assert "C: ***" in stream.transcript


async def test_the_transcript_keeps_the_last_sixty_lines_and_cuts_long_ones() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(*(b"%d " % number + b"x" * 1000 for number in range(100)))
        await peer.gone()

    async with served(story) as port:
        stream = await opened(port)
        for _ in range(100):
            await stream.read_line()
        assert len(stream.transcript) == 60
        assert stream.transcript[0].startswith("S: 40 ")
        assert max(map(len, stream.transcript)) < 500
        stream.abort()


# The end


async def test_a_cancelled_wait_leaves_the_connection_closed() -> None:
    ended = asyncio.Event()

    async def story(peer: Peer) -> None:
        await peer.gone()
        ended.set()

    async with served(story) as port:
        stream = await opened(port)
        waiting = asyncio.create_task(stream.read_line())
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert stream.closed
        await asyncio.wait_for(ended.wait(), 60)
        with pytest.raises(Failure, match="closed on our side"):
            await stream.write(b"x")


async def test_an_opening_that_is_cancelled_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    reached, ended = asyncio.Event(), asyncio.Event()

    async def story(peer: Peer) -> None:
        reached.set()
        await peer.gone()
        ended.set()

    async with served(story) as port:
        from postroom.core.mailbox import Security

        opening = asyncio.create_task(Stream.open(account(port, Security.TLS), ANYWHERE))
        await reached.wait()
        await asyncio.sleep(0.02)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(ended.wait(), 60)


async def test_closing_is_orderly_and_twice_is_fine() -> None:
    ended = asyncio.Event()

    async def story(peer: Peer) -> None:
        assert await peer.line() == b"bye"
        assert await peer.line() == b""
        ended.set()

    async with served(story) as port:
        stream = await opened(port)
        await stream.write(b"bye\r\n")
        await stream.close()
        await stream.close()
        assert stream.closed
        await asyncio.wait_for(ended.wait(), 60)


async def test_an_end_is_noticed_while_nobody_reads() -> None:
    async def story(peer: Peer) -> None:
        await peer.line()

    async with served(story) as port:
        stream = await opened(port)
        await stream.write(b"x\r\n")
        assert await stream.arrival(5)
        assert stream.closed
