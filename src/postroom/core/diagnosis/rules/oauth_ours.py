"""Rows for what our own token requests meet that no provider words: answers that are none, a clock that is wrong."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import Rule
from postroom.core.diagnosis.verdict import Action

OAUTH = frozenset({Stage.OAUTH})
AT_TOKEN = {"stage": Stage.OAUTH}

RULES = (
    Rule(
        id="oauth.ours.unreadable",
        smtp="temporary_auth_failure",
        imap="server_connection",
        action=Action.RETRY,
        cause="token_answer",
        stages=OAUTH,
        words=phrases("unreadable answer of"),
        example="unreadable answer of the token endpoint: the answer is no JSON",
        given=AT_TOKEN,
        source="our own reader: an answer of success that is none (RFC 6749 section 5.1)",
    ),
    Rule(
        id="oauth.ours.busy",
        smtp="temporary_auth_failure",
        imap="server_connection",
        action=Action.RETRY,
        cause="token_service_down",
        stages=OAUTH,
        words=phrases("another worker renews"),
        example="TimeoutError: another worker renews this mailbox's token and does not come to an end",
        given=AT_TOKEN,
        source="our own renewal of tokens",
    ),
    Rule(
        id="oauth.clock",
        smtp="server_misconfigured",
        imap="server_misconfigured",
        cause="oauth_clock",
        stages=OAUTH,
        words=phrases("check your iat and exp | reasonable timeframe | token used too early | is not yet valid"),
        unless=phrases("certificate"),
        example="invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
        "timeframe. Check your iat and exp values in the JWT claim.",
        given=AT_TOKEN,
        source="developers.google.com/identity/protocols/oauth2/service-account (JWT error codes)",
    ),
)
