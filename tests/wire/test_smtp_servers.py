"""The SMTP client against servers that are not ours: aiosmtpd (the rig's sink) and Postfix with Dovecot's log-in."""

import asyncio
import re
from datetime import UTC, datetime

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage, Unanswered
from postroom.core.mailbox import Account, Credential, Direction, Endpoint, Security
from postroom.core.ports.wire import Envelope, Step
from postroom.wire.smtp import Session, Smtp
from postroom.wire.stream import Guard
from tests.rig.certificates import Certificates
from tests.rig.sink import Sink

RAW = b"Message-ID: <%d@example.org>\r\nSubject: hello\r\n\r\n.a line with a dot\r\nand another\r\n"
ENVELOPE = Envelope("ann@rig.test", ("customer@example.test",))


def smtp() -> Smtp:
    return Smtp(Guard(allow_private=True), now=lambda: datetime.now(UTC), name="client.rig.test")


def account(server, port: int, security: Security = Security.NONE, username: str = "", password: str = "") -> Account:
    endpoint = Endpoint(server.host, port, security, username)
    return Account(Direction.SMTP, endpoint, Credential(password=password), ca_certificate=server.ca_pem or None)


async def yes() -> bool:
    return True


async def opened(sink: Sink) -> Session:
    return await smtp().open(account(sink, sink.port))


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_postfix_takes_a_signed_in_message_over_either_kind_of_tls(postfix, user, security):
    port = postfix.smtps_port if security is Security.TLS else postfix.submission_port
    steps: list[Step] = []
    session = await smtp().open(account(postfix, port, security, user.address, user.password), steps.append)
    raw = RAW % (1 if security is Security.TLS else 2)
    answer = await session.send(Envelope(user.address, ("customer@example.test",)), raw, yes)
    await session.quit()
    assert answer.data is not None
    assert re.match(r"2\.0\.0 Ok: queued as ", answer.data.text)
    wanted = ["resolve", "connect", "tls", "greeting", "capabilities", "sign_in"]
    if security is Security.STARTTLS:
        wanted = ["resolve", "connect", "greeting", "capabilities", "starttls", "tls", "capabilities", "sign_in"]
    assert [step.name for step in steps] == wanted
    assert all(step.ok for step in steps)
    (arrived,) = await postfix.sink.wait_for(1, re.findall(rb"<.*?>", raw)[0].decode())
    assert arrived.raw.endswith(b"\r\n\r\n.a line with a dot\r\nand another\r\n")


async def test_a_wrong_password_at_postfix_is_evidence_of_the_sign_in(postfix, user):
    wrong = account(postfix, postfix.submission_port, Security.STARTTLS, user.address, "not the password")
    with pytest.raises(Failure) as caught:
        await smtp().open(wrong)
    evidence = caught.value.evidence
    assert (evidence.stage, evidence.smtp_code, evidence.enhanced) == (Stage.AUTH, 535, "5.7.8")
    assert evidence.raw.startswith("535 5.7.8 Error: authentication failed")
    assert evidence.tls is not None
    assert evidence.tls.fault is None


async def test_postfix_refuses_relaying_without_a_sign_in_for_each_recipient(postfix):
    session = await smtp().open(account(postfix, postfix.submission_port, Security.STARTTLS))
    for _ in range(2):  # the second is taken up after a reset
        answer = await session.send(Envelope("a@example.test", ("b@example.test", "c@example.test")), RAW % 3, yes)
        assert answer.sender.ok
        assert {reply.code for reply in answer.recipients.values()} == {554}
        assert answer.data is None
    await session.quit()


async def test_a_message_over_postfix_own_limit_is_refused_with_its_number(postfix, user):
    async with postfix.configured(message_size_limit=20_000):
        good = account(postfix, postfix.submission_port, Security.STARTTLS, user.address, user.password)
        session = await smtp().open(good)
        assert session.told.size == 20_000
        answer = await session.send(Envelope(user.address, ("a@example.test",)), b"A: b\r\n\r\n" + b"x\r\n" * 9000, yes)
        await session.quit()
    assert answer.sender.code == 552
    assert "20000" in answer.sender.text


async def test_a_message_of_20_megabytes_goes_through_postfix_unchanged(postfix, user):
    good = account(postfix, postfix.submission_port, Security.STARTTLS, user.address, user.password)
    session = await smtp().open(good)
    lines = b"".join(b".%060d\r\n" % number for number in range(310_000))
    answer = await session.send(Envelope(user.address, (user.address,)), (RAW % 4) + lines, yes)
    await session.quit()
    assert answer.data is not None
    assert answer.data.ok


async def test_an_untrusted_certificate_is_told_with_its_fault(certificates):
    async with Sink(certificates, security="tls") as sink:
        endpoint = Endpoint(sink.host, sink.port, Security.TLS, "")
        with pytest.raises(Failure) as caught:
            await smtp().open(Account(Direction.SMTP, endpoint, Credential(), ca_certificate=Certificates().ca_pem))
    assert caught.value.evidence.stage is Stage.TLS
    assert caught.value.evidence.tls is not None
    assert caught.value.evidence.tls.fault == "unknown_ca"


async def test_aiosmtpd_takes_many_messages_over_one_session(sink):
    session = await opened(sink)
    for number in range(50):
        answer = await session.send(ENVELOPE, RAW % number, yes)
        assert answer.data is not None
        assert answer.data.ok
    await session.quit()
    assert sink.connections == 1
    assert len(sink.accepted) == 50
    assert set(sink.counts.values()) == {1}
    assert sink.accepted[7].raw == RAW % 7


async def test_a_dropped_connection_after_the_dot_is_unanswered_whether_or_not_it_was_kept(sink):
    for keep in (False, True):
        sink.drop("DOT", keep=keep, times=1)
        session = await opened(sink)
        with pytest.raises(Unanswered):
            await session.send(ENVELOPE, RAW % keep, yes)
    assert list(sink.counts) == ["<1@example.org>"]


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "BODY"])
async def test_a_dropped_connection_before_the_dot_is_surely_not_sent(sink, at):
    sink.drop(at, after=100_000)
    session = await opened(sink)
    with pytest.raises(Failure) as caught:
        await session.send(ENVELOPE, (RAW % 1) + b"0123456789\r\n" * 1_000_000, yes)
    assert not isinstance(caught.value, Unanswered)
    assert sink.accepted == []


async def test_a_server_that_was_restarted_is_noticed_before_the_next_message(sink):
    session = await opened(sink)
    assert not session.closed
    await sink.stop()
    await sink.start()
    while not session.closed:  # noqa: ASYNC110 - nothing tells of a close that nobody waits for
        await asyncio.sleep(0.001)
    with pytest.raises(Failure):
        await session.send(ENVELOPE, RAW % 1, yes)
    with pytest.raises(Failure):
        await session.noop()
    await session.quit()


async def test_smtputf8_is_used_where_it_is_needed():
    for offered in (True, False):
        async with Sink(smtputf8=offered) as sink:
            session = await opened(sink)
            answer = await session.send(Envelope("ann@rig.test", ("jürgen@bücher.example",)), RAW % 1, yes)
            await session.quit()
            if offered:
                assert sink.accepted[0].recipients == ("jürgen@xn--bcher-kva.example",)
            else:
                assert answer.recipients["jürgen@bücher.example"].code == 553
                assert sink.accepted == []
