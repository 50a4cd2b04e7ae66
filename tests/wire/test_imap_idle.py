"""IDLE and NOOP against scripted servers: news, silence, the end of a connection."""

import asyncio
import time

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.ports.wire import Idled
from tests.wire.imap_peer import selected, session
from tests.wire.peer import Peer

FETCH = b"UID FETCH "


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
