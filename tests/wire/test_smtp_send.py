"""Handing a message over, against scripted servers: what is a refusal, what is surely not sent, what nobody knows."""

import asyncio

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage, Unanswered
from postroom.core.ports.wire import Answer, Envelope
from postroom.wire.smtp import Timeouts
from tests.wire.smtp_server import Heard, scripted

RAW = b"Subject: hi\r\n\r\nline\r\n.hidden\r\nend\r\n"
STUFFED = b"Subject: hi\r\n\r\nline\r\n..hidden\r\nend\r\n.\r\n"
ONE = Envelope("me@example.org", ("you@example.net",))
THREE = Envelope("me@example.org", ("a@example.net", "b@example.net", "c@example.net"))
IMPATIENT = Timeouts(step=5, reply=0.7, block=1, answer=0.7)


class Begin:
    """`before_data` that counts."""

    def __init__(self, *, says: bool = True) -> None:
        self.calls = 0
        self.says = says

    async def __call__(self) -> bool:
        self.calls += 1
        return self.says


@pytest.fixture(params=["PIPELINING", "8BITMIME"], ids=["pipelined", "one by one"])
def offer(request) -> str:
    return request.param


async def envelope(heard: Heard, recipients: int = 1, *, data: str = "354 go") -> None:
    await heard.hear("MAIL FROM:<me@example.org>")
    heard.say("250 2.1.0 ok")
    for _ in range(recipients):
        await heard.hear("RCPT TO:")
        heard.say("250 2.1.5 ok")
    await heard.hear("DATA")
    heard.say(data)


async def send(script, envelope=ONE, raw=RAW, begin=None, after=None) -> Answer:
    async with scripted(script) as server:
        session = await server.open()
        try:
            answer = await session.send(envelope, raw, begin or Begin())
            if after is not None:
                after(session)
            return answer
        finally:
            session.abort()


async def lost(script, envelope=ONE, raw=RAW, begin=None) -> Failure:
    """The Failure that sending ends in; the session is closed after it."""
    async with scripted(script) as server:
        session = await server.open(IMPATIENT)
        with pytest.raises(Failure) as caught:
            await session.send(envelope, raw, begin or Begin())
        assert session.closed
    return caught.value


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


# Before the final dot: surely not handed over.


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


# After it: nobody knows.


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


# `before_data`.


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


# What is asked for, and what is refused here.


async def test_mail_asks_for_what_the_message_needs_and_the_server_offers():
    async def script(heard: Heard):
        await heard.greet("SIZE 5000", "8BITMIME", "SMTPUTF8")
        line = await heard.hear("MAIL")
        assert line == b"MAIL FROM:<me@example.org> SIZE=15 BODY=8BITMIME"
        heard.say("250 ok")
        assert await heard.hear("RCPT") == b"RCPT TO:<you@xn--bcher-kva.example>"
        heard.say("250 ok")
        await heard.hear("DATA")
        heard.say("354 go")
        await heard.message()
        heard.say("250 ok")
        line = await heard.hear("MAIL")
        assert line == b"MAIL FROM:<> SIZE=15 BODY=8BITMIME SMTPUTF8"
        heard.say("250 ok")
        assert await heard.hear("RCPT") == "RCPT TO:<jürgen@example.net>".encode()
        heard.say("550 5.1.1 no")
        await heard.hear("RSET")
        heard.say("250 ok")
        await heard.silence()

    raw = b"A: x\r\n\r\nabc\xc3\xa9\r\n"
    assert len(raw) == 15
    async with scripted(script) as server:
        session = await server.open()
        first = await session.send(Envelope("me@example.org", ("you@bücher.example",), utf8=True), raw, Begin())
        second = await session.send(Envelope("", ("jürgen@example.net",), utf8=True), raw, Begin())
        session.abort()
    assert first.recipients["you@bücher.example"].ok
    assert second.recipients["jürgen@example.net"].code == 550


async def test_a_message_over_the_size_limit_is_refused_without_a_word_to_the_server():
    async def script(heard: Heard):
        await heard.greet("SIZE 20")
        assert await heard.reader.read() == b""

    begin = Begin()
    answer = await send(script, begin=begin)
    assert answer.sender.code == 552
    assert answer.sender.evidence is not None
    assert (answer.sender.evidence.enhanced, answer.sender.evidence.stage) == ("5.3.4", Stage.MAIL)
    assert answer.data is None
    assert begin.calls == 0


async def test_an_address_that_needs_smtputf8_is_refused_alone_where_it_is_not_offered():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        await heard.hear("MAIL")
        await heard.hear("RCPT TO:<a@example.net>")
        await heard.hear("DATA")
        heard.say("250 ok", "250 ok", "354 go")
        await heard.message()
        heard.say("250 ok")
        await heard.silence()

    answer = await send(
        script, Envelope("me@example.org", ("jürgen@example.net", "a@example.net", "b@a..ü"), utf8=True)
    )
    refused = answer.recipients["jürgen@example.net"]
    assert refused.evidence is not None
    assert (refused.code, refused.evidence.enhanced, refused.evidence.recipient) == (553, "5.6.7", "jürgen@example.net")
    assert refused.evidence.raw.startswith("553 5.6.7 ")
    assert answer.recipients["b@a..ü"].text.startswith("5.1.3 ")
    assert answer.recipients["a@example.net"].ok


@pytest.mark.parametrize(
    ("sender", "raw"), [("jürgen@example.org", RAW), ("me@example.org", "To: jürgen@x.test\r\n\r\nhi".encode())]
)
async def test_a_sender_or_headers_that_need_smtputf8_are_refused_where_it_is_not_offered(sender, raw):
    async def script(heard: Heard):
        await heard.greet("PIPELINING", "8BITMIME")
        assert await heard.reader.read() == b""

    answer = await send(script, Envelope(sender, ("a@example.net",)), raw)
    assert answer.sender.code == 553
    assert answer.sender.text.startswith("5.6.7 ")


async def test_where_no_recipient_is_left_nobody_is_asked():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        assert await heard.reader.read() == b""

    answer = await send(script, Envelope("me@example.org", ("jürgen@example.net",)))
    assert answer.recipients["jürgen@example.net"].code == 553
    assert answer.data is None


@pytest.mark.parametrize("bad", ["a@b\r\nRSET", "a@b\n", "a\0@b", "a@b>", "<a@b", "a@b\x7f", "a@\ud800", "a@b\x1b"])
@pytest.mark.parametrize("where", ["sender", "recipient"])
async def test_addresses_that_could_smuggle_commands_are_refused_before_anything_is_written(bad, where):
    async def script(heard: Heard):
        await heard.greet("PIPELINING", "SMTPUTF8")
        assert await heard.reader.read() == b""

    envelope = Envelope(bad, ("a@example.net",)) if where == "sender" else Envelope("me@example.org", ("a@x.y", bad))
    async with scripted(script) as server:
        session = await server.open()
        with pytest.raises(ValueError, match="address"):
            await session.send(envelope, RAW, Begin())
        assert not session.closed
        session.abort()


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
