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
    with smtplib.SMTP_SSL(
        "localhost", postfix.smtps_port, local_hostname="rig.test", context=certificates.client_context()
    ) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.send_message(letter(user.address))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(user.name, "wrong")
        client.login(user.name, user.password)
        assert not client.send_message(letter(user.address))


def test_postfix_asks_dovecot_whether_a_token_is_good(dovecot, postfix, user):
    def attempt(token):
        answers = iter([f"user={user.name}\x01auth=Bearer {token}\x01\x01", ""])
        with smtplib.SMTP("localhost", postfix.submission_port, local_hostname="rig.test", timeout=20) as client:
            client.ehlo()
            return client.auth("XOAUTH2", lambda challenge=None: next(answers))[0]

    assert attempt(dovecot.token(user.name)) == 235
    with pytest.raises(smtplib.SMTPAuthenticationError):
        attempt(dovecot.token(user.name, expires_in=-60))


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
