"""Each step of a probe is judged: what fails is told with its step and its diagnosis, and never as connected."""

import asyncio
import time

import pytest

from postroom.core.mailbox import Direction, Security
from postroom.flows.probe import signs_in_as_another
from tests.flows.doors import (
    ADDRESS,
    IN_TIME,
    SELECTED,
    both,
    connection,
    imap,
    probed,
    prober,
    says,
    silent,
    smtp,
)
from tests.rig.ports import free_port
from tests.wire.peer import PASSWORD, served

IMAP, SMTP = Direction.IMAP, Direction.SMTP


def fails_at(probe, step, code):
    assert not probe.ok
    assert probe.diagnosis.name == code
    assert [one.ok for one in probe.steps] == [True] * (len(probe.steps) - 1) + [False]
    assert probe.steps[-1].name == step
    assert probe.diagnosis.reason
    assert probe.diagnosis.steps
    assert PASSWORD not in repr(probe)


async def test_both_directions_that_work_are_told_so_step_by_step():
    told = []
    async with both(imap((b"EXAMINE", *SELECTED)), smtp()) as made:
        report = await prober().probe(made, on_step=lambda direction, step: told.append((direction, step.name)))
    assert report.ok
    assert report.diagnosis is None
    assert [name for way, name in told if way is IMAP] == ["resolve", "connect", "greeting", "sign_in", "select"]
    assert [name for way, name in told if way is SMTP] == ["resolve", "connect", "greeting", "capabilities", "sign_in"]
    assert report.imap.steps[-1].detail == "INBOX, 3 messages"


async def test_without_a_sign_in_no_password_is_shown_to_anybody():
    heard = []

    async def listening(peer):
        peer.heard = heard
        await smtp()(peer)

    async def imap_listening(peer):
        peer.heard = heard
        await peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        tag = await peer.command(b"LOGOUT")
        await peer.say(b"* BYE", tag + b" OK bye")

    async with both(imap_listening, listening) as made:
        received = await prober().receiving(made, sign_in=False)
        sent = await prober().sending(made, sign_in=False)
    assert received.ok
    assert sent.ok
    assert [step.name for step in sent.steps] == ["resolve", "connect", "greeting", "capabilities"]
    assert heard
    assert not [line for line in heard if line.split()[-1:] and (b"AUTH" in line or b"LOGIN" in line)]


