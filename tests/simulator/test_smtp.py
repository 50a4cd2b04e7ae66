"""The SMTP service and what becomes of a message that it accepted. Faults are tested beside it."""

import asyncio
import base64
import smtplib

import pytest

from .conftest import ANNA, BEN, PASSWORD
from .dialogue import Dialogue, imap, plain, smtp, submit


async def test_smtplib_sends_over_starttls_and_tls(simulator):
    def drive() -> None:
        with smtplib.SMTP("127.0.0.1", simulator.smtp_port) as client:
            client.starttls(context=simulator.client_context())
            client.login(ANNA, PASSWORD)
            client.sendmail(ANNA, [BEN, "out@example.net"], "Message-ID: <1@x>\r\nSubject: s\r\n\r\n.dot\r\n..\r\n")
        with smtplib.SMTP_SSL("localhost", simulator.smtps_port, context=simulator.client_context()) as client:
            client.login(ANNA, PASSWORD)
            client.sendmail(ANNA, ["out@example.net"], "Message-ID: <1@x>\r\n\r\nagain\r\n")

    await asyncio.to_thread(drive)
    assert simulator.outbox[0].raw.endswith(b"\r\n\r\n.dot\r\n..\r\n")
    assert simulator.outbox[0].local == [BEN]
    assert simulator.outbox[0].remote == ["out@example.net"]
    assert simulator.outbox_counts() == {"<1@x>": 2}
    assert [message.raw for message in simulator.folder(BEN).messages.values()] == [simulator.outbox[0].raw]


async def test_mail_to_an_account_is_pushed_to_whoever_idles_there(simulator):
    async with imap(simulator, address=BEN) as ben, smtp(simulator) as client:
        await ben.send("t IDLE\r\n")
        await ben.until("+ ")
        await submit(client, BEN)
        assert await ben.line() == "* 1 EXISTS\r\n"


@pytest.mark.parametrize(("saves", "expected"), [(True, 1), (False, 0)])
async def test_what_is_sent_is_saved_to_sent_only_where_the_account_does_so(simulator, saves, expected):
    simulator.change_account(ANNA, saves_sent=saves)
    async with smtp(simulator) as client:
        assert (await submit(client, "out@example.net")).startswith("250 2.0.0")
    sent = list(simulator.folder(ANNA, "Sent").messages.values())
    assert len(sent) == expected
    assert all(message.flags == {"\\Seen"} and message.message_id == "<m1@example.org>" for message in sent)


async def test_ehlo_offers_what_the_server_can(simulator):
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        reply = await client.reply("EHLO x")
        for name in (
            "PIPELINING", "SIZE 26214400", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "STARTTLS", "AUTH PLAIN LOGIN"
        ):  # fmt: skip
            assert f"250-{name}" in reply or f"250 {name}" in reply


async def test_login_and_token_sign_in(simulator):
    simulator.change_account(ANNA, access_token="good")

    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        await client.reply("EHLO x")
        assert await client.reply("AUTH LOGIN") == "334 VXNlcm5hbWU6\r\n"
        assert await client.reply(encoded(ANNA)) == "334 UGFzc3dvcmQ6\r\n"
        assert (await client.reply(encoded("wrong"))).startswith("535 5.7.8")
        token = encoded(f"user={ANNA}\x01auth=Bearer stale\x01\x01")
        assert b'"status"' in base64.b64decode((await client.reply(f"AUTH XOAUTH2 {token}"))[4:])
        assert (await client.reply("")).startswith("535 5.7.8")
        assert (await client.reply("AUTH PLAIN not*base64")).startswith("501")
        token = encoded(f"user={ANNA}\x01auth=Bearer good\x01\x01")
        assert (await client.reply(f"AUTH XOAUTH2 {token}")).startswith("235")


async def test_commands_out_of_order_are_refused(simulator):
    async with Dialogue.to(simulator.smtp_port) as client:
        await client.smtp_reply()
        assert (await client.reply(f"AUTH PLAIN {plain()}")).startswith("503")
        await client.reply("EHLO x")
        assert (await client.reply(f"MAIL FROM:<{ANNA}>")).startswith("530 5.7.0")
        await client.reply(f"AUTH PLAIN {plain()}")
        assert (await client.reply(f"RCPT TO:<{BEN}>")).startswith("503")
        assert (await client.reply(f"MAIL FROM:<{ANNA}> SIZE=99999999")).startswith("552 5.3.4")
        assert (await client.reply(f"MAIL FROM:<{ANNA}> SIZE=99 BODY=8BITMIME")).startswith("250")
        assert (await client.reply("DATA")).startswith("503")
        assert (await client.reply("MAIL FROM:<x@y>")).startswith("503")
        assert (await client.reply("RCPT TO:<no-address>")).startswith("501")
        assert (await client.reply("RSET")).startswith("250")
        assert (await client.reply("MAIL FROM:<jörg@example.org>")).startswith("553 5.6.7")
        assert (await client.reply("MAIL FROM:<jörg@example.org> SMTPUTF8")).startswith("250")


async def test_pipelined_commands_are_answered_in_order(simulator):
    async with smtp(simulator) as client:
        await client.send(f"MAIL FROM:<{ANNA}>\r\nRCPT TO:<{BEN}>\r\nDATA\r\n")
        assert [(await client.smtp_reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        await client.send("Subject: x\r\n\r\ny\r\n.\r\nNOOP\r\nQUIT\r\n")
        assert [(await client.smtp_reply())[:3] for _ in range(3)] == ["250", "250", "221"]
        assert await client.rest() == b""


async def test_only_a_dot_between_full_line_ends_ends_a_message(simulator):
    """Anything laxer lets one message smuggle another."""
    async with smtp(simulator) as client:
        await client.reply(f"MAIL FROM:<{ANNA}>")
        await client.reply(f"RCPT TO:<{BEN}>")
        await client.reply("DATA")
        await client.send("Subject: x\r\n\r\na\n.\nb\r\n.\nc\n.\r\nd\r\n.\r\n")
        assert (await client.smtp_reply()).startswith("250")
    assert simulator.outbox[0].raw == b"Subject: x\r\n\r\na\n.\nb\r\n\nc\n.\r\nd\r\n"


async def test_a_message_of_one_dot_is_empty(simulator):
    async with smtp(simulator) as client:
        await client.reply(f"MAIL FROM:<{ANNA}>")
        await client.reply(f"RCPT TO:<{BEN}>")
        await client.reply("DATA")
        assert (await client.reply(".")).startswith("250")
    assert simulator.outbox[0].raw == b""


async def test_a_message_that_is_too_large_is_refused_and_the_session_goes_on(simulator):
    simulator._house.max_message_size = 1000
    async with smtp(simulator) as client:
        await client.reply(f"MAIL FROM:<{ANNA}>")
        await client.reply(f"RCPT TO:<{BEN}>")
        await client.reply("DATA")
        assert (await client.reply("x" * 70_000 + "\r\n.")).startswith("552 5.3.4")
        assert (await submit(client, BEN)).startswith("250")
    assert len(simulator.outbox) == 1


async def test_a_full_account_refuses_mail_and_the_others_get_theirs(simulator):
    simulator.change_account(BEN, quota=0)
    async with smtp(simulator) as client:
        await client.reply(f"MAIL FROM:<{ANNA}>")
        assert (await client.reply(f"RCPT TO:<{BEN}>")).startswith("552 5.2.2")
        assert (await client.reply("RCPT TO:<out@example.net>")).startswith("250")
