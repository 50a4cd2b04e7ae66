"""A failure keeps its name whatever form it arrives in: coloured, escaped, broken in lines, with a client's advice."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
from tools.accuracy import CORPUS

from postroom.core.diagnosis import diagnose, from_json
from postroom.core.diagnosis.wrapped import plain, without_advice

Form = Callable[[str], str]

FORMS: dict[str, Form] = {
    "coloured": lambda raw: f"\x1b[31m{raw}\x1b[0m",
    "html": lambda raw: html.escape(raw).replace("\n", "<br/>\n"),
    "json": lambda raw: json.dumps({"ok": False, "error": {"message": raw}}),
    "percent": quote,
    "link": lambda raw: f"error={quote_plus(raw)}",
    "upper": str.upper,
    "quoted": lambda raw: "\n".join(f"> {line}" for line in raw.split("\n")),
    "node": lambda raw: (
        f"Error: {raw}\n    at Connection.emit (node:events:513:28)\n"
        "    at TLSSocket.<anonymous> (/srv/app/lib/mail.js:88:12)"
    ),
    "log": lambda raw: f"2024-05-01T12:00:00.123Z ERROR 1 --- [pool-3-thread-1] c.a.m.Job : task 550 failed: {raw}",
    "advice": lambda raw: f"{raw}\nPlease check your username, password and server settings and try again.",
    "help": lambda raw: f"{raw}\nSee https://docs.example.org/help/mail-errors for more information.",
    "told": lambda raw: f"Failed to send/receive email: {raw}",
}


@pytest.mark.parametrize("direction", ["imap", "smtp"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_code_does_not_depend_on_the_form(form: str, direction: str) -> None:
    lines = (CORPUS / f"{direction}-dev.jsonl").read_text(encoding="utf-8").splitlines()
    kept = 0
    for line in lines:
        sample = json.loads(line)
        evidence = from_json(sample)
        said = diagnose(replace(evidence, raw=FORMS[form](evidence.raw)))
        kept += said.code in {sample["code"], *sample["alt"]}
    assert kept >= 0.98 * len(lines)


HEADINGS = {
    "imap": (
        "javax.mail.AuthenticationFailedException: {}",
        "MailKit.Security.AuthenticationException: {}",
        "Can not authenticate to IMAP server: {}",
        "Login to server imap.example.com with username alice failed. {}",
        "IMAP Error: Login failed for alice@example.com against imap.example.com from 192.0.2.4. {}",
    ),
    "smtp": (
        "Error: Can't send mail - all recipients were rejected: {}",
        "SMTP Error: The following recipients failed: bob@example.com: {}",
        "smtplib.SMTPRecipientsRefused: {{'bob@example.com': (550, b'{}')}}",
        "<bob@example.com>: host mx.example.com[192.0.2.4] said: {} (in reply to RCPT TO command)",
    ),
}
"""What clients print before any refusal, by the place where they do: a failed sign-in, a refused recipient."""
PLACES = {"imap": "auth", "smtp": "rcpt"}


@pytest.mark.parametrize(("direction", "heading"), [(each, words) for each in HEADINGS for words in HEADINGS[each]])
def test_a_clients_heading_does_not_hide_what_the_server_said(direction: str, heading: str) -> None:
    lines = (CORPUS / f"{direction}-dev.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    said = [
        s for s in samples if s["stage"] == PLACES[direction] and "xception" not in s["raw"] and "\n" not in s["raw"]
    ]
    kept = 0
    for sample in said:
        evidence = from_json(sample)
        told = diagnose(replace(evidence, raw=heading.format(evidence.raw)))
        kept += told.code in {sample["code"], *sample["alt"]}
    assert said
    assert kept >= 0.95 * len(said)


def test_a_console_that_broke_words_is_undone() -> None:
    said = "A connection attempt failed because the connected party did not properly respond after a period of time"
    lines = "\n".join(said[at : at + 40] for at in range(0, len(said), 40))
    assert plain(lines) == said


def test_lines_of_a_dialogue_stay_lines() -> None:
    dialogue = "S: * OK ready\nC: a LOGIN alice secret\nS: a NO Login failed"
    assert plain(dialogue) == dialogue


def test_a_client_that_says_nothing_but_advice_is_taken_at_its_word() -> None:
    assert without_advice("please check your username and password.") == "please check your username and password."
    assert without_advice("connection reset by peer. please check your password.") == "connection reset by peer.  "
