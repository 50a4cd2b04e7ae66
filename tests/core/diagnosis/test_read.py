"""Pasted error texts and JSON lines become evidence; numbers that only look like codes are left alone."""

from __future__ import annotations

import pytest

from postroom.core.diagnosis import EvidenceError, Stage, from_json, read
from postroom.core.mailbox import Direction


@pytest.mark.parametrize(
    ("raw", "code", "enhanced"),
    [
        ("535-5.7.8 Username and Password not accepted.\n535 5.7.8  https://support.google.com", 535, "5.7.8"),
        ("Error: Invalid login: 535 Error: authentication failed", 535, None),
        ("smtplib.SMTPDataError: (554, b'5.2.0 STOREDRV.Submission.Exception:X')", 554, "5.2.0"),
        ('421, "4.7.0", Try again later', 421, "4.7.0"),
        ("454 oops, problem with child and I can't auth (#4.3.0)", 454, "4.3.0"),
        ("connect ECONNREFUSED 127.0.0.1:587", None, None),
        ("Could not connect to SMTP host: smtp.example.com, port: 465, response: -1", None, None),
        ("EmailJSResponseStatus { status: 412, text: 'Yahoo: Invalid login: 535 5.7.0 (#AUTH005) x' }", 535, "5.7.0"),
        ("server mail.gmx.net[213.165.64.21] said: 535 Incorrect", 535, None),
        ('File "smtplib.py", line 535, in send', None, None),
        ("TLS 1.2 with OpenSSL 3.0.11 failed", None, None),
        ("Code { severity: PermanentNegativeCompletion, category: MailSystem, detail: Four }", 554, None),
        ("Code { severity: TransientNegativeCompletion, category: MailSystem, detail: One }", 451, None),
        ("Code { severity: TransientNegativeCompletion, category: Weather, detail: One }", None, None),
    ],
)
def test_only_real_reply_codes_are_read(raw: str, code: int | None, enhanced: str | None) -> None:
    evidence = read("smtp", raw, "auth")
    assert (evidence.smtp_code, evidence.enhanced) == (code, enhanced)


@pytest.mark.parametrize(
    ("raw", "status", "response_code"),
    [
        ("a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", "NO", "AUTHENTICATIONFAILED"),
        ("* BYE [UNAVAILABLE] try later", "BYE", "UNAVAILABLE"),
        ("imaplib.error: b'[ALERT] Application-specific password required'", None, "ALERT"),
        ("* OK ready\nA1 BAD Command Argument Error. 12", "BAD", None),
        ("type: 'no',\n  textCode: 'AUTHENTICATIONFAILED',", "NO", "AUTHENTICATIONFAILED"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", None, None),
    ],
)
def test_imap_statuses_and_response_codes_are_read(raw: str, status: str | None, response_code: str | None) -> None:
    evidence = read(Direction.IMAP, raw, Stage.AUTH)
    assert (evidence.status, evidence.response_code) == (status, response_code)


@pytest.mark.parametrize(
    ("direction", "raw", "stage"),
    [
        ("smtp", "getaddrinfo ENOTFOUND smtp.example.org", Stage.DNS),
        ("imap", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", Stage.TLS),
        ("imap", "AADSTS700082: The refresh token has expired", Stage.OAUTH),
        ("smtp", "550 5.1.1 <a@b.c>: Recipient address rejected (in reply to RCPT TO command)", Stage.RCPT),
        ("smtp", "SMTP Error: data not accepted.", Stage.DATA),
        ("smtp", "550 no", Stage.SEND),
        ("smtp", "535 5.7.8 no", Stage.AUTH),
        ("imap", "NO [NONEXISTENT] Unknown Mailbox", Stage.SELECT),
        ("imap", "LOGIN failed", Stage.AUTH),
        ("imap", "NO Mailbox is locked", Stage.SELECT),
        ("imap", "NO Message contains NUL characters", Stage.APPEND),
        ("smtp", "550 5.7.26 Unauthenticated email from example.com is not accepted", Stage.DATA),
    ],
)
def test_the_stage_is_guessed_where_nobody_said_it(direction: str, raw: str, stage: Stage) -> None:
    assert read(direction, raw).stage is stage


def test_the_provider_is_seen_in_its_own_words() -> None:
    assert read("smtp", "454 4.7.0 Too many login attempts - gsmtp").provider == "gmail"
    assert read("smtp", "535 5.7.139 x [AM0PR0.eurprd02.PROD.OUTLOOK.COM]").provider == "microsoft365"


def test_a_json_line_becomes_evidence() -> None:
    line = {"id": "7", "direction": "smtp", "stage": "auth", "raw": "535 no", "smtp_code": "535", "provider": None}
    evidence = from_json(line)
    assert (evidence.direction, evidence.stage, evidence.raw, evidence.smtp_code) == (
        Direction.SMTP,
        Stage.AUTH,
        "535 no",
        535,
    )


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ([], "JSON object"),
        ({"stage": "auth", "raw": ""}, "direction"),
        ({"direction": "pop3", "stage": "auth", "raw": ""}, "direction"),
        ({"direction": "smtp", "stage": "helo", "raw": ""}, "stage"),
        ({"direction": "smtp", "stage": "auth", "raw": 5}, "raw"),
        ({"direction": "smtp", "stage": "auth", "raw": "", "smtp_code": 53}, "smtp_code"),
        ({"direction": "smtp", "stage": "auth", "raw": "", "smtp_code": True}, "smtp_code"),
        ({"direction": "smtp", "stage": "auth", "raw": "", "status": ["NO"]}, "status"),
    ],
)
def test_a_bad_json_line_names_its_field(line: object, field: str) -> None:
    with pytest.raises(EvidenceError, match=field):
        from_json(line)
