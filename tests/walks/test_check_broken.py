"""`postroom check` against Dovecot and Postfix that are broken in the ways that people meet, by the command itself."""

import asyncio
import imaplib
import json
import os
import socket
import sys
from contextlib import ExitStack, contextmanager

import pytest

from tests.rig.certificates import self_signed
from tests.rig.dovecot import Dovecot
from tests.rig.ports import HOST
from tests.walks.postroom import PLAIN

IN_TIME = 45.0  # 15 are promised; a machine that stalls must not fail it, and a hang does
"""Seconds that the steps of a direction take together, whatever its server does."""


class Command:
    """The options of a check that works, to be changed, and the run of it."""

    def __init__(self, folder, dovecot, postfix, user, ca_pem):
        self.user = user
        self._ca = folder / "ca.pem"
        self._ca.write_text(ca_pem)
        self._folder = folder
        self._options = {
            "--imap": f"localhost:{dovecot.imaps_port}",
            "--imap-security": "tls",
            "--smtp": f"localhost:{postfix.submission_port}",
            "--smtp-security": "starttls",
            "--ca-certificate": str(self._ca),
        }

    async def finds(self, direction, password=None, address=None, **changed):
        """What it says of one direction that fails: (diagnosis, the name of the last step)."""
        options = self._options | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
        words = [part for name, value in options.items() if value is not None for part in (name, value)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "postroom", "check", address or self.user.address, *words, "--json"),
            env=environment | {"POSTROOM_ALLOW_PRIVATE_HOSTS": "true", "POSTROOM_PLAINTEXT_HOSTS": PLAIN},
            cwd=self._folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate((password or self.user.password).encode() + b"\n"), 90)
        assert process.returncode == 1, err.decode()
        told = json.loads(out)[direction]
        assert sum(step["milliseconds"] for step in told["steps"]) / 1000 < IN_TIME
        diagnosis = told["diagnosis"]
        assert diagnosis["message"]
        assert diagnosis["reason"]
        assert diagnosis["steps"]
        return diagnosis, told["steps"][-1]["name"]


@pytest.fixture
def check(tmp_path, dovecot, postfix, user, certificates):
    return Command(tmp_path, dovecot, postfix, user, certificates.ca_pem)


async def test_a_wrong_password(check):
    diagnosis, step = await check.finds("imap", password="not the password")
    assert (diagnosis["code"], step) == ("imap.invalid_credentials", "sign_in")
    diagnosis, step = await check.finds("smtp", password="not the password")
    assert (diagnosis["code"], step) == ("smtp.invalid_credentials", "sign_in")


async def test_a_disabled_user(check, dovecot):
    dovecot.disable(check.user, "This account is disabled")
    diagnosis, step = await check.finds("imap")
    assert (diagnosis["code"], step) == ("imap.account_blocked", "sign_in")


@pytest.mark.parametrize(
    ("kind", "words"), [("expired", "expired on "), ("self_signed", "signed"), ("wrong_host", "mail.elsewhere.test")]
)
async def test_a_certificate_that_cannot_be_trusted(check, certificates, kind, words):
    bad = self_signed() if kind == "self_signed" else getattr(certificates, kind)()
    async with Dovecot(certificates, certificate=bad) as server:
        diagnosis, step = await check.finds("imap", imap=f"localhost:{server.imaps_port}")
    assert (diagnosis["code"], step) == ("imap.tls_certificate", "tls")
    assert words in diagnosis["reason"]


async def test_tls_on_the_plain_port(check, dovecot):
    diagnosis, _ = await check.finds("imap", imap=f"localhost:{dovecot.imap_port}", imap_security="tls")
    assert diagnosis["matched"] == "tls.seen.plain-port"
    assert "without TLS" in diagnosis["reason"] or "STARTTLS" in diagnosis["reason"] + str(diagnosis["steps"])


async def test_plain_on_the_tls_port(check, dovecot, postfix):
    diagnosis, _ = await check.finds("imap", imap=f"localhost:{dovecot.imaps_port}", imap_security="none")
    assert diagnosis["matched"] == "setup.tls-expected"
    diagnosis, _ = await check.finds("smtp", smtp=f"localhost:{postfix.smtps_port}", smtp_security="starttls")
    assert diagnosis["matched"] == "setup.tls-expected"


async def test_starttls_that_is_missing(check, sink):
    diagnosis, step = await check.finds("smtp", smtp=f"localhost:{sink.port}")
    assert (diagnosis["code"], step) == ("smtp.server_misconfigured", "starttls")
    assert "STARTTLS" in diagnosis["reason"]


async def test_no_such_host(check):
    diagnosis, step = await check.finds("imap", imap="imap.no-such-host.invalid")
    assert (diagnosis["code"], step) == ("imap.server_connection", "resolve")
    assert "imap.no-such-host.invalid" in diagnosis["reason"]


async def test_a_closed_port(check, sink):
    await sink.stop()
    diagnosis, step = await check.finds("imap", imap=f"localhost:{sink.port}")
    assert (diagnosis["code"], step) == ("imap.server_connection", "connect")
    assert str(sink.port) in diagnosis["reason"]


async def test_dropped_packets(check):
    with packets_dropped() as port:
        diagnosis, step = await check.finds("imap", imap=f"{HOST}:{port}", imap_security="none")
    assert (diagnosis["code"], step) == ("imap.server_connection", "connect")


async def test_a_connection_limit(check, certificates):
    async with Dovecot(certificates, connections_per_user=1) as server:
        user = server.add_user()
        with imaplib.IMAP4("localhost", server.imap_port) as one:
            await asyncio.to_thread(one.login, user.name, user.password)
            diagnosis, step = await check.finds(
                "imap", imap=f"localhost:{server.imaps_port}", address=user.address, password=user.password
            )
    assert (diagnosis["code"], step) == ("imap.connection_limit", "sign_in")
    assert diagnosis["action"] == "retry"


async def test_an_inbox_without_rights(check, certificates):
    async with Dovecot(certificates, rights=True) as server:
        user = server.add_user()
        server.restrict(user.name, "l")
        diagnosis, step = await check.finds(
            "imap", imap=f"localhost:{server.imaps_port}", address=user.address, password=user.password
        )
    assert (diagnosis["code"], step) == ("imap.access_denied", "select")
    assert diagnosis["action"] == "fix_settings"


@contextmanager
def packets_dropped():
    """A port whose queue is full: Linux answers no further SYN, as a firewall that drops."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((HOST, 0))
        full.listen(0)
        address = full.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]
