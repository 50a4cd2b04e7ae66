"""Dovecot as the tests have it: real log-ins, real mail, real refusals."""

import imaplib
import smtplib
import ssl
import time

import pytest

from tests.rig.clients import RAW, bodies, log_in
from tests.rig.dovecot import Dovecot
from tests.rig.maildir import letters
from tests.rig.ports import is_open


def exchange(client, times):
    for _ in range(times):
        client.noop()


async def test_a_message_delivered_by_lmtp_is_fetched_over_imap(dovecot, user):
    await dovecot.deliver(user.name, RAW)
    with log_in(dovecot.imap_port, user) as client:
        (fetched,) = bodies(client)
    assert fetched.endswith(RAW)
    assert b"Return-Path: <customer@example.test>" in fetched


def test_a_dropped_message_is_fetched_byte_for_byte(dovecot, user):
    dovecot.drop(user.name, RAW)
    dovecot.drop(user.name, RAW, folder="Junk", flags="S")
    with log_in(dovecot.imap_port, user) as client:
        assert bodies(client) == [RAW]
        assert bodies(client, "Junk") == [RAW]
    assert dovecot.messages(user.name) == [RAW]


def test_a_filled_mailbox_has_its_messages_in_order(dovecot, user):
    written = list(letters(300, 4096))
    assert dovecot.fill(user.name, written) == 300
    with log_in(dovecot.imap_port, user) as client:
        assert client.select()[1] == [b"300"]
        assert client.uid("fetch", "300", "(RFC822.SIZE)")[1] == [
            f"300 (UID 300 RFC822.SIZE {len(written[-1])})".encode()
        ]
        assert bodies(client) == written


def test_sizes_in_file_names_are_true_for_bare_line_feeds(dovecot, user):
    bare = RAW.replace(b"\r\n", b"\n")
    dovecot.fill(user.name, [bare])
    with log_in(dovecot.imap_port, user) as client:
        client.select()
        assert client.fetch("1", "(RFC822.SIZE)")[1] == [f"1 (RFC822.SIZE {len(RAW)})".encode()]
        assert bodies(client) == [RAW]


def test_special_folders_are_marked(dovecot, user):
    with log_in(dovecot.imap_port, user) as client:
        listed = b"\n".join(client.list()[1])
    for special in (b"Sent", b"Drafts", b"Trash", b"Junk"):
        assert b"\\" + special in listed


def test_a_changed_password_counts_from_the_next_log_in(dovecot, user):
    log_in(dovecot.imap_port, user).logout()
    for password in ('nächstes: "wort" {1}'.encode().decode("latin-1"), "next"):
        dovecot.set_password(user.name, password)
        if password.isascii():
            log_in(dovecot.imap_port, user, password).logout()
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            log_in(dovecot.imap_port, user)


async def test_a_removed_user_can_neither_log_in_nor_receive(dovecot, user):
    dovecot.remove(user.name)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        log_in(dovecot.imap_port, user)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await dovecot.deliver(user.name, RAW)


def test_many_refused_log_ins_do_not_slow_the_next_one(dovecot, user):
    for _ in range(4):
        with pytest.raises(imaplib.IMAP4.error):
            log_in(dovecot.imap_port, user, "wrong")
    began = time.monotonic()
    log_in(dovecot.imap_port, user).logout()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_logs_in_and_a_stale_or_forged_one_does_not(dovecot, user, mechanism):
    def attempt(token):
        start = f"n,a={user.name},\x01" if mechanism == "OAUTHBEARER" else f"user={user.name}\x01"
        answers = iter([f"{start}auth=Bearer {token}\x01\x01".encode(), b"\x01"])
        with imaplib.IMAP4("localhost", dovecot.imap_port, timeout=20) as client:
            return client.authenticate(mechanism, lambda _: next(answers))

    assert attempt(dovecot.token(user.name))[0] == "OK"
    for bad in (dovecot.token(user.name, expires_in=-60), dovecot.token(user.name, forged=True)):
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            attempt(bad)


def test_tls_is_trusted_by_who_knows_the_authority_and_by_nobody_else(dovecot, user, certificates):
    with imaplib.IMAP4_SSL("localhost", dovecot.imaps_port, ssl_context=certificates.client_context()) as client:
        client.login(user.name, user.password)
    with imaplib.IMAP4("localhost", dovecot.imap_port, timeout=20) as client:
        client.starttls(certificates.client_context())
        client.login(user.name, user.password)
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("localhost", dovecot.imaps_port, ssl_context=ssl.create_default_context())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "certificate has expired"),
        ("not_yet_valid", "certificate is not yet valid"),
        ("wrong_host", "Hostname mismatch"),
        ("untrusted", "unable to get local issuer certificate"),
    ],
)
async def test_a_bad_certificate_is_bad_in_the_way_asked_for(certificates, kind, words):
    async with Dovecot(certificates, certificate=getattr(certificates, kind)()) as other:
        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            imaplib.IMAP4_SSL("localhost", other.imaps_port, ssl_context=certificates.client_context())


async def test_variants_announce_no_idle_limit_connections_and_demand_tls(certificates):
    async with Dovecot(certificates, idle=False, connections_per_user=1, mechanisms=["plain"]) as other:
        user = other.add_user()
        with log_in(other.imap_port, user) as first:
            assert "IDLE" not in first.capability()[1][0].decode().split()
            with pytest.raises(imaplib.IMAP4.error, match="Maximum number of connections"):
                log_in(other.imap_port, user).noop()
    async with Dovecot(certificates, plaintext=False) as strict:
        user = strict.add_user()
        with imaplib.IMAP4(strict.host, strict.imap_port, timeout=20) as client:
            assert "LOGINDISABLED" in client.capabilities
            with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
                client.login(user.name, user.password)
            client.starttls(certificates.client_context())
            client.login(user.name, user.password)


async def test_a_kicked_user_loses_the_session_and_can_come_back(dovecot, user):
    client = log_in(dovecot.imap_port, user)
    await dovecot.kick(user.name)
    with pytest.raises(imaplib.IMAP4.abort):
        exchange(client, 2)
    log_in(dovecot.imap_port, user).logout()


async def test_a_restarted_dovecot_keeps_ports_users_and_mail(certificates):
    async with Dovecot(certificates) as other:
        user, ports, pid = other.add_user(), other.ports, other.pid
        other.drop(user.name, RAW)
        await other.stop()
        assert not any(is_open(port) for port in ports)
        await other.start()
        assert other.ports == ports
        assert other.pid != pid
        with log_in(other.imap_port, user) as client:
            assert bodies(client) == [RAW]
    assert not other.folder.exists()


async def test_doveadm_says_what_was_wrong(dovecot, user):
    assert "messages=0" in await dovecot.doveadm("mailbox", "status", "-u", user.name, "messages", "INBOX")
    with pytest.raises(RuntimeError, match="doesn't exist"):
        await dovecot.doveadm("mailbox", "status", "-u", "nobody-here", "messages", "INBOX")
