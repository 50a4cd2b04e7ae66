"""Handing a message over: what servers answer to MAIL, RCPT, DATA and the final dot, and what it comes to."""

import asyncio

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage, Unanswered
from postroom.core.ports.wire import Envelope
from tests.wire.smtp_message import ONE, RAW, STUFFED, THREE, Begin, envelope, send
from tests.wire.smtp_server import Heard, scripted


@pytest.fixture(params=["PIPELINING", "8BITMIME"], ids=["pipelined", "one by one"])
def offer(request) -> str:
    return request.param


async def test_an_accepted_message_arrives_to_the_byte_and_the_session_serves_again(offer):
    got: list[bytes] = []

    async def script(heard: Heard):
        await heard.greet(offer)
        for number in (1, 2):
            await envelope(heard)
            got.append(await heard.message())
            heard.say(f"250 2.0.0 Ok: queued as {number}")
        await heard.hear("NOOP")
        heard.say("250 ok")
        await heard.hear("QUIT")
        heard.say("221 bye")

    begin = Begin()
    async with scripted(script) as server:
        session = await server.open()
        first = await session.send(ONE, RAW, begin)
        second = await session.send(ONE, RAW, begin)
        await session.noop()
        await session.quit()
        assert session.closed
    assert got == [STUFFED, STUFFED]
    assert first.sender.ok
    assert first.recipients["you@example.net"].ok
    assert first.data is not None
    assert first.data.code == 250
    assert second.data is not None
    assert second.data.text == "2.0.0 Ok: queued as 2"
    assert second.data.evidence is None
    assert begin.calls == 2


async def test_with_pipelining_the_envelope_is_one_write_and_without_each_command_waits():
    async def together(heard: Heard):
        await heard.greet("PIPELINING")
        for beginning in ("MAIL", "RCPT", "RCPT", "RCPT", "DATA"):
            await heard.hear(beginning)  # nothing was answered yet
        heard.say("250 ok", "250 ok", "250 ok", "250 ok", "354 go")
        await heard.message()
        heard.say("250 ok")
        await heard.silence()

    async def apart(heard: Heard):
        await heard.greet("8BITMIME")
        for beginning, answer in (("MAIL", "250"), ("RCPT", "250"), ("RCPT", "250"), ("RCPT", "250"), ("DATA", "354")):
            await heard.hear(beginning)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(heard.reader.readexactly(1), 0.02)  # the next waits for the answer
            heard.say(answer)
        await heard.message()
        heard.say("250 ok")
        await heard.silence()

    for script in (together, apart):
        answer = await send(script, THREE)
        assert answer.data is not None
        assert answer.data.ok
        assert all(reply.ok for reply in answer.recipients.values())


