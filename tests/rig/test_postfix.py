"""Postfix as the tests have it: submission, delivery, reports of failure."""

import smtplib

import pytest

from tests.rig.clients import letter, submit, until


async def test_postfix_delivers_to_a_mailbox_and_to_the_sink(dovecot, postfix, user, certificates):
    message_id = f"<{user.name}@rig.test>"
    submit(postfix, user, letter(user.address, message_id), certificates.client_context())
    submit(postfix, user, letter("away@example.test", message_id), certificates.client_context())
    (raw,) = await until(lambda: dovecot.messages(user.name))
    assert message_id.encode() in raw
    (accepted,) = await postfix.sink.wait_for(1, message_id)
    assert accepted.recipients == ("away@example.test",)
    assert b"\r\n.\r\n.. and a dot.\r\n" in accepted.raw


def test_postfix_takes_mail_over_tls_and_refuses_who_has_not_logged_in(postfix, user, certificates):
    with smtplib.SMTP_SSL("localhost", postfix.smtps_port, context=certificates.client_context()) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.send_message(letter(user.address))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(user.name, "wrong")
        client.login(user.name, user.password)
        assert not client.send_message(letter(user.address))


async def test_mail_to_the_bounce_domain_comes_back_as_a_report(dovecot, postfix, user):
    message = letter("gone@bounce.test")
    del message["From"]
    message["From"] = user.address
    submit(postfix, user, message)
    (report,) = await until(lambda: dovecot.messages(user.name))
    assert b"multipart/report" in report
    assert b"Status: 5.1.1" in report
    assert await postfix.queue() == []


async def test_a_setting_of_postfix_holds_for_one_block(postfix, user):
    big = letter(user.address)
    big.set_content("x\n" * 5000)
    async with postfix.configured(message_size_limit=2000):
        with pytest.raises(smtplib.SMTPSenderRefused, match="5\\.3\\.4"):
            submit(postfix, user, big)
    submit(postfix, user, big)
