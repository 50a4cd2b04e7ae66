"""What tests of a handed-over message share: a message, envelopes, a counting `before_data`. It tests nothing."""

import pytest

from postroom.core.diagnosis.evidence import Failure
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
