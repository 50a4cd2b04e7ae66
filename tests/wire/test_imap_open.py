"""Opening an IMAP session against scripted servers: greetings, STARTTLS, every way to sign in and be refused."""

import asyncio
from base64 import b64decode, b64encode

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.ports.wire import Step
from postroom.wire.imap import Imap
from postroom.wire.resolve import Guard
from tests.wire.imap_peer import CAPABILITIES, NOW, client, refused, sign_in
from tests.wire.peer import PASSWORD, Peer, account, served

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
