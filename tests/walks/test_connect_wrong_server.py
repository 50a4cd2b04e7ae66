"""Connecting to a port where something else answers: told what, and in time."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from tests.rig.ports import HOST

pytestmark = pytest.mark.asyncio(loop_scope="session")

IN_TIME = 45.0  # 15 are promised; a machine that stalls must not fail it, and a hang does
OF_A_SILENT_ONE = 16.0  # a port that says nothing is waited for 15 seconds
SETTINGS = "imap.server_misconfigured"


@asynccontextmanager
async def service(banner):
    """Another service: says its banner when somebody connects, and then waits to be spoken to."""

    async def serve(reader, writer):
        writer.write(banner)
        while line := await reader.readline():
            if line.startswith(b"\x16\x03"):  # TLS: what no text protocol understands
                break
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def web_server():
    """Waits for a request and answers what is none as web servers do."""

    async def serve(reader, writer):
        line = await reader.readline()
        if line:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def tried(standing, settings, direction, in_time=IN_TIME, **endpoint):
    """The diagnosis of one direction of a connection in vain, which came in time."""
    began = time.monotonic()
    body = settings | {direction: settings[direction] | endpoint}
    problem = await standing.connect(body, status=422)
    took = time.monotonic() - began
    assert took < in_time, f"{took:.1f} s"
    return problem["report"][direction]["diagnosis"]


async def test_a_service_with_a_banner_of_its_own_is_told_apart_from_a_mail_server(standing, settings):
    for banner in (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", b"+OK POP3 ready\r\n", b"220 FTP server ready\r\n"):
        async with service(banner) as port:
            diagnosis = await tried(standing, settings, "imap", port=port, security="none")
            assert (diagnosis["code"], diagnosis["action"]) == (SETTINGS, "fix_settings"), banner
            assert "Another service" in diagnosis["reason"]
            assert banner.decode().strip() in diagnosis["raw"]
        if not banner.startswith(b"220"):  # that is what an SMTP server says, too
            async with service(banner) as port:
                diagnosis = await tried(standing, settings, "smtp", port=port, security="none")
                assert diagnosis["code"] == "smtp.server_misconfigured", banner


async def test_the_ports_of_imap_and_smtp_exchanged_are_told(standing, settings, dovecot, postfix):
    diagnosis = await tried(standing, settings, "imap", port=postfix.submission_port, security="none")
    assert diagnosis["code"] == SETTINGS
    assert "Another service" in diagnosis["reason"]
    diagnosis = await tried(standing, settings, "smtp", port=dovecot.imap_port, security="none")
    assert diagnosis["code"] == "smtp.server_misconfigured"
    assert "Another service" in diagnosis["reason"]


async def test_tls_spoken_to_a_plain_port_is_told(standing, settings, dovecot, postfix):
    for direction, port in (("imap", dovecot.imap_port), ("smtp", postfix.submission_port)):
        diagnosis = await tried(standing, settings, direction, port=port, security="tls")
        assert diagnosis["code"] == f"{direction}.tls_certificate"
        assert diagnosis["matched"] == "tls.seen.plain-port"


async def test_tls_spoken_to_a_web_server_is_told(standing, settings):
    async with web_server() as port:
        diagnosis = await tried(standing, settings, "imap", port=port, security="tls")
    assert diagnosis["code"] == "imap.tls_certificate"


async def test_a_port_that_waits_for_tls_is_told_apart_from_one_that_is_just_silent(
    standing, settings, dovecot, postfix
):
    async with web_server() as web:
        to_tls, starttls_to_tls, smtp_to_tls, to_web = await asyncio.gather(
            tried(standing, settings, "imap", port=dovecot.imaps_port, security="none"),
            tried(standing, settings, "imap", port=dovecot.imaps_port, security="starttls"),
            tried(standing, settings, "smtp", port=postfix.smtps_port, security="starttls"),
            tried(standing, settings, "imap", OF_A_SILENT_ONE, port=web, security="none"),
        )
    for diagnosis in (to_tls, starttls_to_tls, smtp_to_tls):
        assert diagnosis["code"].endswith(".server_misconfigured"), diagnosis
        assert diagnosis["matched"] == "setup.tls-expected"
        assert "TLS" in diagnosis["reason"]
    assert to_web["code"] == "imap.server_connection"


async def test_starttls_that_is_not_offered_is_told(standing, settings, sink):
    diagnosis = await tried(standing, settings, "smtp", port=sink.port, security="starttls")
    assert diagnosis["code"] == "smtp.server_misconfigured"
    assert "STARTTLS" in diagnosis["reason"]
