"""The catalogue is whole, its messages are word for word what people search for, and no text is left unfilled."""

from __future__ import annotations

import re

import pytest

from postroom.core.diagnosis import Action, catalogue, diagnose
from postroom.core.diagnosis.causes import CAUSES
from postroom.core.diagnosis.guides import GUIDES, canonical_provider
from postroom.core.diagnosis.rules import RULES
from postroom.core.mailbox import Direction
from tests.core.diagnosis.test_rules import evidence_of

FIXED = {
    "smtp.temporary_auth_failure": "Temporary Authentication failure; Please contact your "
    "mailbox provider or try again later",
    "smtp.invalid_credentials": "Authentication Failure - Incorrect credentials; Please connect your "
    "mailbox again with the right credentials and try again",
    "smtp.mailbox_limit_exceeded": "Mailbox limit exceeded; Please contact your mailbox provider "
    "to increase the limit or try again later",
    "smtp.server_connection": "Server connection issue; Contact your mailbox provider or try again later",
    "smtp.account_disabled": "Authentication failure due to account locked/disabled or unreachable. "
    "Please contact your mailbox provider or try again later",
    "smtp.access_restricted": "Mailbox access restricted; Please check with "
    "your mailbox provider or try again later.",
    "smtp.app_password_required": "Multi-factor authentication required; Please use application password to login.",
    "imap.invalid_credentials": "Incorrect credentials; Please connect your mailbox again "
    "with the right credentials and try again",
    "imap.account_blocked": "Account blocked / Unavailable. Please check with mailbox provider",
    "imap.connection_limit": "Connection limit exceeded; please check with the "
    "server and increase limits as per traffic.",
    "imap.server_connection": "Server connection issue; Contact your mailbox provider or try again later",
    "imap.account_unreachable": "Authentication failure due to account locked/disabled or unreachable. "
    "Please contact your mailbox provider or try again later",
    "imap.access_denied": "Access denied, contact mailbox admin.",
    "imap.app_password_required": "Multi-factor authentication required; Please use application password to login.",
    "imap.token_expired": "Token has been expired or revoked, please update the correct token",
    "imap.folder_error": "Mailbox error, please check the folder used",
    "imap.tls_certificate": "SSL Exception, please use the correct CA certificate",
    "imap.unknown": "Unknown error - Unable to receive incoming emails. "
    "Check with your mailbox provider or try again later.",
}  # fmt: skip
OTHERS = {
    "smtp.token_expired", "smtp.tls_certificate", "smtp.message_rejected", "smtp.message_deferred",
    "smtp.server_misconfigured", "smtp.unknown", "imap.server_misconfigured", "imap.protocol_error",
    "imap.mailbox_limit_exceeded",
}  # fmt: skip


def test_the_messages_are_word_for_word() -> None:
    said = {entry.code: entry.message for entry in catalogue()}
    assert {code: said[code] for code in FIXED} == FIXED
    assert set(said) == set(FIXED) | OTHERS


def test_every_entry_has_a_reason_steps_and_actions() -> None:
    for entry in catalogue():
        assert entry.reason.endswith(".")
        assert entry.steps
        assert entry.actions
        assert not re.search(r"[{}]", entry.reason + "".join(entry.steps))


def test_message_codes_never_stop_a_mailbox() -> None:
    actions = {entry.code: entry.actions for entry in catalogue()}
    assert actions["smtp.message_rejected"] == (Action.FIX_SETTINGS, Action.FAIL_MESSAGE)
    rejecting = [rule for rule in RULES if rule.smtp == "message_rejected"]
    assert all(diagnose(evidence_of(rule, Direction.SMTP)).returns_message for rule in rejecting)
    assert actions["smtp.message_deferred"] == (Action.DEFER_MESSAGE,)


def test_no_cause_is_without_a_row() -> None:
    assert set(CAUSES) - {rule.cause for rule in RULES} <= {"unknown", "nothing_said"}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Gmail", "gmail"),
        ("Office 365", "microsoft365"),
        ("163", "netease163"),
        ("qq-exmail", "qq"),
        ("protonbridge", "proton"),
        ("mail.ru", "mailru"),
        ("T-Online", "t-online"),
        ("web.de", "webde"),
        ("acme", "acme"),
        (None, "generic"),
    ],
)
def test_a_provider_is_known_by_its_many_names(written: str | None, key: str) -> None:
    assert canonical_provider(written) == key


def test_every_guide_names_its_source() -> None:
    assert [name for name, guide in GUIDES.items() if not guide.source or not guide.name] == []