@pytest.mark.parametrize(
    ("story", "step", "code"),
    [
        (imap((b"EXAMINE", b"{tag} NO [SERVERBUG] Internal error")), "select", "imap.protocol_error"),
        (imap((b"EXAMINE", b"{tag} NO [NOPERM] Permission denied")), "select", "imap.access_denied"),
        (imap((b"EXAMINE", b"{tag} NO [NONEXISTENT] Unknown Mailbox: INBOX")), "select", "imap.folder_error"),
        (imap((b"EXAMINE", b"{tag} NO Mailbox does not exist")), "select", "imap.folder_error"),
        (imap((b"EXAMINE", b"* BYE Session expired")), "select", "imap.server_connection"),
        (says(b"* BYE Too many connections from your IP"), "greeting", "imap.connection_limit"),
        (says(b"* BYE Server shutting down"), "greeting", "imap.server_connection"),
        (says(b"SSH-2.0-OpenSSH_9.2p1"), "greeting", "imap.server_misconfigured"),
        (says(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready"), "sign_in", "imap.server_misconfigured"),
    ],
)
async def test_what_an_imap_server_refuses_is_told_with_its_step(story, step, code):
    fails_at(await probed(IMAP, story), step, code)


@pytest.mark.parametrize(
    ("story", "step", "code"),
    [
        (says(b"554 5.7.1 No SMTP service here"), "greeting", "smtp.access_restricted"),
        (says(b"421 4.3.2 Service not available, closing transmission channel"), "greeting", "smtp.server_connection"),
        (says(b"* OK IMAP ready"), "greeting", "smtp.server_misconfigured"),
        (smtp(ehlo=b"421 4.3.2 closing"), "capabilities", "smtp.server_connection"),
        (
            smtp(ehlo=b"550 5.7.1 Invalid EHLO name", helo=b"550 5.7.1 Invalid HELO name"),
            "capabilities",
            "smtp.server_misconfigured",
        ),
        (smtp(keywords=(b"SIZE 1000",)), "sign_in", "smtp.server_misconfigured"),
        (smtp(auth=b"535 5.7.8 Authentication credentials invalid"), "sign_in", "smtp.invalid_credentials"),
    ],
)
async def test_what_an_smtp_server_refuses_is_told_with_its_step(story, step, code):
    fails_at(await probed(SMTP, story), step, code)


async def test_starttls_that_is_not_offered_is_told_and_no_password_goes_out_in_the_open():
    for direction, story in ((IMAP, says(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")), (SMTP, smtp())):
        probe = await probed(direction, story, security=Security.STARTTLS)
        fails_at(probe, "starttls", f"{direction}.server_misconfigured")
        assert "STARTTLS" in probe.diagnosis.reason


@pytest.mark.parametrize("fault", ["expired", "not_yet_valid", "wrong_host", "untrusted"])
async def test_a_certificate_that_cannot_be_trusted_is_told(certificates, tmp_path, fault):
    context = getattr(certificates, fault)().server_context(tmp_path)
    probe = await probed(IMAP, silent, context, security=Security.TLS, ca=certificates.ca_pem)
    fails_at(probe, "tls", "imap.tls_certificate")
    assert probe.diagnosis.matched == f"tls.seen.{fault.replace('untrusted', 'unknown_ca').replace('_', '-')}"


async def test_tls_spoken_to_a_plain_port_is_told():
    for direction, story in ((IMAP, says(b"* OK ready")), (SMTP, says(b"220 ready"))):
        fails_at(await probed(direction, story, security=Security.TLS), "tls", f"{direction}.tls_certificate")


async def test_a_host_without_an_address_a_closed_port_and_a_private_host_are_told():
    nowhere = await prober().probe(connection(143, 587, host="no-such-host.invalid"))
    fails_at(nowhere.imap, "resolve", "imap.server_connection")
    fails_at(nowhere.smtp, "resolve", "smtp.server_connection")
    closed = await prober().probe(connection(free_port(), free_port()))
    fails_at(closed.imap, "connect", "imap.server_connection")
    fails_at(closed.smtp, "connect", "smtp.server_connection")
    private = await prober(allow_private=False).probe(connection(143, 587))
    fails_at(private.imap, "resolve", "imap.server_misconfigured")
    fails_at(private.smtp, "resolve", "smtp.server_misconfigured")


async def test_a_server_that_falls_silent_anywhere_is_told_within_fifteen_seconds(certificates, tmp_path):
    """All at the same time, and each for itself: one slow machine slows all alike."""
    began = time.monotonic()

    async def judged(direction, step, code, story, context=None, **settings):
        probe = await probed(direction, story, context, **settings)
        took = time.monotonic() - began
        fails_at(probe, step, f"{direction}.{code}")
        return step, took

    async def slow_everywhere(peer):
        """Each answer within its own step's time, all together for ever."""
        await asyncio.sleep(4)
        await peer.say(b"* OK ready")
        tag = await peer.command(b"CAPABILITY")
        await asyncio.sleep(6)
        await peer.say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN", tag + b" OK")
        await peer.gone()

    context = certificates.good().server_context(tmp_path)
    tls = {"security": Security.TLS, "ca": certificates.ca_pem}
    results = await asyncio.gather(
        judged(IMAP, "greeting", "server_connection", silent),
        judged(SMTP, "greeting", "server_connection", silent),
        judged(IMAP, "tls", "server_connection", silent, **tls),
        judged(IMAP, "greeting", "server_misconfigured", silent, context),
        judged(SMTP, "greeting", "server_misconfigured", silent, context),
        judged(IMAP, "greeting", "server_connection", silent, context, **tls),
        judged(IMAP, "capabilities", "server_connection", says(b"* OK ready")),
        judged(IMAP, "sign_in", "server_connection", says(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")),
        judged(IMAP, "sign_in", "server_connection", slow_everywhere),
        judged(IMAP, "select", "server_connection", imap((b"EXAMINE",))),
        judged(SMTP, "capabilities", "server_connection", smtp(ehlo=b"")),
        judged(SMTP, "sign_in", "server_connection", smtp(auth=b"")),
        judged(SMTP, "sender", "server_connection", smtp(mail=b""), username="anna@example.test"),
        judged(IMAP, "select", "server_connection", imap((b"SELECT",)), username="anna@example.test"),
        judged(
            IMAP,
            "rights",
            "server_connection",
            imap((b"SELECT", *SELECTED), (b"MYRIGHTS",), capabilities=b"IMAP4rev1 AUTH=PLAIN SASL-IR ACL"),
            username="anna@example.test",
        ),
    )
    late = [one for one in results if one[1] > IN_TIME]
    assert not late


async def test_a_server_that_does_not_say_good_bye_holds_nobody_up():
    began = time.monotonic()
    async with both(imap((b"EXAMINE", *SELECTED), (b"LOGOUT",)), smtp(quit=b"")) as made:
        report = await prober().probe(made)
    assert report.ok
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("username", "another"),
    [
        (ADDRESS, False),
        ("SUPPORT@Example.test", False),
        ("support", False),
        ("EXAMPLE\\support", False),
        ("", False),
        ("anna@example.test", True),
        ("anna", True),
        ("EXAMPLE\\anna", True),
        ("anna@example.test\\support", True),
    ],
)
def test_a_sign_in_that_is_not_the_addresss_own_is_known(username, another):
    assert signs_in_as_another(ADDRESS, username) is another


async def test_nothing_is_asked_about_rights_where_one_signs_in_as_oneself():
    heard = []

    async def listening(peer):
        peer.heard = heard
        await smtp()(peer)

    async with served(listening) as port:
        probe = await prober().sending(connection(1, port))
    assert probe.ok
    assert not [line for line in heard if line.startswith((b"MAIL", b"RCPT", b"DATA"))]
