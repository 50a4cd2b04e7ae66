"""A mailbox on Cyrus and on Courier, in a running house: read, watched, moved in, numbered anew, its copies filed."""

import asyncio
import imaplib

import pytest

from postroom.core.mailbox import Credential, Endpoint, Security
from postroom.flows.connect import Connection, NewMailbox
from tests.flows.house import running, until

PATIENCE = 90


@pytest.fixture(scope="module", params=["cyrus", "courier"])
def server(request):
    return request.getfixturevalue(request.param)


def letter(name):
    return (
        f"Message-ID: <{name}@customer.test>\r\nFrom: anna@customer.test\r\nTo: team@shop.test\r\nSubject: {name}\r\n"
        "Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n\r\nWhere is it?\r\n"
    ).encode()


def program(server, user):
    """A mail program beside us, signed in."""
    client = imaplib.IMAP4(server.host, server.imap_port)
    client.login(user.name, user.password)
    return client


async def connected(postroom, server, user, folders):
    simulator = postroom.simulator
    address = f"{user.name}@shop.test"
    simulator.create_account(address, user.password)
    imap = Endpoint(server.host, server.imap_port, Security.NONE, user.name)
    smtp = Endpoint(simulator.host, simulator.smtp_port, Security.NONE, address)
    new = NewMailbox(Connection(address, "", imap, smtp, Credential(password=user.password)), folders=folders)
    return (await postroom.house.connect.add(new)).mailbox.id


async def arrived(postroom, *names):
    """Waits until exactly these have been announced, each once."""

    async def announced():
        return sorted(one["subject"] for one in await postroom.events("message.received"))

    return await until(announced, lambda seen: len(seen) >= len(names), PATIENCE) == sorted(names)


async def test_a_mailbox_is_read_watched_and_answered_from(server, tmp_path):
    user = server.add_user()
    with program(server, user) as other:
        other.create("INBOX.Returns")
    for name in ("first", "second", "third"):
        await server.deliver(user.name, letter(name))
    async with running(tmp_path) as postroom:
        mailbox = await connected(postroom, server, user, ("INBOX", "Returns"))
        assert await arrived(postroom, "first", "second", "third")
        await server.deliver(user.name, letter("fourth"))
        assert await arrived(postroom, "first", "second", "third", "fourth")
        delivery = await postroom.send(mailbox)
        await postroom.delivery_in(delivery.id, "sent", PATIENCE)

        def filed():
            with program(server, user) as other:
                told, _ = other.select("INBOX.Sent", readonly=True)
                return told == "OK" and other.search(None, "ALL")[1][0]

        await until(lambda: asyncio.to_thread(filed), lambda seen: seen == b"1", PATIENCE)
        second = await postroom.send(mailbox)  # the folder is there now, and found by its name
        await postroom.delivery_in(second.id, "sent", PATIENCE)
        await until(lambda: asyncio.to_thread(filed), lambda seen: seen == b"1 2", PATIENCE)


async def test_what_is_moved_or_numbered_anew_comes_once(server, tmp_path):
    user = server.add_user()
    with program(server, user) as other:
        other.create("INBOX.Returns")
    for name in ("first", "second"):
        await server.deliver(user.name, letter(name))
    async with running(tmp_path) as postroom:
        await connected(postroom, server, user, ("Returns",))
        with program(server, user) as other:
            other.select("INBOX")
            other.copy("1", "INBOX.Returns")
            other.store("1", "+FLAGS", "(\\Deleted)")
            other.expunge()
        assert await arrived(postroom, "first")
    with program(server, user) as other:
        other.rename("INBOX.Returns", "INBOX.Old")
        await asyncio.sleep(1.1)  # Courier's UIDVALIDITY is a second
        other.create("INBOX.Returns")
        for folder, which in (("INBOX.Old", "1"), ("INBOX", "1")):
            other.select(folder)
            other.copy(which, "INBOX.Returns")
    async with running(tmp_path) as postroom:
        assert await arrived(postroom, "first", "second")
