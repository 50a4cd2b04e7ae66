"""Opening an SMTP session, against scripted servers: every step, and every way in which it fails."""

import asyncio
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.core.mailbox import Security
from postroom.core.ports.wire import Step
from postroom.wire.smtp import Timeouts
from tests.wire.smtp_server import Heard, client, scripted

PASSWORD = "correct horse"


async def refusal(script, *, username="", security=Security.NONE, timeouts=None):
    """The evidence of the Failure that opening ends in."""
    async with scripted(script) as server:
        account = server.account(username, PASSWORD, security)
        with pytest.raises(Failure) as caught:
            await (client(timeouts) if timeouts else client()).open(account)
    assert PASSWORD not in str(caught.value)
    return caught.value.evidence


async def test_steps_are_told_in_order_with_what_came_back():
    async def script(heard: Heard):
        await heard.greet("PIPELINING", "SIZE 1000", "AUTH PLAIN LOGIN")
        assert await heard.hear("AUTH PLAIN ") == b"AUTH PLAIN " + b64encode(b"\0ann\0" + PASSWORD.encode())
        heard.say("235 2.7.0 Welcome")
        await heard.silence()

    steps: list[Step] = []
    async with scripted(script) as server:
        session = await client().open(server.account("ann", PASSWORD), steps.append)
        assert session.told.size == 1000
        assert not session.closed
        session.abort()
    assert [step.name for step in steps] == ["resolve", "connect", "greeting", "capabilities", "sign_in"]
    assert all(step.ok for step in steps)
    assert steps[2].detail == "220 scripted.test ESMTP"
    assert steps[3].detail == "AUTH, PIPELINING, SIZE"
    assert steps[4].detail == "PLAIN as ann"


@pytest.mark.parametrize(
    ("greeting", "code", "enhanced"),
    [
        ("421 4.7.0 Try again later", 421, "4.7.0"),
        ("554-scripted.test\r\n554 5.7.1 Your address is on a list", 554, "5.7.1"),
    ],
)
async def test_a_refusing_greeting_is_kept_with_all_its_lines(greeting, code, enhanced):
    async def script(heard: Heard):
        heard.say(greeting)
        await heard.silence()

    evidence = await refusal(script)
    assert evidence.stage is Stage.GREETING
    assert evidence.raw == greeting.replace("\r\n", "\n")
    assert (evidence.smtp_code, evidence.enhanced) == (code, enhanced)


@pytest.mark.parametrize("banner", ["SSH-2.0-OpenSSH_9.2", "* OK IMAP4rev1 ready", "HTTP/1.1 400 Bad Request"])
async def test_a_greeting_of_another_protocol_is_kept_as_it_came(banner):
    async def script(heard: Heard):
        heard.say(banner)
        await heard.silence()

    evidence = await refusal(script)
    assert evidence.stage is Stage.GREETING
    assert evidence.raw == banner
    assert evidence.exception is not None
    assert evidence.exception.startswith("ProtocolError: ")


async def test_a_server_that_does_not_greet_is_given_up():
    evidence = await refusal(lambda heard: heard.silence(), timeouts=Timeouts(step=0.3))
    assert evidence.stage is Stage.GREETING
    assert evidence.exception == "TimeoutError: no answer for 0.3 seconds"


async def test_a_greeting_that_trickles_is_given_up_too():
    async def script(heard: Heard):
        while True:
            heard.writer.write(b"2")
            await heard.writer.drain()
            await asyncio.sleep(0.05)

    evidence = await refusal(script, timeouts=Timeouts(step=0.4))
    assert evidence.exception == "TimeoutError: no answer for 0.4 seconds"


async def test_a_server_that_closes_at_once_is_told_as_such():
    async def script(heard: Heard):
        heard.cut()

    evidence = await refusal(script)
    assert evidence.stage is Stage.GREETING
    assert evidence.exception is not None
    assert evidence.exception.startswith("ConnectionLost: ")


async def test_a_greeting_of_many_lines_and_a_bare_code_are_understood():
    async def script(heard: Heard):
        heard.say("220-one", "220-two", "220")
        await heard.hear("EHLO client.test")
        heard.say("250")
        await heard.silence()

    async with scripted(script) as server:
        session = await server.open()
        assert session.told.size is None
        session.abort()


async def test_a_server_without_ehlo_is_spoken_to_with_helo():
    async def script(heard: Heard):
        heard.say("220 old.test")
        await heard.hear("EHLO")
        heard.say("500 5.5.1 Unknown command")
        await heard.hear("HELO client.test")
        heard.say("250 old.test")
        await heard.silence()

    async with scripted(script) as server:
        (await server.open()).abort()


