"""Sessions that break: before the final dot a message is surely not sent, after it nobody knows."""

import asyncio

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage, Unanswered
from postroom.wire.smtp import Timeouts
from tests.wire.smtp_message import ONE, RAW, STUFFED, Begin, envelope, lost, send
from tests.wire.smtp_server import Heard, scripted


@pytest.fixture(params=["PIPELINING", "8BITMIME"], ids=["pipelined", "one by one"])
def offer(request) -> str:
    return request.param


@pytest.mark.parametrize("after", ["nothing", "MAIL", "RCPT", "354"])
@pytest.mark.parametrize("how", ["cut", "close", "silence"])
async def test_a_session_lost_before_the_body_is_a_failure(offer, after, how):
    async def script(heard: Heard):
        await heard.greet(offer)
        await heard.writer.drain()
        if after == "nothing":
            await heard.hear("MAIL")
        elif after == "MAIL":
            await heard.hear("MAIL")
            heard.say("250 ok")
        else:
            await heard.hear("MAIL")
            heard.say("250 ok")
            await heard.hear("RCPT")
            heard.say("250 ok")
        if after == "354":
            await heard.hear("DATA")
            heard.say("354-go", "354-a")  # and never the end of it
        await heard.writer.drain()
        await getattr(heard, how)() if how != "cut" else heard.cut()

    failure = await lost(script)
    assert not isinstance(failure, Unanswered)
    assert failure.evidence.exception is not None
    assert failure.evidence.exception.startswith("TimeoutError" if how == "silence" else "ConnectionLost")
    expected = {"nothing": Stage.MAIL, "MAIL": Stage.RCPT, "RCPT": Stage.DATA, "354": Stage.DATA}[after]
    if offer != "PIPELINING" or how == "silence":  # a reset may overtake the replies that were under way
        assert failure.evidence.stage is expected


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_server_that_left_while_nothing_was_sent_is_noticed_with_its_words(leaves):
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        heard.say("421 4.4.2 idle for too long")
        await (heard.close() if leaves else heard.silence())

    async with scripted(script) as server:
        session = await server.open()
        while not session.closed:  # noqa: ASYNC110 - nothing tells of bytes that nobody reads
            await asyncio.sleep(0.001)
        begin = Begin()
        with pytest.raises(Failure) as caught:
            await session.send(ONE, RAW, begin)
        assert session.closed
    assert not isinstance(caught.value, Unanswered)
    assert caught.value.evidence.raw == "421 4.4.2 idle for too long"
    assert caught.value.evidence.smtp_code == 421
    assert begin.calls == 0


async def test_a_session_cut_in_the_middle_of_the_body_is_a_failure(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await envelope(heard)
        await heard.reader.readexactly(300_000)
        heard.cut()

    failure = await lost(script, raw=b"X: y\r\n\r\n" + b"0123456789abcde\r\n" * 1_000_000)
    assert not isinstance(failure, Unanswered)
    assert failure.evidence.stage is Stage.DATA


async def test_a_server_that_stops_taking_the_body_is_a_failure():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard)
        heard.writer.transport.pause_reading()
        await asyncio.Event().wait()

    failure = await lost(script, raw=b"X: y\r\n\r\n" + b"0123456789abcde\r\n" * 4_000_000)
    assert not isinstance(failure, Unanswered)
    assert (failure.evidence.exception or "").startswith("TimeoutError")


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_refusal_in_the_middle_of_the_body_is_an_answer(leaves):
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard)
        await heard.reader.readexactly(100_000)
        heard.say("552 5.3.4 too big for me")
        if leaves:
            heard.writer.write_eof()
        await heard.silence()

    raw = b"X: y\r\n\r\n" + b"0123456789abcde\r\n" * 2_000_000
    answer = await send(script, raw=raw, after=lambda session: session.closed or pytest.fail("open"))
    assert answer.data is not None
    assert answer.data.evidence is not None
    assert (answer.data.code, answer.data.evidence.enhanced) == (552, "5.3.4")


async def test_an_acceptance_before_the_end_of_the_message_is_none():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard, data="354 go\r\n250 2.0.0 thank you")
        await heard.silence()

    failure = await lost(script)
    assert not isinstance(failure, Unanswered)
    assert (failure.evidence.exception or "").startswith("ProtocolError")


