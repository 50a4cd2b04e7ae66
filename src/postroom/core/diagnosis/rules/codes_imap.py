"""Rows for IMAP codes without telling words: RFC 5530 codes, NO, BAD, BYE. Rows with words are asked before these."""

from __future__ import annotations

from collections.abc import Mapping

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.rule import FOLDER, Rule
from postroom.core.diagnosis.verdict import Action

RFC5530 = "RFC 5530 section 3"
AUTH = frozenset({Stage.AUTH})


def _code(
    code: str,
    imap: str,
    cause: str,
    action: Action | None = None,
    stages: frozenset[Stage] = frozenset(),
    given: Mapping[str, object] | None = None,
) -> Rule:
    return Rule(
        id=f"code.{code.lower()}" + (f".{min(stages).value}" if stages else ""),
        imap=imap,
        cause=cause,
        action=action,
        stages=stages,
        response_codes=(code,),
        example=f"a1 NO [{code}] Sorry",
        given=given or {},
        source=RFC5530,
    )


RESPONSE_CODES = (
    _code("AUTHENTICATIONFAILED", "invalid_credentials", "password_refused"),
    _code("AUTHORIZATIONFAILED", "access_denied", "mailbox_access"),
    _code("EXPIRED", "invalid_credentials", "password_expired"),
    _code("PRIVACYREQUIRED", "server_misconfigured", "tls_required"),
    _code("CONTACTADMIN", "account_blocked", "account_disabled"),
    _code("WEBALERT", "account_blocked", "web_login", Action.REAUTHENTICATE),
    _code("NOPERM", "access_denied", "mailbox_access"),
    _code("OVERQUOTA", "mailbox_limit_exceeded", "mailbox_full"),
    _code(
        "LIMIT",
        "protocol_error",
        "append_refused",
        Action.FAIL_MESSAGE,
        frozenset({Stage.APPEND}),
        {"stage": Stage.APPEND},
    ),
    _code("LIMIT", "connection_limit", "throttled", Action.RETRY),
    _code("THROTTLED", "connection_limit", "throttled", Action.RETRY),
    _code("INUSE", "folder_error", "folder_busy", Action.RETRY, FOLDER, {"stage": Stage.SELECT}),
    _code("INUSE", "connection_limit", "connections", Action.RETRY),
    _code("IN-USE", "connection_limit", "connections", Action.RETRY),
    _code("LOGIN-DELAY", "connection_limit", "sign_in_throttled", Action.RETRY),
    _code("UNAVAILABLE", "account_unreachable", "backend_down", Action.RETRY),
    _code("TEMPFAIL", "account_unreachable", "backend_down", Action.RETRY),
    _code("SERVERBUG", "protocol_error", "server_bug", Action.RETRY),
    _code("CORRUPTION", "protocol_error", "server_repair", Action.FIX_SETTINGS),
    _code("CLIENTBUG", "protocol_error", "protocol", Action.FIX_SETTINGS),
    _code("TRYCREATE", "folder_error", "folder_missing"),
    _code("NONEXISTENT", "folder_error", "folder_missing"),
    _code("ALREADYEXISTS", "folder_error", "folder_name"),
    _code(
        "CANNOT",
        "protocol_error",
        "append_refused",
        Action.FAIL_MESSAGE,
        frozenset({Stage.APPEND}),
        {"stage": Stage.APPEND},
    ),
    _code("CANNOT", "protocol_error", "protocol", None, frozenset({Stage.FETCH, Stage.IDLE}), {"stage": Stage.FETCH}),
    _code("CANNOT", "folder_error", "folder_name"),
    _code("TOOBIG", "protocol_error", "append_refused", Action.FAIL_MESSAGE),
    _code("REFERRAL", "server_misconfigured", "other_server"),
    _code("PARSE", "protocol_error", "server_bug", Action.RETRY),
    _code("BADCHARSET", "protocol_error", "protocol"),
    _code("EXPUNGEISSUED", "protocol_error", "server_bug", Action.RETRY),
    _code("READ-ONLY", "access_denied", "mailbox_access"),
)


STATUSES = (
    Rule(
        id="code.no.auth",
        imap="invalid_credentials",
        cause="password_refused",
        stages=AUTH,
        statuses=("NO",),
        example="a1 NO no",
        source="RFC 9051 section 6.2.3",
    ),
    Rule(
        id="code.no.select",
        imap="folder_error",
        cause="folder_missing",
        stages=frozenset({Stage.SELECT}),
        statuses=("NO",),
        example="a1 NO no",
        given={"stage": Stage.SELECT},
        source="RFC 9051 section 6.3.2",
    ),
    Rule(
        id="code.no.append",
        imap="protocol_error",
        action=Action.RETRY,
        cause="server_bug",
        stages=frozenset({Stage.APPEND}),
        statuses=("NO",),
        example="a1 NO no",
        given={"stage": Stage.APPEND},
        source="RFC 9051 section 6.3.12",
    ),
    Rule(
        id="code.no.fetch",
        imap="protocol_error",
        action=Action.RETRY,
        cause="server_bug",
        stages=frozenset({Stage.FETCH, Stage.IDLE}),
        statuses=("NO",),
        example="a1 NO no",
        given={"stage": Stage.FETCH},
        source="RFC 9051 section 6.4.5",
    ),
    Rule(
        id="code.no.starttls",
        imap="server_misconfigured",
        cause="starttls_not_offered",
        stages=frozenset({Stage.STARTTLS}),
        statuses=("NO", "BAD"),
        example="a1 BAD no",
        given={"stage": Stage.STARTTLS},
        source="RFC 9051 section 6.2.1",
    ),
    Rule(
        id="code.bad",
        imap="protocol_error",
        cause="protocol",
        statuses=("BAD",),
        example="a1 BAD no",
        source="RFC 9051 section 7.1.3",
    ),
    Rule(
        id="code.bye",
        imap="server_connection",
        action=Action.RETRY,
        cause="connection_lost",
        statuses=("BYE",),
        example="* BYE bye",
        source="RFC 9051 section 7.1.5",
    ),
)

RULES = RESPONSE_CODES + STATUSES