async def test_a_refused_ehlo_is_not_tried_as_helo_where_the_server_is_leaving():
    async def script(heard: Heard):
        heard.say("220 leaving.test")
        await heard.hear("EHLO")
        heard.say("421 4.3.2 Shutting down")
        await heard.silence()

    evidence = await refusal(script)
    assert evidence.stage is Stage.EHLO
    assert evidence.smtp_code == 421


async def test_where_ehlo_and_helo_are_refused_both_are_shown():
    async def script(heard: Heard):
        heard.say("220 strict.test")
        await heard.hear("EHLO")
        heard.say("550 5.7.1 Who are you?")
        await heard.hear("HELO")
        heard.say("550 5.7.1 Still: who are you?")
        await heard.silence()

    evidence = await refusal(script)
    assert evidence.raw == "550 5.7.1 Who are you?\n550 5.7.1 Still: who are you?"


async def test_starttls_that_is_not_offered_is_said_so_and_nothing_secret_is_sent():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        assert await heard.reader.read() == b""

    evidence = await refusal(script, username="ann", security=Security.STARTTLS)
    assert evidence.stage is Stage.STARTTLS
    assert evidence.exception == "NotOffered: STARTTLS"


async def test_a_refused_starttls_is_evidence():
    async def script(heard: Heard):
        await heard.greet("STARTTLS")
        await heard.hear("STARTTLS")
        heard.say("454 4.7.0 TLS not available due to local problem")
        await heard.silence()

    evidence = await refusal(script, security=Security.STARTTLS)
    assert evidence.stage is Stage.STARTTLS
    assert evidence.smtp_code == 454


async def test_plain_text_behind_the_answer_to_starttls_is_an_attack():
    async def script(heard: Heard):
        await heard.greet("STARTTLS")
        await heard.hear("STARTTLS")
        heard.say("220 Go ahead\r\n250-injected\r\n250 AUTH PLAIN")
        await heard.silence()

    evidence = await refusal(script, security=Security.STARTTLS)
    assert evidence.stage is Stage.STARTTLS
    assert "plain text" in (evidence.exception or "")


async def test_auth_that_is_not_offered_is_said_so():
    async def script(heard: Heard):
        await heard.greet("PIPELINING")
        assert await heard.reader.read() == b""

    evidence = await refusal(script, username="ann")
    assert evidence.stage is Stage.AUTH
    assert evidence.exception == "NotOffered: AUTH"


async def test_mechanisms_that_take_no_password_are_named():
    async def script(heard: Heard):
        await heard.greet("AUTH XOAUTH2 NTLM")
        assert await heard.reader.read() == b""

    evidence = await refusal(script, username="ann")
    assert evidence.exception == "NotOffered: AUTH PLAIN or LOGIN; the server offers XOAUTH2 NTLM"


async def test_without_a_user_name_nobody_signs_in():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        assert await heard.reader.read() == b""

    async with scripted(script) as server:
        (await server.open()).abort()


@pytest.mark.parametrize("offer", ["AUTH LOGIN", "AUTH=LOGIN", "auth=LOGIN"])
async def test_login_answers_any_prompt_in_order(offer):
    async def script(heard: Heard):
        await heard.greet(offer)
        await heard.hear("AUTH LOGIN")
        heard.say("334 VXNlcm5hbWU6")
        assert b64decode(await heard.hear()) == "jörg".encode()
        heard.say("334 not base 64 at all!")
        assert b64decode(await heard.hear()).decode() == PASSWORD
        heard.say("235 ok")
        await heard.silence()

    async with scripted(script) as server:
        (await client().open(server.account("jörg", PASSWORD))).abort()


async def test_a_server_that_ignores_the_initial_response_gets_it_when_it_asks():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        await heard.hear("AUTH PLAIN")
        heard.say("334 ")
        assert b64decode(await heard.hear()) == b"\0ann\0" + PASSWORD.encode()
        heard.say("235 ok")
        await heard.silence()

    async with scripted(script) as server:
        (await client().open(server.account("ann", PASSWORD))).abort()


async def test_a_password_too_long_for_a_command_line_goes_on_a_line_of_its_own():
    long = "p" * 600

    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        assert await heard.hear("AUTH PLAIN") == b"AUTH PLAIN"
        heard.say("334 ")
        assert b64decode(await heard.hear()) == b"\0ann\0" + long.encode()
        heard.say("235 ok")
        await heard.silence()

    async with scripted(script) as server:
        (await client().open(server.account("ann", long))).abort()


