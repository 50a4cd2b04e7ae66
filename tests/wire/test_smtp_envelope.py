"""What MAIL and RCPT ask for, and what is refused here because this server could not take it."""

import pytest

from postroom.core.diagnosis.evidence import Stage
from postroom.core.ports.wire import Envelope
from tests.wire.smtp_message import RAW, Begin, send
from tests.wire.smtp_server import Heard, scripted


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
