"""Opening an IMAP session against scripted servers: greetings, STARTTLS, every way to sign in and be refused."""

import asyncio
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from postroom.core.diagnosis import Action, diagnose
from postroom.core.diagnosis.evidence import Evidence, Failure, Stage
from postroom.core.mailbox import Security
from postroom.core.ports.wire import Step
from postroom.wire.imap import Imap
from postroom.wire.resolve import Guard
from tests.rig.certificates import Certificates
from tests.wire.imap_peer import CAPABILITIES, NOW, client, sign_in
from tests.wire.peer import PASSWORD, Peer, Story, account, served


async def refused(story: Story, *, seconds: float = 5, **options: object) -> Evidence:
    """The evidence of an opening that fails, which holds no password."""
    async with served(story) as port:
        with pytest.raises(Failure) as caught:
            await client(timeout=seconds).open(account(port, **options))
    assert PASSWORD not in f"{caught.value!r} {caught.value} {caught.value.evidence!r}"
    assert b64encode(PASSWORD.encode()).decode() not in repr(caught.value.evidence)
    return caught.value.evidence


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


# Signing in


async def test_plain_goes_with_the_command_where_the_server_takes_it() -> None:
    async def story(peer: Peer) -> None:
        await sign_in(peer, b"IMAP4rev1 AUTH=PLAIN SASL-IR")
        *_, response = peer.heard[0].split(b" ")
        assert b64decode(response) == "\0anna@example.test\0pässwörd".encode()
        await peer.gone()

    async with served(story) as port:
        (await client().open(account(port, password="pässwörd"))).abort()


async def test_plain_waits_to_be_asked_where_it_must() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        tag = await peer.command(b"AUTHENTICATE PLAIN")
        assert peer.heard[0].endswith(b"PLAIN")
        await peer.say(b"+")
        assert b64decode(await peer.line()) == b"\0anna@example.test\0" + PASSWORD.encode()
        await peer.say(b"* CAPABILITY IMAP4rev1 MOVE", tag + b" OK in")
        await peer.gone()

    async with served(story) as port:
        opened = await client().open(account(port))
        assert opened.capabilities == {"IMAP4REV1", "MOVE"}
        opened.abort()


@pytest.mark.parametrize(
    ("username", "password", "sent"),
    [
        ("anna", 'a"b\\c', b'LOGIN "anna" "a\\"b\\\\c"'),
        ("anna", "with space", b'LOGIN "anna" "with space"'),
    ],
)
async def test_login_quotes_what_it_sends(username: str, password: str, sent: bytes) -> None:
    async def story(peer: Peer) -> None:
        await sign_in(peer, b"IMAP4rev1")
        assert peer.heard[0].partition(b" ")[2] == sent
        await peer.gone()

    async with served(story) as port:
        (await client().open(account(port, username=username, password=password))).abort()


async def test_login_sends_other_scripts_as_literals() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        tag = await peer.command(b"LOGIN {4}")
        await peer.say(b"+ go on")
        assert await peer.reader.readexactly(4) == b"anna"
        assert await peer.line() == b" {8}"
        await peer.say(b"+ go on")
        assert await peer.reader.readexactly(8) == "pässwö".encode()
        assert await peer.line() == b""
        await peer.say(tag + b" OK [CAPABILITY IMAP4rev1] in")
        await peer.gone()

    async with served(story) as port:
        (await client().open(account(port, username="anna", password="pässwö"))).abort()


async def test_login_that_is_disabled_is_never_tried() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] ready")
        assert await peer.line() == b""

    seen = await refused(story)
    assert seen.stage is Stage.AUTH
    assert seen.exception.startswith("NotOffered: LOGIN")
    assert "LOGINDISABLED" in seen.raw


@pytest.mark.parametrize("mechanism", [b"AUTH=PLAIN SASL-IR", b""])
async def test_a_refusal_is_kept_word_for_word_with_the_alert_before_it(mechanism: bytes) -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 " + mechanism + b"] ready")
        tag = await peer.command(b"AUTHENTICATE", b"LOGIN")
        await peer.say(
            b"* OK still here",
            b"* NO [ALERT] Application-specific password required: https://example.org/185833",
            tag + b" NO Invalid credentials (Failure)",
        )
        await peer.gone()

    seen = await refused(story)
    assert (seen.stage, seen.status, seen.response_code) == (Stage.AUTH, "NO", "ALERT")
    assert seen.mechanism == ("PLAIN" if mechanism else "LOGIN")
    alert, tagged = seen.raw.split("\n")
    assert alert == "* NO [ALERT] Application-specific password required: https://example.org/185833"
    assert tagged.endswith(" NO Invalid credentials (Failure)")


async def test_a_server_that_repeats_the_password_does_not_spread_it() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready")
        line = await peer.line()
        tag, _, words = line.partition(b" ")
        await peer.say(tag + b" BAD Unknown command: " + words + b" " + PASSWORD.encode())
        await peer.gone()

    seen = await refused(story)
    assert seen.status == "BAD"
    assert seen.raw.endswith("BAD Unknown command: AUTHENTICATE PLAIN *** ***")


