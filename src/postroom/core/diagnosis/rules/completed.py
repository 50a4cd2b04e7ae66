"""Rows for answers that look like failures and are none: the command was completed after all."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.verdict import Action

RULES = (
    Rule(
        id="completed.throttled",
        imap="connection_limit",
        action=Action.RETRY,
        cause="throttled",
        words=phrases("throttled"),
        stages=frozenset(Stage) - {Stage.OAUTH},
        example="A2 OK Success: throttled",
        source="Gmail's answer to an account over its bandwidth",
    ),
    Rule(
        id="completed.auth-waiting",
        imap="account_unreachable",
        action=Action.RETRY,
        cause="backend_down",
        words=phrases(
            "waiting for authentication process | waiting for authentication master | waiting for internal auth"
        ),
        unless=phrases("plaintext | logindisabled"),
        example="* OK Waiting for authentication process to respond..",
        source="Dovecot login-common",
    ),
    Rule(
        id="completed.ok",
        imap="unknown",
        action=Action.RETRY,
        cause="completed",
        statuses=("OK", "PREAUTH"),
        unless=phrases("throttled | waiting for | error: | exception | invalid greeting"),
        unless_codes=("CONTACTADMIN", "OVERQUOTA", "THROTTLED", "EXPIRED"),
        example=(
            "c1 LOGIN alice ********\n* OK [ALERT] Filesystem notification initialization error -- contact your "
            "mail administrator\nc1 OK LOGIN Ok."
        ),
        source="RFC 9051 section 7.1.1: the tagged OK decides",
    ),
)
