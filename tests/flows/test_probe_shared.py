"""A shared mailbox: the sign-in, the right to read and the right to send are told apart."""

import pytest

from postroom.core.mailbox import Credential, Direction, Endpoint, Security
from postroom.flows.probe import Connection
from tests.flows.doors import ADDRESS, SELECTED, connection, imap, probed, prober, smtp
from tests.rig.dovecot import DOMAIN, Dovecot
from tests.wire.peer import served

ANNA = "anna@example.test"
WITH_ACL = b"IMAP4rev1 AUTH=PLAIN SASL-IR ACL"
SENT = b"MYRIGHTS"


def readable(letters):
    return imap((b"SELECT", *SELECTED), (SENT, b"* MYRIGHTS INBOX " + letters, b"{tag} OK done"), capabilities=WITH_ACL)


async def receiving(story):
    return await probed(Direction.IMAP, story, username=ANNA)


async def sending(**answers):
    return await probed(Direction.SMTP, smtp(**answers), username=ANNA)


async def test_rights_that_suffice_are_told():
    probe = await receiving(readable(b"lrs"))
    assert probe.ok
    assert [step.name for step in probe.steps[-3:]] == ["sign_in", "select", "rights"]
    assert probe.steps[-2].detail == "INBOX, 3 messages, read-only"
    assert probe.steps[-1].detail == "INBOX: lrs"


async def test_a_folder_that_may_not_be_read_is_access_denied_though_the_sign_in_is_fine():
    for story, step in (
        (readable(b"l"), "rights"),
        (imap((b"SELECT", b"{tag} NO [NOPERM] Permission denied")), "select"),
    ):
        probe = await receiving(story)
        assert probe.diagnosis.name == "imap.access_denied"
        assert [(one.name, one.ok) for one in probe.steps[-2:]][-1] == (step, False)
        assert all(one.ok for one in probe.steps[:-1])


async def test_a_server_without_access_lists_or_one_that_will_not_say_is_no_failure():
    assert (await receiving(imap((b"SELECT", *SELECTED)))).ok
    refusing = imap((b"SELECT", *SELECTED), (SENT, b"{tag} BAD unknown"), capabilities=WITH_ACL)
    assert (await receiving(refusing)).ok


async def test_a_sender_that_is_refused_is_access_restricted_though_the_sign_in_is_fine():
    for answers in (
        {"mail": b"550 5.7.60 SMTP; Client does not have permissions to send as this sender"},
        {"rcpt": b"553 5.7.1 <support@example.test>: Sender address rejected: not owned by user anna@example.test"},
    ):
        probe = await sending(**answers)
        assert probe.diagnosis.name == "smtp.access_restricted"
        assert [(one.name, one.ok) for one in probe.steps[-2:]] == [("sign_in", True), ("sender", False)]


async def test_the_envelope_is_withdrawn_and_no_message_is_begun():
    heard = []

    async def listening(peer):
        peer.heard = heard
        await smtp()(peer)

    async with served(listening) as port:
        assert (await prober().sending(connection(1, port, username=ANNA))).ok
    words = [line.split(b" ")[0] for line in heard if line]
    assert words[-4:] == [b"MAIL", b"RCPT", b"RSET", b"QUIT"]
    assert b"DATA" not in words
    assert b"RCPT TO:<" + ADDRESS.encode() + b">" in heard


@pytest.mark.parametrize(
    "answers",
    [
        {"rcpt": b"552 5.2.2 Mailbox full"},
        {"rcpt": b"550 5.1.1 User unknown"},
        {"mail": b"451 4.3.0 Try again later"},
        {"rset": b"502 5.5.1 not implemented"},
    ],
)
async def test_a_refusal_that_is_not_about_the_sender_is_shown_and_no_failure(answers):
    probe = await sending(**answers)
    assert probe.ok
    assert probe.steps[-1].name == "sender"
    if "rset" not in answers:
        assert next(iter(answers.values())).decode() in probe.steps[-1].detail


# Real servers


@pytest.fixture
async def acl(certificates):
    """A Dovecot whose folders have access lists; whose INBOX `shared.NAME.INBOX` is NAME's."""
    server = Dovecot(certificates)
    text = server._config.read_text()
    server._config.write_text(
        text.replace("mail_plugins = imap_zlib", "mail_plugins = imap_zlib acl imap_acl")
        + "plugin {\n  acl = vfile\n}\n"
        + "namespace shared {\n  type = shared\n  separator = .\n  prefix = shared.%%n.\n"
        + f"  location = maildir:{server.folder}/mail/%%n/Maildir:INDEXPVT=~/shared/%%n\n"
        + "  subscriptions = no\n  list = children\n}\n"
    )
    async with server:
        yield server


def of_the_rig(dovecot, user, address, smtp_port=1):
    imap_end = Endpoint("localhost", dovecot.imap_port, Security.NONE, user.address)
    return Connection(
        address,
        "",
        imap_end,
        Endpoint("localhost", smtp_port, Security.NONE, user.address),
        Credential(password=user.password),
    )


async def test_dovecots_access_lists_are_read(acl):
    anna, box = acl.add_user(), acl.add_user()
    folder = f"shared.{box.name}"
    rights = acl.maildir(box.name).folder() / "dovecot-acl"
    look = prober()

    async def tried(letters):
        rights.write_text(f"user={anna.name} {letters}\n")
        rights.chmod(0o644)
        return await look.receiving(of_the_rig(acl, anna, box.address), (folder,))

    reading = await tried("lr")
    assert reading.ok, reading
    assert reading.steps[-1].name == "rights"
    assert set("lr") <= set(reading.steps[-1].detail.rpartition(" ")[2])
    seeing = await tried("l")
    assert seeing.diagnosis.name == "imap.access_denied", seeing
    assert seeing.steps[-1].name == "select"


async def test_postfix_tells_a_foreign_sender_before_the_message(postfix, dovecot):
    anna, box = dovecot.add_user(), dovecot.add_user()
    owners = postfix.folder / "owners"
    owners.write_text(f"{box.address} {box.address}\n{anna.address} {anna.address}\n")
    owners.chmod(0o644)
    made = of_the_rig(dovecot, anna, box.address, postfix.submission_port)
    before = len(postfix.sink.accepted)
    async with postfix.configured(
        smtpd_sender_login_maps=f"texthash:{owners}", smtpd_sender_restrictions="reject_sender_login_mismatch"
    ):
        probe = await prober().sending(made)
        assert probe.diagnosis.name == "smtp.access_restricted", probe
        assert "not owned by user" in probe.diagnosis.raw
        assert [one.name for one in probe.steps][-2:] == ["sign_in", "sender"]
    allowed = await prober().sending(made)
    assert allowed.ok
    assert allowed.steps[-1].name == "sender"
    assert len(postfix.sink.accepted) == before
    assert await postfix.queue() == []
    assert dovecot.messages(box.name) == []
    assert box.address.endswith(DOMAIN)