async def test_a_refused_password_is_not_tried_in_another_way():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN LOGIN")
        await heard.hear("AUTH PLAIN")
        heard.say("534-5.7.9 Application-specific password required.", "534 5.7.9 https://support.example.org - esmtp")
        assert await heard.reader.read() == b""

    evidence = await refusal(script, username="ann")
    assert evidence.stage is Stage.AUTH
    assert evidence.raw.count("\n") == 1
    assert (evidence.smtp_code, evidence.enhanced, evidence.mechanism) == (534, "5.7.9", "PLAIN")
    assert evidence.username == "ann"


async def test_an_unknown_mechanism_leads_to_the_next():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN LOGIN")
        await heard.hear("AUTH PLAIN")
        heard.say("504 5.5.4 Unrecognized authentication type")
        await heard.hear("AUTH LOGIN")
        heard.say("535 5.7.8 No")
        await heard.silence()

    evidence = await refusal(script, username="ann")
    assert (evidence.smtp_code, evidence.mechanism) == (535, "LOGIN")


async def test_a_challenge_that_tells_the_error_is_decoded_and_answered_with_an_empty_line():
    error = '{"status":"400","schemes":"Bearer"}'

    async def script(heard: Heard):
        await heard.greet("AUTH LOGIN")
        await heard.hear("AUTH LOGIN")
        heard.say("334 VXNlcm5hbWU6")
        await heard.hear()
        heard.say("334 UGFzc3dvcmQ6")
        await heard.hear()
        heard.say("334 " + b64encode(error.encode()).decode())
        assert await heard.hear() == b""
        heard.say("535 5.7.8 Username and Password not accepted")
        await heard.silence()

    evidence = await refusal(script, username="ann")
    assert evidence.challenge == error
    assert evidence.smtp_code == 535


async def test_a_server_that_only_ever_asks_is_given_up():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        while True:
            await heard.hear()
            heard.say("334 again")

    evidence = await refusal(script, username="ann")
    assert (evidence.exception or "").startswith("ProtocolError: ")


async def test_a_server_that_repeats_the_refused_command_does_not_spill_the_password():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        command = await heard.hear("AUTH PLAIN")
        heard.say(b"500 5.5.1 what is " + command)
        await heard.silence()

    steps: list[Step] = []
    async with scripted(script) as server:
        with pytest.raises(Failure) as caught:
            await client().open(server.account("ann", PASSWORD), steps.append)
    secret = b64encode(b"\0ann\0" + PASSWORD.encode()).decode()
    assert caught.value.evidence.raw == "500 5.5.1 what is AUTH PLAIN ***"
    assert secret not in repr(steps)


async def test_the_failed_step_carries_the_evidence():
    async def script(heard: Heard):
        heard.say("554 5.7.1 go away")
        await heard.silence()

    steps: list[Step] = []
    async with scripted(script) as server:
        with pytest.raises(Failure):
            await client().open(server.account(), steps.append)
    assert (steps[-1].name, steps[-1].ok) == ("greeting", False)
    assert steps[-1].evidence is not None
    assert steps[-1].evidence.smtp_code == 554


async def test_a_password_that_plain_cannot_carry_is_not_sent():
    async def script(heard: Heard):
        await heard.greet("AUTH PLAIN")
        assert await heard.reader.read() == b""

    evidence = await refusal(script, username="an\0n")
    assert evidence.stage is Stage.AUTH
    assert (evidence.exception or "").startswith("ValueError: ")


async def test_what_was_offered_before_tls_counts_no_more(certificates, tmp_path):
    context = certificates.good().server_context(tmp_path)

    async def script(heard: Heard):
        await heard.greet("STARTTLS", "AUTH LOGIN", "SIZE 1")
        await heard.hear("STARTTLS")
        heard.say("220 go ahead")
        await heard.writer.start_tls(context)
        await heard.hear("EHLO")
        heard.say("250-scripted.test", "250-SIZE 2", "250 AUTH PLAIN")
        await heard.hear("AUTH PLAIN ")
        heard.say("235 ok")
        await heard.silence()

    async with scripted(script) as server:
        account = server.account("ann", PASSWORD, Security.STARTTLS)
        session = await client().open(replace(account, ca_certificate=certificates.ca_pem))
        assert session.told.size == 2
        session.abort()
