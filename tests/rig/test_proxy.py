"""The proxy: every fault of a network, between a real client and a real server."""

import asyncio
import imaplib
import smtplib
import socket
import time

import pytest

from tests.rig.clients import RAW, bodies, log_in, send
from tests.rig.ports import is_open


def read_to_the_end(client):
    while client.recv(100):
        pass


async def test_the_proxy_passes_everything_and_counts(dovecot, user, proxy):
    dovecot.drop(user.name, RAW)
    front = await proxy(dovecot.imap_port)
    with log_in(front.port, user) as client:
        assert bodies(client) == [RAW]
        assert front.connections == 1
    assert front.opened == 1
    assert front.passed["to_client"] > len(RAW)


async def test_the_proxy_cuts_after_so_many_bytes(dovecot, user, proxy):
    dovecot.drop(user.name, RAW + b"x" * 100_000)
    front = await proxy(dovecot.imap_port)
    client = log_in(front.port, user)
    front.cut_after(50_000, "to_client")
    before = front.passed["to_client"]
    with pytest.raises((imaplib.IMAP4.abort, ConnectionResetError)):
        bodies(client)
    # The answer to the log-in may be counted after it was read: some hundred bytes.
    assert 50_000 <= front.passed["to_client"] - before < 51_000
    log_in(front.port, user).logout()


async def test_the_proxy_cuts_when_a_text_passes_and_before_it_passes(sink, proxy):
    front = await proxy(sink.port)
    front.cut_when(rb"\r\n\.\r\n", "to_server")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        await asyncio.to_thread(send, front)
    await sink.wait_for(1)
    front.cut_when(rb"\r\n\.\r\n", "to_server", before=True)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        await asyncio.to_thread(send, front)
    await asyncio.to_thread(send, front)
    assert len(sink.accepted) == 2


async def test_the_proxy_cuts_now(dovecot, user, proxy):
    front = await proxy(dovecot.imap_port)
    client = log_in(front.port, user)
    front.cut()
    with pytest.raises((imaplib.IMAP4.abort, ConnectionResetError)):
        client.noop()
    assert front.connections == 0


async def test_the_proxy_refuses_and_accepts_again(dovecot, user, proxy):
    front = await proxy(dovecot.imap_port)
    await front.refuse()
    with pytest.raises(ConnectionRefusedError):
        log_in(front.port, user)
    await front.heal()
    log_in(front.port, user).logout()


async def test_the_proxy_swallows_and_later_lets_through(dovecot, user, proxy):
    front = await proxy(dovecot.imap_port)
    client = log_in(front.port, user)
    front.blackhole()
    client.sock.settimeout(0.3)
    client.sock.sendall(b"a1 NOOP\r\n")
    with pytest.raises(TimeoutError):
        client.sock.recv(100)
    await front.heal()
    client.sock.settimeout(20)
    assert b"a1 OK" in client.sock.recv(100)


async def test_the_proxy_adds_distance_and_keeps_the_throughput(dovecot, user, proxy):
    dovecot.drop(user.name, RAW + b"x" * 20_000_000)
    front = await proxy(dovecot.imap_port)
    front.delay = 0.1
    began = time.monotonic()
    with log_in(front.port, user) as client:
        client.noop()
        assert time.monotonic() - began > 0.2 * 3
        began = time.monotonic()
        assert len(bodies(client)[0]) > 20_000_000
    assert time.monotonic() - began < 20  # were each chunk of 64 KB to wait its turn, it would be 30 s and more


async def test_a_stopped_proxy_leaves_nothing_open(sink, proxy):
    front = await proxy(sink.port)
    with socket.create_connection(("localhost", front.port)) as client:
        assert client.recv(4) == b"220 "
        await front.stop()
        assert not is_open(front.port)
        with pytest.raises(ConnectionResetError):
            read_to_the_end(client)