@pytest.mark.parametrize("answers", ["354 early", "250-half", "2x0 what", "nonsense", "199 no", "600 no"])
@pytest.mark.parametrize("to", ["MAIL", "RCPT"])
async def test_replies_without_a_meaning_are_failures(answers, to):
    async def script(heard: Heard):
        await heard.greet()
        await heard.hear("MAIL")
        if to == "RCPT":
            heard.say("250 ok")
            await heard.hear("RCPT")
        heard.say(answers)
        await heard.close()

    failure = await lost(script)
    assert not isinstance(failure, Unanswered)
    assert failure.evidence.raw.startswith(answers)
    assert failure.evidence.stage is (Stage.MAIL if to == "MAIL" else Stage.RCPT)


async def test_a_reply_that_never_ends_is_given_up_line_by_line():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await heard.hear("MAIL")
        while True:
            heard.say("250-more")
            await heard.writer.drain()
            await asyncio.sleep(0.05)

    failure = await lost(script)
    assert failure.evidence.exception == "TimeoutError: no answer for 0.7 seconds"
    assert failure.evidence.raw.startswith("250-more\n250-more")


@pytest.mark.parametrize("says", ["", "421 4.3.2 going down"])
async def test_a_server_that_left_after_its_go_ahead_got_nothing(says):
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard)
        if says:
            heard.say(says)
        await heard.close()

    async with scripted(script) as server:
        session = await server.open()

        async def begin() -> bool:
            while not session._stream.closed:  # noqa: ASYNC110 - nothing tells of a close that nobody waits for
                await asyncio.sleep(0.001)
            return True

        try:
            answer = await session.send(ONE, RAW, begin)
        except Failure as failure:
            answer, failed = None, failure
        assert session.closed
    if says:
        assert answer is not None
        assert answer.data is not None
        assert (answer.data.code, answer.data.ok) == (421, False)
    else:
        assert answer is None
        assert not isinstance(failed, Unanswered)


async def test_a_slow_upload_that_moves_is_not_given_up():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard)
        got = b""
        while not got.endswith(b"\r\n.\r\n"):
            heard.writer.transport.pause_reading()
            await asyncio.sleep(0.02)  # the whole takes several times as long as a body may stand still
            heard.writer.transport.resume_reading()
            got += await heard.reader.read(1 << 18)
        heard.say("250 ok")
        await heard.silence()

    async with scripted(script) as server:
        session = await server.open(Timeouts(step=10, reply=10, block=0.6, answer=10))
        answer = await session.send(ONE, b"X: y\r\n\r\n" + b"0123456789abcde\r\n" * 1_500_000, Begin())
        session.abort()
    assert answer.data is not None
    assert answer.data.ok


@pytest.mark.parametrize("how", ["cut", "close", "silence", "250-half", "250 cu", "354 more", "nonsense"])
async def test_without_a_whole_answer_after_the_dot_the_message_is_unanswered(offer, how):
    async def script(heard: Heard):
        await heard.greet(offer)
        await envelope(heard)
        assert await heard.message() == STUFFED
        if how == "cut":
            heard.cut()
        elif how == "silence":
            await heard.silence()
        elif how != "close":
            heard.writer.write(how.encode() + (b"" if how == "250 cu" else b"\r\n"))
            await heard.writer.drain()

    failure = await lost(script)
    assert isinstance(failure, Unanswered)
    assert failure.evidence.stage is Stage.DATA
    if how[0] in "23n":
        assert failure.evidence.raw.startswith(how)


async def test_an_answer_followed_by_a_close_is_an_answer(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await envelope(heard)
        await heard.message()
        heard.say("250 2.0.0 queued")
        await heard.close()

    answer = await send(script)
    assert answer.data is not None
    assert answer.data.ok


async def test_an_answer_counts_though_the_write_of_the_dot_found_the_connection_gone(monkeypatch):
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard)
        await heard.message()
        heard.say("250 2.0.0 queued")
        await heard.close()

    async with scripted(script) as server:
        session = await server.open()
        stream = session._stream
        write = stream.write

        async def slow_write(data: bytes, *, secret: bool = False) -> None:
            await write(data, secret=secret)
            if data.endswith(b".\r\n"):
                while not stream.closed:  # noqa: ASYNC110 - as a full buffer would have it wait
                    await asyncio.sleep(0.001)
                raise stream.lost()

        monkeypatch.setattr(stream, "write", slow_write)
        answer = await session.send(ONE, RAW, Begin())
    assert answer.data is not None
    assert answer.data.ok


async def test_a_cancelled_send_leaves_a_closed_session():
    waiting = asyncio.Event()

    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await envelope(heard)
        await heard.message()
        waiting.set()
        await heard.silence()

    async with scripted(script) as server:
        session = await server.open()
        sending = asyncio.create_task(session.send(ONE, RAW, Begin()))
        await waiting.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert session.closed
