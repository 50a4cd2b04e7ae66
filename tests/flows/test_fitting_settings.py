"""Port and security that do not fit each other: what is said, and which setting of the same server would work."""

import pytest

from postroom.core.mailbox import Direction, Endpoint, Security
from postroom.core.settings import neighbours
from tests.flows.doors import connection, imap, probed, prober, smtp


async def looked(direction, dovecot, postfix, certificates, port, security):
    made = connection(port, port, security=security, ca=certificates.ca_pem)
    look = prober()
    return await (look.receiving(made) if direction == "imap" else look.sending(made))


@pytest.mark.asyncio(loop_scope="session")
async def test_tls_spoken_to_a_plain_port_is_told_with_the_security_that_works_there(dovecot, postfix, certificates):
    for direction, port in (("imap", dovecot.imap_port), ("smtp", postfix.submission_port)):
        probe = await looked(direction, dovecot, postfix, certificates, port, Security.TLS)
        assert probe.diagnosis.matched == "tls.seen.plain-port"
        assert "security and port do not fit" in probe.diagnosis.reason
        assert probe.diagnosis.steps[0].startswith(f"localhost answers on port {port} with STARTTLS:")


@pytest.mark.asyncio(loop_scope="session")
async def test_plain_text_spoken_to_a_tls_port_is_told_with_the_security_that_works_there(
    dovecot, postfix, certificates
):
    for direction, port in (("imap", dovecot.imaps_port), ("smtp", postfix.smtps_port)):
        probe = await looked(direction, dovecot, postfix, certificates, port, Security.STARTTLS)
        assert probe.diagnosis.matched == "setup.tls-expected"
        assert "This port wants TLS from the first byte" in probe.diagnosis.reason
        assert probe.diagnosis.steps[0].startswith(f"localhost answers on port {port} with TLS:")


async def test_a_setting_that_does_not_work_either_is_not_advised():
    no_tls = smtp()
    probe = await probed(Direction.SMTP, no_tls, security=Security.STARTTLS)
    assert probe.diagnosis.name == "smtp.server_misconfigured"
    assert not probe.diagnosis.steps[0].startswith("localhost answers")


async def test_a_refused_password_is_no_reason_to_look_at_other_ports(monkeypatch):
    monkeypatch.setattr("postroom.flows.probe._first", None)
    refuses = smtp(auth=b"535 5.7.8 Authentication credentials invalid")
    probe = await probed(Direction.SMTP, refuses)
    assert probe.diagnosis.name == "smtp.invalid_credentials"


async def test_a_refused_certificate_is_no_reason_to_look_at_other_ports(certificates, tmp_path, monkeypatch):
    monkeypatch.setattr("postroom.flows.probe._first", None)
    context = certificates.good().server_context(tmp_path)  # of an authority that is not trusted here
    probe = await probed(Direction.IMAP, imap(), context, security=Security.TLS)
    assert probe.diagnosis.matched == "tls.seen.unknown-ca"


def test_no_neighbour_is_unprotected_and_none_is_what_was_tried():
    for direction in Direction:
        for security in Security:
            given = Endpoint("mail.test", 993, security, "a")
            near = neighbours(direction, given)
            assert given not in near
            assert all(one.security is not Security.NONE and one.host == "mail.test" for one in near)


async def test_a_trial_promises_no_tries_by_itself():
    later = smtp(ehlo=b"421 4.3.2 try later")
    probe = await probed(Direction.SMTP, later)
    said = " ".join(probe.diagnosis.steps)
    assert "by itself" in said
    assert "Postroom tries" not in said
    assert "Try again in a few minutes" in said
