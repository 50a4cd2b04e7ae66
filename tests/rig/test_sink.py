"""The sink: what it records and how it fails."""

import asyncio
import smtplib

import pytest

from tests.rig.clients import letter, send, until
from tests.rig.sink import Sink


async def test_the_sink_records_what_it_accepts_with_counts(sink):
    await asyncio.to_thread(send, sink)
    await asyncio.to_thread(send, sink)
    assert sink.counts == {"<two@rig.test>": 2}
    assert sink.accepted[0].recipients == ("a@x.test", "b@x.test")
    assert sink.accepted[0].raw.replace(b"\r\n", b"\n").startswith(b"From: team@rig.test\n")
    assert [line.split()[0] for line in sink.seen[:6]] == ["CONNECT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA"]


async def test_a_sink_without_users_offers_no_log_in(sink):
    def story():
        with smtplib.SMTP("localhost", sink.port, local_hostname="rig.test", timeout=20) as client:
            client.ehlo()
            return client.esmtp_features

    assert set(await asyncio.to_thread(story)) == {"size", "8bitmime", "smtputf8", "help"}


async def test_the_sink_refuses_one_recipient_and_takes_the_other(sink):
    sink.answer("RCPT", "550 5.1.1 No such user", matching="b@x.test")
    assert await asyncio.to_thread(send, sink) == {"b@x.test": (550, b"5.1.1 No such user")}
    assert sink.accepted[0].recipients == ("a@x.test",)


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "DATA", "DOT"])
async def test_the_sink_answers_as_told_once_and_then_works(sink, stage):
    sink.answer(stage, "421 4.3.2 Closing", times=1, close=True)
    with pytest.raises(smtplib.SMTPException) as refused:
        await asyncio.to_thread(send, sink)
    assert "4.3.2" in str(refused.value) or stage == "EHLO"
    assert sink.accepted == []
    await asyncio.to_thread(send, sink)
    assert len(sink.accepted) == 1


@pytest.mark.parametrize(("keep", "count"), [(True, 1), (False, 0)])
async def test_the_sink_drops_the_connection_after_the_dot(sink, keep, count):
    sink.drop("DOT", keep=keep, times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        await asyncio.to_thread(send, sink)
    assert sink.counts.total() == count


async def test_the_sink_drops_the_connection_in_the_middle_of_the_body(sink):
    sink.drop("BODY", after=2000, times=1)
    big = letter("a@x.test")
    big.set_content("x\n" * 500_000)
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        await asyncio.to_thread(send, sink, big)
    assert sink.seen[-1] == "DATA"
    assert sink.accepted == []


async def test_the_sink_hangs_until_it_is_cut(sink):
    sink.hang("DOT")
    sending = asyncio.create_task(asyncio.to_thread(send, sink))
    await until(lambda: "DATA" in sink.seen)
    assert not sending.done()
    sink.cut()
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        await sending


async def test_the_sink_comes_back_on_the_same_port(sink):
    await sink.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(send, sink)
    await sink.start()
    await asyncio.to_thread(send, sink)
    assert len(sink.accepted) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_sink_speaks_tls_and_wants_a_log_in(certificates, security):
    def story(port):
        trust = certificates.client_context()
        kind = smtplib.SMTP_SSL if security == "tls" else smtplib.SMTP
        with kind(
            "localhost",
            port,
            local_hostname="rig.test",
            timeout=20,
            **({"context": trust} if security == "tls" else {}),
        ) as client:
            if security == "starttls":
                client.starttls(context=trust)
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.send_message(letter("a@x.test"))
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("anna", "wrong")
            client.login("anna", "right")
            client.send_message(letter("a@x.test"))

    async with Sink(certificates, security=security, users={"anna": "right"}) as guarded:
        await asyncio.to_thread(story, guarded.port)
    assert (guarded.accepted[0].user, guarded.accepted[0].tls) == ("anna", True)