async def test_an_error_challenge_is_decoded_and_answered() -> None:
    challenge = b'{"status":"401","schemes":"bearer"}'

    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready")
        tag = await peer.command(b"AUTHENTICATE")
        await peer.say(b"+ " + b64encode(challenge))
        assert await peer.line() == b"*"
        await peer.say(tag + b" NO [AUTHENTICATIONFAILED] no")
        await peer.gone()

    seen = await refused(story)
    assert (seen.challenge, seen.response_code) == (challenge.decode(), "AUTHENTICATIONFAILED")


async def test_a_server_that_asks_for_ever_is_given_up() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        while await peer.line():
            await peer.say(b"+ more")

    assert (await refused(story)).exception.startswith("ProtocolError: ")


async def test_bye_instead_of_an_answer_is_a_refusal_with_reason() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY " + CAPABILITIES + b"] ready")
        await peer.line()
        await peer.say(b"* BYE Connection limit exceeded")

    seen = await refused(story)
    assert (seen.stage, seen.status, seen.raw) == (Stage.AUTH, "BYE", "* BYE Connection limit exceeded")


async def test_a_close_instead_of_an_answer_keeps_what_was_said_before() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY " + CAPABILITIES + b"] ready")
        await peer.line()
        await peer.say(b"* OK [ALERT] Maintenance tonight")

    seen = await refused(story)
    assert (seen.stage, seen.response_code) == (Stage.AUTH, "ALERT")
    assert seen.exception == "ConnectionLost: the server closed the connection"
    assert seen.raw == "* OK [ALERT] Maintenance tonight"


async def test_nul_in_a_password_is_refused_here() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY " + CAPABILITIES + b"] ready")
        assert await peer.line() == b""

    async with served(story) as port:
        with pytest.raises(Failure, match="cannot contain NUL"):
            await client().open(account(port, password="a\0b"))


# After signing in


async def test_capabilities_are_asked_for_where_the_server_does_not_tell() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK ready")
        tag = await peer.command(b"CAPABILITY")
        await peer.say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR", tag + b" OK done")
        tag = await peer.command(b"AUTHENTICATE PLAIN ")
        await peer.say(tag + b" OK in")
        tag = await peer.command(b"CAPABILITY")
        await peer.say(b"* CAPABILITY imap4rev1 idle", tag + b" OK done")
        await peer.gone()

    async with served(story) as port:
        opened = await client().open(account(port))
        assert opened.capabilities == {"IMAP4REV1", "IDLE"}
        opened.abort()


@pytest.mark.parametrize("answer", [b" OK done", b" BAD what"])
async def test_the_server_is_told_who_we_are_before_anything_else(answer: bytes) -> None:
    async def story(peer: Peer) -> None:
        await sign_in(peer, b"IMAP4rev1 ID")
        tag = await peer.command(b'ID ("name" "Postroom" "version" "')
        await peer.say(b'* ID ("name" "fake" "vendor" NIL)', tag + answer)
        await peer.gone()

    async with served(story) as port:
        guard = Guard(allow_private=True)
        opened = await Imap(guard, now=lambda: NOW).open(account(port))
        assert not opened.closed
        opened.abort()


async def test_the_failed_step_is_reported_with_its_evidence() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY " + CAPABILITIES + b"] ready")
        tag = await peer.command(b"AUTHENTICATE")
        await peer.say(tag + b" NO [AUTHENTICATIONFAILED] wrong")
        await peer.gone()

    steps: list[Step] = []
    async with served(story) as port:
        with pytest.raises(Failure) as caught:
            await client().open(account(port), steps.append)
    assert [(step.name, step.ok) for step in steps] == [
        ("resolve", True),
        ("connect", True),
        ("greeting", True),
        ("sign_in", False),
    ]
    assert steps[-1].evidence is caught.value.evidence
    assert steps[-1].evidence.seen_at == NOW


async def test_a_step_that_drags_on_with_chatter_is_bounded_too() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY " + CAPABILITIES + b"] ready")
        while not peer.reader.at_eof():
            await peer.say(b"* OK please hold the line")
            await asyncio.sleep(0.01)

    seen = await refused(story, seconds=0.2)
    assert (seen.stage, seen.exception) == (Stage.AUTH, "TimeoutError: no answer for 0.2 seconds")


async def test_the_login_mechanism_is_answered_prompt_by_prompt() -> None:
    async def story(peer: Peer) -> None:
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=LOGIN SASL-IR] ready")
        tag = await peer.command(b"AUTHENTICATE LOGIN")
        await peer.say(b"+ VXNlcm5hbWU6")
        assert b64decode(await peer.line()) == b"anna@example.test"
        await peer.say(b"+ UGFzc3dvcmQ6")
        assert b64decode(await peer.line()) == PASSWORD.encode()
        await peer.say(tag + b" NO [AUTHENTICATIONFAILED] no")
        await peer.gone()

    seen = await refused(story)
    assert (seen.mechanism, seen.challenge, seen.response_code) == ("LOGIN", None, "AUTHENTICATIONFAILED")
