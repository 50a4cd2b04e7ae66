"""The parts of the SMTP client that need no connection, and any bytes at all from a server."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom.core.diagnosis.evidence import Failure, Unanswered
from postroom.core.ports.wire import Answer, Envelope
from postroom.wire.smtp import Timeouts, body
from postroom.wire.smtp.reply import Lines, NotSmtp, ReplyReader, capabilities_of
from tests.wire.smtp_server import Heard, client, scripted


def stuffed(raw: bytes, size: int = body.CHUNK) -> bytes:
    return b"".join(body.chunks(raw, size))


def as_a_server_reads_it(wire: bytes) -> bytes:
    """RFC 5321 4.5.2, from the other side."""
    assert wire == b"" or wire.endswith(b"\r\n")
    lines = wire.split(b"\r\n")
    assert b"." not in lines, "the message ends before its end"
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\r\n.\r\n", b"\0", b"\xff"])).map(b"".join),
    st.integers(1, 9),
)
@settings(max_examples=500, deadline=None)
def test_a_server_reads_the_message_back_whatever_the_pieces(raw: bytes, size: int):
    normal = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    if normal and not normal.endswith(b"\r\n"):
        normal += b"\r\n"
    wire = stuffed(raw, size)
    assert as_a_server_reads_it(wire) == normal
    assert wire == stuffed(raw)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire), "servers disagree on lone CR and LF"


def test_a_large_message_is_prepared_in_small_pieces():
    pieces = list(body.chunks(b".\n" * 1_000_000))
    assert max(len(piece) for piece in pieces) <= 3 * body.CHUNK
    assert len(pieces) > 10


def replies(wire: bytes) -> list[Lines]:
    reader = ReplyReader()
    return [found for line in wire.split(b"\n") if (found := reader.feed(line))]


@pytest.mark.parametrize(
    ("wire", "code", "text", "enhanced"),
    [
        (b"250 ok", 250, "ok", None),
        (b"250", 250, "", None),
        (b"250-\n250 ", 250, "\n", None),
        (b"550-5.7.1 one\r\n550-5.7.26 two\r\n550 three", 550, "5.7.1 one\n5.7.26 two\nthree", "5.7.1"),
        (b"550-no code here\n550 5.1.1 but here", 550, "no code here\n5.1.1 but here", "5.1.1"),
        (b"550 2.1.1 of another class", 550, "2.1.1 of another class", None),
        (b"550 from 5.7.1 on", 550, "from 5.7.1 on", None),
        (b"550 5.7.1", 550, "5.7.1", "5.7.1"),
        (b"550 5.7.11111 x", 550, "5.7.11111 x", None),
        (b"554-folded\ntext without a code\n554 end", 554, "folded\ntext without a code\nend", None),
        (b"250-a\n550 b", 550, "250-a\nb", None),
        (b"451 caf\xe9", 451, "caf\ufffd", None),
    ],
)
def test_replies_are_read_as_they_are_meant(wire, code, text, enhanced):
    (reply,) = replies(wire)
    assert (reply.code, reply.text, reply.enhanced) == (code, text, enhanced)
    assert reply.raw == wire.replace(b"\r", b"").decode("utf-8", "replace")


@pytest.mark.parametrize(
    "wire", [b"", b"25", b"2500 ok", b"250ok", b" 250 ok", b"150 ok", b"\xff\xfe", b"HTTP/1.1 200 OK"]
)
def test_what_is_no_reply_is_told_so(wire):
    reader = ReplyReader()
    with pytest.raises(NotSmtp):
        reader.feed(wire)
    assert reader.partial == wire.decode("utf-8", "replace")


def test_a_reply_without_end_is_no_reply():
    reader = ReplyReader()
    for _ in range(512):
        assert reader.feed(b"250-more") is None
    with pytest.raises(NotSmtp, match="lines"):
        reader.feed(b"250-more")


def test_capabilities_are_read_in_any_case_and_either_form():
    found = capabilities_of(
        Lines(250, ("250-me", "250-size 100", "250-AUTH=LOGIN", "250-auth PLAIN LOGIN", "250-", "250 X.Y"))
    )
    assert found.told.size == 100
    assert found.mechanisms == ("LOGIN", "PLAIN")
    assert "AUTH" in found
    assert "X.Y" in found
    assert "ME" not in found


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE x", "SIZE -1", "SIZE ²"])
def test_no_fixed_size_is_no_limit(size):
    assert capabilities_of(Lines(250, ("250-me", f"250 {size}"))).told.size is None


WORDS = b"250 ok|250-|250 AUTH PLAIN|250 PIPELINING|251 x|220 hi|354 go|334 |235 ok|421 bye|503 what|550 5.1.1 no|"
noise = st.lists(
    st.one_of(st.binary(max_size=12), st.sampled_from(WORDS.split(b"|")).map(lambda word: word + b"\r\n")), max_size=24
).map(b"".join)


@given(noise, st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_bytes_end_in_an_answer_or_a_failure(wire: bytes, open_first: bool, signs_in: bool):
    async def script(heard: Heard):
        if open_first:
            await heard.greet("PIPELINING" if len(wire) % 2 else "SIZE 100", "AUTH PLAIN LOGIN")
        heard.writer.write(wire)
        heard.writer.write_eof()
        await heard.silence()

    quick = Timeouts(step=5, reply=5, block=5, answer=5)
    async with scripted(script) as server:
        try:
            if signs_in:
                await _opened(server, quick, "ann")
            else:
                session = await _opened(server, quick, "")
                answer = await session.send(Envelope("a@x.y", ("b@x.y", "c@x.y")), b"A: b\r\n\r\nc", _yes)
                assert isinstance(answer, Answer)
                if answer.sender.ok and answer.data is None:
                    assert not any(reply.ok for reply in answer.recipients.values())
        except Unanswered:
            assert b"354" in wire  # it was never handed over without being asked for
        except Failure as failure:
            seen = failure.evidence.raw or failure.evidence.exception
            assert seen


async def _opened(server, timeouts, username):
    return await client(timeouts).open(server.account(username, "secret-word"))


async def _yes() -> bool:
    return True
