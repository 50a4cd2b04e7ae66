"""Reports of mail servers: those of the corpus, each with its expectation beside it, and whatever else may come."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.core.bounce import Action, Reported, read, told
from postroom.core.diagnosis import Action as Does
from postroom.core.message import Unreadable
from postroom.core.parse import parse

CORPUS = Path(__file__).parent.parent / "corpus" / "bounces"
NAMES = sorted(path.stem for path in CORPUS.glob("*.eml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_report_says_who_failed_why_and_which_message_it_was(name):
    raw = (CORPUS / f"{name}.eml").read_bytes()
    expected = json.loads((CORPUS / f"{name}.json").read_text())
    found = read(raw, parse(raw))
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.message_ids[0] == expected["message_id"]
    assert [as_dict(one) for one in found.recipients] == expected["recipients"]


def as_dict(one):
    code = told(one).name if one.action is Action.FAILED else None
    return {
        "address": one.address,
        "action": str(one.action),
        "status": one.status,
        "words": one.words,
        "original": one.original,
        "code": code,
    }


def test_the_corpus_has_every_kind_and_what_is_none():
    kinds = (
        "postfix",
        "exim",
        "qmail",
        "gmail",
        "microsoft365",
        "exchange",
        "yahoo",
        "gmx",
        "webde",
        "icloud",
        "domino",
    )
    for kind in (*kinds, "sendmail", "smtputf8", "not"):
        assert [name for name in NAMES if name.startswith(kind)], kind
    assert len([name for name in NAMES if not name.startswith("not-")]) >= 25


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("550 5.1.1 User unknown", "5.1.1", "does not exist"),
        ("552 5.2.2 Mailbox full", "5.2.2", "mailbox is full"),
        ("User anna not listed in Domino Directory", "5.1.1", "does not exist"),
        ("535 5.7.8 authentication failed", "5.7.8", ""),
        ("", "4.4.7", ""),
        ("", None, ""),
    ],
)
def test_a_failure_behind_the_server_is_about_the_message_and_never_about_the_mailbox(words, status, reason):
    diagnosis = told(Reported("anna@customer.test", Action.FAILED, status, words))
    assert diagnosis.action is Does.FAIL_MESSAGE
    assert reason in diagnosis.reason
    assert diagnosis.steps
    assert not [step for step in diagnosis.steps if "by itself" in step and "nothing is tried" not in step]


@pytest.mark.parametrize("name", [one for one in NAMES if not one.startswith("not-")][::4])
@settings(deadline=None, max_examples=40)
@given(cut=st.floats(0, 1), rubbish=st.binary(max_size=40))
def test_a_broken_report_is_read_or_is_none(name, cut, rubbish):
    raw = (CORPUS / f"{name}.eml").read_bytes()
    at = int(len(raw) * cut)
    for damaged in (raw[:at] + rubbish, raw[:at] + rubbish + raw[at:]):
        try:
            read(damaged, parse(damaged))
        except Unreadable:
            continue


def test_a_large_notice_is_read_in_time():
    notice = b"<" * 3000 + b"a" * 9000 + b"@" * 5000 + b"\n<x@y.z> " * 3000 + b"550 " * 5000
    raw = b"From: MAILER-DAEMON@x.test\r\nSubject: failure notice\r\nIn-Reply-To: <1@x>\r\n\r\n" + notice
    read(raw, parse(raw))