async def test_a_refused_recipient_does_not_stop_the_others(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await heard.hear("MAIL")
        heard.say("250 ok")
        await heard.hear("RCPT TO:<a@example.net>")
        heard.say("250 ok")
        await heard.hear("RCPT TO:<b@example.net>")
        heard.say("550-no such", "550-5.1.1 user", "550 here")
        await heard.hear("RCPT TO:<c@example.net>")
        heard.say("451 4.2.1 later")
        await heard.hear("DATA")
        heard.say("354 go")
        assert await heard.message() == STUFFED
        heard.say("250 ok")
        await heard.silence()

    answer = await send(script, THREE, after=lambda session: not session.closed or pytest.fail("closed"))
    assert answer.data is not None
    assert answer.data.ok
    assert answer.recipients["a@example.net"].ok
    refused = answer.recipients["b@example.net"]
    assert refused.evidence is not None
    assert refused.evidence.raw == "550-no such\n550-5.1.1 user\n550 here"
    assert refused.evidence.stage is Stage.RCPT
    assert refused.evidence.recipient == "b@example.net"
    assert (refused.evidence.smtp_code, refused.evidence.enhanced) == (550, "5.1.1")
    assert answer.recipients["c@example.net"].code == 451


async def test_a_refused_sender_ends_in_an_answer_and_a_reset(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await heard.hear("MAIL")
        heard.say("550 5.7.60 not yours")
        if offer == "PIPELINING":
            await heard.hear("RCPT")
            await heard.hear("DATA")
            heard.say("503 need MAIL", "503 need RCPT")
        await heard.hear("RSET")
        heard.say("250 ok")
        await envelope(heard)
        await heard.message()
        heard.say("250 ok")
        await heard.silence()

    async with scripted(script) as server:
        session = await server.open()
        answer = await session.send(ONE, RAW, Begin())
        again = await session.send(ONE, RAW, Begin())
        session.abort()
    assert answer.sender.code == 550
    assert answer.sender.evidence is not None
    assert answer.sender.evidence.stage is Stage.MAIL
    assert answer.recipients == {}
    assert answer.data is None
    assert again.data is not None
    assert again.data.ok


@pytest.mark.parametrize("lets_data_begin", [False, True])
async def test_where_all_recipients_are_refused_no_message_is_sent(lets_data_begin):
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await heard.hear("MAIL")
        await heard.hear("RCPT")
        await heard.hear("DATA")
        heard.say("250 ok", "550 5.1.1 nobody")
        if lets_data_begin:
            heard.say("354 go")
            assert await heard.message() == b".\r\n"
        heard.say("554 5.5.1 no valid recipients")
        await heard.hear("RSET")
        heard.say("250 ok")
        await heard.silence()

    answer = await send(script)
    assert answer.sender.ok
    assert answer.recipients["you@example.net"].code == 550
    assert answer.data is None


async def test_without_pipelining_data_is_not_even_asked_for_and_nothing_begins():
    async def script(heard: Heard):
        await heard.greet()
        await heard.hear("MAIL")
        heard.say("250 ok")
        await heard.hear("RCPT")
        heard.say("450 4.2.0 greylisted")
        await heard.hear("RSET")
        heard.say("250 ok")
        await heard.silence()

    begin = Begin()
    answer = await send(script, begin=begin)
    assert answer.data is None
    assert begin.calls == 0


async def test_a_refused_data_command_is_the_last_word(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await envelope(heard, data="451 4.3.0 not now")
        await heard.hear("RSET")
        heard.say("250 ok")
        await heard.silence()

    answer = await send(script)
    assert answer.data is not None
    assert answer.data.evidence is not None
    assert answer.data.evidence.stage is Stage.DATA
    assert answer.data.code == 451


async def test_a_refusal_after_the_dot_is_an_answer_and_the_session_serves_again(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        for last in ("552-5.2.3 too big\r\n552 5.2.3 really", "250 ok"):
            await envelope(heard)
            await heard.message()
            heard.say(last)
        await heard.silence()

    async with scripted(script) as server:
        session = await server.open()
        refused = await session.send(ONE, RAW, Begin())
        accepted = await session.send(ONE, RAW, Begin())
        session.abort()
    assert refused.data is not None
    assert refused.data.evidence is not None
    assert refused.data.evidence.raw == "552-5.2.3 too big\n552 5.2.3 really"
    assert refused.data.text == "5.2.3 too big\n5.2.3 really"
    assert accepted.data is not None
    assert accepted.data.ok


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "dot"])
async def test_a_421_is_an_answer_for_all_who_have_none_and_closes_the_session(offer, at):
    async def script(heard: Heard):
        await heard.greet(offer)
        for step in ("MAIL", "RCPT", "RCPT", "RCPT", "DATA"):
            await heard.hear(step)
            if step == at and (step != "RCPT" or b"b@" in heard.lines[-1]):
                heard.say("421 4.7.0 too much")
                return
            heard.say("354 go" if step == "DATA" else "250 ok")
        await heard.message()
        heard.say("421 4.3.2 going down")

    answer = await send(script, THREE, after=lambda session: session.closed or pytest.fail("open"))
    if at == "MAIL":
        assert answer.sender.code == 421
        assert answer.data is None
        return
    assert answer.data is not None
    assert answer.data.code == 421
    assert answer.recipients["a@example.net"].ok
    assert answer.recipients["c@example.net"].ok is (at != "RCPT")


async def test_hundreds_of_recipients_go_out_in_parts():
    many = tuple(f"user{number}@example.net" for number in range(250))

    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await heard.hear("MAIL")
        heard.say("250 ok")
        for number in range(250):
            await heard.hear(f"RCPT TO:<user{number}@")
            heard.say("452 4.5.3 too many" if number >= 200 else "250 ok")
        await heard.hear("DATA")
        heard.say("354 go")
        await heard.message()
        heard.say("250 ok")
        await heard.silence()

    answer = await send(script, Envelope("me@example.org", many))
    assert [reply.code for reply in answer.recipients.values()].count(250) == 200
    assert answer.recipients["user249@example.net"].code == 452


async def test_no_byte_of_the_message_goes_out_before_it_is_committed(offer):
    committed = asyncio.Event()
    before: list[bytes] = []

    async def script(heard: Heard):
        await heard.greet(offer)
        if offer == "PIPELINING":
            await envelope(heard)
        else:
            await heard.hear("MAIL")
            heard.say("250 ok")
            await heard.hear("RCPT")
            heard.say("250 ok")
        reading = asyncio.create_task(heard.reader.readuntil(b"\r\n"))
        await asyncio.wait([reading], timeout=0.1)
        before.append(reading.result() if reading.done() else b"")
        committed.set()
        if offer != "PIPELINING":
            assert await reading == b"DATA\r\n"
            heard.say("354 go")
            assert await heard.message() == STUFFED
        else:
            assert await reading + await heard.message() == STUFFED
        heard.say("250 ok")
        await heard.silence()

    async def begin() -> bool:
        await committed.wait()
        return True

    answer = await send(script, begin=begin)
    assert before == [b""]
    assert answer.data is not None
    assert answer.data.ok


async def test_a_message_that_may_not_be_handed_over_is_given_up(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await heard.hear("MAIL")
        heard.say("250 ok")
        await heard.hear("RCPT")
        heard.say("250 ok")
        following = await heard.reader.readuntil(b"\r\n")
        if offer == "PIPELINING":
            assert following == b"DATA\r\n"
            heard.say("354 go")
            assert await heard.reader.read() == b""  # not even a dot: that would be an empty message
        else:
            assert following == b"RSET\r\n"
            heard.say("250 ok")
            await heard.silence()

    async with scripted(script) as server:
        session = await server.open()
        with pytest.raises(Failure) as caught:
            await session.send(ONE, RAW, Begin(says=False))
        assert session.closed is (offer == "PIPELINING")
        session.abort()
    assert not isinstance(caught.value, Unanswered)
    assert (caught.value.evidence.exception or "").startswith("GivenUp")


async def test_what_before_data_raises_passes_through_and_nothing_is_sent(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await heard.hear("MAIL")
        heard.say("250 ok")
        await heard.hear("RCPT")
        heard.say("250 ok")
        assert await heard.reader.read() in (b"", b"DATA\r\n")

    async def begin() -> bool:
        raise LookupError("the database is gone")

    async with scripted(script) as server:
        session = await server.open()
        with pytest.raises(LookupError):
            await session.send(ONE, RAW, begin)
        assert session.closed
