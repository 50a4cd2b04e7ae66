"""What our own wire sees becomes the right diagnosis, with the facts in its reason and steps that can be followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from postroom.core.diagnosis import Action, Diagnosis, Evidence, Stage, TlsFacts, diagnose, holding
from postroom.core.mailbox import Direction

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)


def said(direction: str, stage: str, raw: str = "", **known: object) -> Diagnosis:
    return diagnose(Evidence(Direction(direction), Stage(stage), raw=raw, **known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stage", "exception", "code", "action"),
    [
        ("dns", "gaierror: [Errno -2] Name or service not known", "server_connection", Action.RETRY),
        (
            "connect",
            "ConnectionRefusedError: [Errno 111] Connect call failed ('192.0.2.1', 993)",
            "server_connection",
            Action.RETRY,
        ),
        ("connect", "TimeoutError: ", "server_connection", Action.RETRY),
        ("connect", "OSError: [Errno 101] Network is unreachable", "server_connection", Action.RETRY),
        ("connect", "PrivateHost: mail.example.org is 10.0.0.5", "server_misconfigured", Action.FIX_SETTINGS),
        ("greeting", "TimeoutError: no greeting", "server_connection", Action.RETRY),
        ("starttls", "NotOffered: STARTTLS", "server_misconfigured", Action.FIX_SETTINGS),
        ("auth", "NotOffered: AUTH", "server_misconfigured", Action.FIX_SETTINGS),
        ("auth", "ConnectionLost: closed by peer", "server_connection", Action.RETRY),
        ("tls", "SSLCertVerificationError: certificate has expired", "tls_certificate", Action.FIX_SETTINGS),
    ],
)
@pytest.mark.parametrize("direction", ["imap", "smtp"])
def test_what_our_wire_raises_is_understood(
    direction: str, stage: str, exception: str, code: str, action: Action
) -> None:
    diagnosis = said(direction, stage, exception=exception)
    assert (diagnosis.code, diagnosis.action) == (code, action)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.OAUTH])
@pytest.mark.parametrize("direction", list(Direction))
def test_a_lost_connection_is_passing_at_every_stage(direction: Direction, stage: Stage) -> None:
    diagnosis = diagnose(Evidence(direction, stage, exception="ConnectionLost: the server closed the connection"))
    assert (diagnosis.code, diagnosis.action) == ("server_connection", Action.RETRY)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.OAUTH])
@pytest.mark.parametrize("direction", list(Direction))
def test_a_server_that_does_not_answer_is_passing_at_every_stage(direction: Direction, stage: Stage) -> None:
    diagnosis = diagnose(Evidence(direction, stage, exception="TimeoutError: no answer for 30 seconds"))
    assert (diagnosis.code, diagnosis.action) == ("server_connection", Action.RETRY)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.OAUTH])
@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    "exception", ["PrivateHost: mail.example.org is 10.0.0.5", "NotOffered: STARTTLS", "NotOffered: AUTH"]
)
def test_what_only_a_person_can_set_is_a_setting_at_every_stage(
    direction: Direction, stage: Stage, exception: str
) -> None:
    diagnosis = diagnose(Evidence(direction, stage, exception=exception))
    assert (diagnosis.code, diagnosis.action) == ("server_misconfigured", Action.FIX_SETTINGS)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("stage", ["connect", "greeting", "starttls"])
def test_what_does_not_speak_the_protocol_at_all_is_a_setting_to_correct(direction: str, stage: str) -> None:
    diagnosis = said(direction, stage, exception="ProtocolError: what answers there is no mail server")
    assert (diagnosis.code, diagnosis.action) == ("server_misconfigured", Action.FIX_SETTINGS)


@pytest.mark.parametrize("stage", ["auth", "mail", "rcpt", "data", "send"])
def test_an_answer_that_is_not_smtp_is_passing_once_the_server_has_spoken_smtp(stage: str) -> None:
    diagnosis = said("smtp", stage, exception="ProtocolError: 250 is no answer to this")
    assert (diagnosis.code, diagnosis.action) == ("server_connection", Action.RETRY)


def test_a_message_that_another_worker_has_is_put_off() -> None:
    diagnosis = said("smtp", "data", exception="GivenUp: the message was not to be handed over any more")
    assert (diagnosis.code, diagnosis.action) == ("message_deferred", Action.DEFER_MESSAGE)


@pytest.mark.parametrize("reply", ["421", "450", "451", "452"])
@pytest.mark.parametrize(
    "words", ["spam", "content filter", "message size limit", "user unknown", "dkim", "header", "too many errors", "no"]
)
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "send"])
def test_a_passing_refusal_returns_no_message(stage: str, words: str, reply: str) -> None:
    assert said("smtp", stage, f"{reply} 4.7.1 {words}").action is not Action.FAIL_MESSAGE


@pytest.mark.parametrize(
    "raw",
    [
        "535 5.7.8 Authentication failed. Check your credentials and try again.",
        "535 Incorrect password, please retry",
        "NO [AUTHENTICATIONFAILED] Can not authenticate, try again",
    ],
)
def test_a_refused_password_is_not_tried_again_because_the_server_says_so_politely(raw: str) -> None:
    direction = "smtp" if raw[0] == "5" else "imap"
    assert said(direction, "auth", raw).action is Action.REAUTHENTICATE


def test_the_class_of_a_reply_is_read_from_its_enhanced_code_where_a_client_dropped_the_reply() -> None:
    assert said("smtp", "rcpt", "Recipient refused: 4.7.250 zxcvb").action is Action.DEFER_MESSAGE
    assert said("smtp", "rcpt", "Recipient refused: 5.7.250 zxcvb").action is Action.FAIL_MESSAGE


@pytest.mark.parametrize("stage", ["capability", "select", "fetch", "idle", "append"])
def test_an_answer_that_is_not_imap_is_a_protocol_error(stage: str) -> None:
    assert said("imap", stage, exception="ProtocolError: a literal without its length").code == "protocol_error"


@pytest.mark.parametrize(
    "banner", ["HTTP/1.1 400 Bad Request", "SSH-2.0-OpenSSH_9.2p1", "+OK POP3 ready", "220 mx.example.org ESMTP"]
)
def test_another_service_on_the_port_is_a_setting_to_correct(banner: str) -> None:
    diagnosis = said("imap", "greeting", banner)
    assert (diagnosis.code, diagnosis.action) == ("server_misconfigured", Action.FIX_SETTINGS)


def test_an_imap_server_on_the_sending_port_is_a_setting_to_correct() -> None:
    assert said("smtp", "greeting", "* OK [CAPABILITY IMAP4rev1] ready").code == "server_misconfigured"


def test_a_farewell_instead_of_a_greeting_is_passing() -> None:
    diagnosis = said("imap", "greeting", "* BYE Server shutting down", status="BYE")
    assert (diagnosis.code, diagnosis.action) == ("server_connection", Action.RETRY)


def test_an_expired_certificate_names_its_day() -> None:
    tls = TlsFacts(fault="expired", not_after=datetime(2026, 3, 3, tzinfo=UTC))
    diagnosis = said("imap", "tls", host="imap.example.org", tls=tls, exception="SSLCertVerificationError: x")
    assert diagnosis.reason == "The certificate of imap.example.org expired on 3 March 2026."


def test_a_certificate_for_another_name_tells_both_names() -> None:
    tls = TlsFacts(fault="wrong_host", names=("mail.example.net", "www.example.net"))
    diagnosis = said("smtp", "tls", host="imap.example.org", tls=tls)
    assert diagnosis.reason == "The certificate is for mail.example.net, www.example.net, not for imap.example.org."


def test_the_seen_fault_of_a_certificate_wins_over_the_words_of_the_exception() -> None:
    tls = TlsFacts(fault="self_signed")
    assert (
        said("imap", "tls", tls=tls, exception="SSLError: connection reset by peer").matched == "tls.seen.self-signed"
    )


def test_a_private_host_is_told_with_the_setting_that_allows_it() -> None:
    diagnosis = said("imap", "connect", exception="PrivateHost: mail.example.org is 10.0.0.5", host="mail.example.org")
    assert "POSTROOM_ALLOW_PRIVATE_HOSTS" in " ".join(diagnosis.steps)


def test_an_application_password_is_explained_with_the_providers_own_menus() -> None:
    raw = "535 5.7.9 Application-specific password required"
    assert "apppasswords" in " ".join(said("smtp", "auth", raw, provider="gmail").steps)
    assert "account.apple.com" in " ".join(said("smtp", "auth", raw, provider="icloud").steps)
    assert "account.mail.ru" in " ".join(said("smtp", "auth", raw, provider="mail.ru").steps)


def test_smtp_auth_that_is_off_tells_where_the_administrator_switches_it_on() -> None:
    raw = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    diagnosis = said("smtp", "auth", raw, provider="microsoft365")
    assert (diagnosis.code, diagnosis.action) == ("account_disabled", Action.FIX_SETTINGS)
    steps = " ".join(diagnosis.steps)
    assert "Manage email apps" in steps
    assert "30 minutes" in steps


def test_sending_diagnoses_say_what_is_held_and_for_how_long() -> None:
    evidence = Evidence(Direction.SMTP, Stage.AUTH, raw="535 5.7.8 Bad credentials")
    diagnosis = holding(diagnose(evidence), held=14, now=NOW, oldest_expires_at=NOW + timedelta(hours=71, minutes=59))
    assert diagnosis.steps[-1] == (
        "Outgoing mail is held for up to 72 hours and sent when the mailbox reconnects. "
        "Held now: 14; the oldest waits at most 71 hours more."
    )
    assert "up to 24 hours" in holding(diagnose(evidence), hold_hours=24).steps[-1]


def test_a_refused_recipient_leaves_the_mailbox_alone() -> None:
    diagnosis = said(
        "smtp",
        "rcpt",
        "550 5.1.1 <bob@example.com>: Recipient address rejected: User unknown",
        recipient="bob@example.com",
    )
    assert (diagnosis.code, diagnosis.action) == ("message_rejected", Action.FAIL_MESSAGE)
    assert "bob@example.com" in diagnosis.reason
    assert not any("is held" in step for step in diagnosis.steps)


def test_the_same_words_mean_another_thing_at_another_stage() -> None:
    assert said("smtp", "rcpt", "552 5.2.2 Over quota").code == "message_deferred"
    assert said("smtp", "mail", "552 5.2.2 Over quota").code == "mailbox_limit_exceeded"


def test_a_token_refusal_hidden_in_base64_is_read() -> None:
    raw = "+ eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ=="
    assert said("imap", "auth", raw).code == "token_expired"


def test_a_server_in_trouble_is_not_taken_for_a_wrong_password() -> None:
    diagnosis = said("imap", "auth", "a1 NO [UNAVAILABLE] LOGIN failed")
    assert (diagnosis.code, diagnosis.action) == ("account_unreachable", Action.RETRY)


def test_an_unknown_refusal_of_a_sign_in_is_not_repeated_by_itself() -> None:
    diagnosis = said("smtp", "auth", "599 Zxcvb")
    assert (diagnosis.code, diagnosis.action) == ("unknown", Action.FIX_SETTINGS)
    assert diagnosis.raw == "599 Zxcvb"


def test_curly_braces_in_a_servers_words_do_no_harm() -> None:
    tls = TlsFacts(fault="wrong_host", names=("{host}", "{0}", "{"))
    assert "{host}, {0}, {" in said("imap", "tls", tls=tls).reason


def test_a_diagnosis_survives_json() -> None:
    diagnosis = said("smtp", "auth", "535 5.7.8 no")
    assert Diagnosis.from_dict(diagnosis.as_dict()) == diagnosis


def test_the_servers_own_words_count_and_not_the_sentence_that_dotnet_puts_before_them() -> None:
    said_by = "Exceeded storage allocation. The server response was: 5.7.0 Our system detected an illegal attachment"
    assert said("smtp", "data", said_by).code == "message_rejected"
    assert said("smtp", "send", "Mailbox unavailable. The server response was: 5.7.1 Unable to relay").matched == (
        "sender.relay"
    )
    assert said("smtp", "send", "Mailbox busy. The server response was: zxcvb").action is Action.DEFER_MESSAGE


def test_words_in_brackets_are_words_unless_they_are_a_response_code() -> None:
    assert said("imap", "auth", "IMAP4.error: b'[AUTHENTICATION FAILED]'").code == "invalid_credentials"
    assert said("imap", "auth", "NO [UNAVAILABLE] zxcvb").matched == "code.unavailable"


def test_words_inside_an_address_say_nothing() -> None:
    raw = "550 5.1.1 <spam.quota.relay@blacklist.example>: Recipient address rejected: User unknown"
    assert said("smtp", "rcpt", raw).matched == "recipient.unknown"


def test_a_user_that_domino_does_not_list_is_no_blocked_address_of_ours() -> None:
    unlisted = said(
        "smtp", "rcpt", "550 5.1.1 bob@example.com... User bob (bob@example.com) not listed in Domino Directory"
    )
    assert (unlisted.code, unlisted.action) == ("message_rejected", Action.FAIL_MESSAGE)
    listed = said("smtp", "rcpt", "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org; listed in SBL")
    assert (listed.code, listed.action) == ("access_restricted", Action.FIX_SETTINGS)
