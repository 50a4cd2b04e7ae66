"""The first words of a server, and STARTTLS: what they mean before anybody signs in."""

from pathlib import Path

import pytest

from postroom.core.diagnosis import Action, diagnose
from postroom.core.diagnosis.evidence import Stage
from postroom.core.mailbox import Security
from postroom.core.ports.wire import Step
from tests.rig.certificates import Certificates
from tests.wire.imap_peer import client, refused
from tests.wire.peer import PASSWORD, Peer, account, served

# Greeting


@pytest.mark.parametrize(
    ("greeting", "raw"),
    [
        (b"220 mx.example.org ESMTP Postfix\r\n", "220 mx.example.org ESMTP Postfix"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "HTTP/1.1 400 Bad Request\nServer: nginx"),
        (b"+OK POP3 ready\r\n", "+OK POP3 ready"),
        (b"a1 OK who asked\r\n", "a1 OK who asked"),
        (b"* 3 EXISTS\r\n", "* 3 EXISTS"),
        (b"\r\n", "ProtocolError: what answers there is no IMAP server"),
    ],
)
async def test_a_greeting_that_is_no_imap_is_kept_as_evidence(greeting: bytes, raw: str) -> None:
    async def story(peer: Peer) -> None:
        await peer.send(greeting)
        await peer.gone()

    seen = await refused(story)
    assert seen.stage is Stage.GREETING
    assert seen.exception == "ProtocolError: what answers there is no IMAP server"
    assert seen.raw.replace("\r", "").startswith(raw)


async def test_a_server_that_greets_with_no_is_in_trouble_and_not_another_service() -> None:
    async def story(peer: Peer) -> None:
        await peer.send(b"* NO [UNAVAILABLE] internal server error\r\n")
        await peer.gone()

    seen = await refused(story)
    assert (seen.stage, seen.status, seen.response_code) == (Stage.GREETING, "NO", "UNAVAILABLE")
    assert seen.raw == "* NO [UNAVAILABLE] internal server error"
    assert diagnose(seen).action is Action.RETRY


async def test_a_bye_greeting_is_evidence_with_all_its_lines() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* BYE [UNAVAILABLE] Too many connections from your IP", b"see https://example.org/limits")

    seen = await refused(story)
    assert (seen.stage, seen.status, seen.response_code) == (Stage.GREETING, "BYE", "UNAVAILABLE")
    assert seen.raw == "* BYE [UNAVAILABLE] Too many connections from your IP\nsee https://example.org/limits"


async def test_no_greeting_is_given_up_in_time() -> None:
    async def story(peer: Peer) -> None:
        await peer.gone()

    seen = await refused(story, seconds=0.1)
    assert (seen.stage, seen.exception) == (Stage.GREETING, "TimeoutError: no answer for 0.1 seconds")


async def test_a_server_that_closes_at_once_is_lost_at_the_greeting() -> None:
    async def story(peer: Peer) -> None:
        peer.writer.close()

    seen = await refused(story)
    assert (seen.stage, seen.exception) == (Stage.GREETING, "ConnectionLost: the server closed the connection")


async def test_preauth_needs_no_sign_in() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] welcome back")
        await peer.gone()

    async with served(story) as port:
        session = await client().open(account(port))
        assert session.capabilities == {"IMAP4REV1", "IDLE"}
        session.abort()


async def test_preauth_before_starttls_is_an_attack() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome back")
        await peer.gone()

    seen = await refused(story, security=Security.STARTTLS)
    assert (seen.stage, seen.exception) == (Stage.GREETING, "ProtocolError: PREAUTH before STARTTLS")


# STARTTLS


async def test_starttls_that_is_not_offered_is_said_before_anything_secret() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        assert await peer.line() == b""

    seen = await refused(story, security=Security.STARTTLS)
    assert (seen.stage, seen.exception) == (Stage.STARTTLS, "NotOffered: STARTTLS")
    assert "AUTH=PLAIN" in seen.raw


async def test_starttls_that_is_refused_keeps_the_servers_words() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        tag = await peer.command(b"STARTTLS")
        await peer.say(tag + b" NO [UNAVAILABLE] TLS is out of order")
        await peer.gone()

    seen = await refused(story, security=Security.STARTTLS)
    assert (seen.stage, seen.status, seen.response_code) == (Stage.STARTTLS, "NO", "UNAVAILABLE")


async def test_what_was_announced_before_tls_is_forgotten(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.good().server_context(tmp_path)
    steps: list[Step] = []

    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready")
        tag = await peer.command(b"STARTTLS")
        await peer.say(tag + b" OK begin")
        await peer.writer.start_tls(context)
        tag = await peer.command(b"CAPABILITY")
        await peer.say(b"* CAPABILITY IMAP4rev1", tag + b" OK done")
        tag = await peer.command(b'LOGIN "anna@example.test" ')
        await peer.say(tag + b" OK [CAPABILITY IMAP4rev1 IDLE] in")
        await peer.gone()

    async with served(story) as port:
        opened = await client().open(account(port, Security.STARTTLS, ca=certificates.ca_pem), steps.append)
        assert opened.capabilities == {"IMAP4REV1", "IDLE"}
        opened.abort()
    assert [step.name for step in steps] == [
        "resolve",
        "connect",
        "greeting",
        "starttls",
        "tls",
        "capabilities",
        "sign_in",
    ]
    assert all(step.ok for step in steps)
    assert PASSWORD not in repr(steps)
