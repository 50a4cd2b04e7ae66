"""The standard library's mail clients as the rig's own tests use them; they know nothing of Postroom."""

import asyncio
import imaplib
import smtplib
import time
from email.message import EmailMessage

from tests.rig.dovecot import DOMAIN

RAW = b"From: customer@example.test\r\nSubject: A question\r\nMessage-ID: <one@example.test>\r\n\r\nWhere is it?\r\n"


def letter(to: str, message_id: str = "<two@rig.test>") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "team@rig.test", to, "An answer"
    message["Message-ID"] = message_id
    message.set_content("It is here.\n.\n.. and a dot.\n")
    return message


def log_in(port, user, password=None):
    client = imaplib.IMAP4("localhost", port, timeout=20)
    client.login(user.name, password or user.password)
    return client


def bodies(client, folder="INBOX"):
    client.select(folder)
    _, found = client.search(None, "ALL")
    return [client.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in found[0].split()]


async def until(fact, seconds=90.0):
    """Wait until the fact is true and give it."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not become true in time"
        await asyncio.sleep(0.05)
    return found


def submit(postfix, user, message, tls=None):
    with smtplib.SMTP("localhost", postfix.submission_port, local_hostname=DOMAIN, timeout=20) as client:
        client.starttls(context=tls)
        client.login(user.name, user.password)
        client.send_message(message)


def send(sink, message=None, recipients=("a@x.test", "b@x.test")):
    with smtplib.SMTP("localhost", sink.port, local_hostname=DOMAIN, timeout=20) as client:
        return client.send_message(message or letter("a@x.test"), to_addrs=recipients)
