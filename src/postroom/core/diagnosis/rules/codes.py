"""Rows for codes without telling words: RFC 5530 and RFC 3463 codes, reply codes, NO, BAD, BYE, and the stage alone.

Rows with words are asked before these. What nobody can tell is said to be unknown: see `judge`.
"""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.rule import FOLDER, MESSAGE, Rule
from postroom.core.diagnosis.verdict import Action

RFC5530 = "RFC 5530 section 3"
AUTH = frozenset({Stage.AUTH})
SESSION = frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.CAPABILITY})
AT = {stage.value: {"stage": stage} for stage in Stage}


def _imap(code: str, imap: str, cause: str, action: Action | None = None, stages: frozenset[Stage] = frozenset(), given: dict[str, object] | None = None) -> Rule:
    return Rule(id=f"code.{code.lower()}" + (f".{min(stages).value}" if stages else ""), imap=imap, cause=cause, action=action, stages=stages, response_codes=(code,), example=f"a1 NO [{code}] Sorry", given=given or {}, source=RFC5530)


RESPONSE_CODES = (
    _imap("AUTHENTICATIONFAILED", "invalid_credentials", "password_refused"),
    _imap("AUTHORIZATIONFAILED", "access_denied", "mailbox_access"),
    _imap("EXPIRED", "invalid_credentials", "password_expired"),
    _imap("PRIVACYREQUIRED", "server_misconfigured", "tls_required"),
    _imap("CONTACTADMIN", "account_blocked", "account_disabled"),
    _imap("WEBALERT", "account_blocked", "web_login", Action.REAUTHENTICATE),
    _imap("NOPERM", "access_denied", "mailbox_access"),
    _imap("OVERQUOTA", "mailbox_limit_exceeded", "mailbox_full"),
    _imap("LIMIT", "connection_limit", "throttled", Action.RETRY),
    _imap("THROTTLED", "connection_limit", "throttled", Action.RETRY),
    _imap("INUSE", "folder_error", "folder_busy", Action.RETRY, FOLDER, AT["select"]),
    _imap("INUSE", "connection_limit", "connections", Action.RETRY),
    _imap("UNAVAILABLE", "account_unreachable", "backend_down", Action.RETRY),
    _imap("TEMPFAIL", "account_unreachable", "backend_down", Action.RETRY),
    _imap("SERVERBUG", "protocol_error", "server_bug", Action.RETRY),
    _imap("CORRUPTION", "protocol_error", "server_repair", Action.FIX_SETTINGS),
    _imap("CLIENTBUG", "protocol_error", "protocol", Action.FIX_SETTINGS),
    _imap("TRYCREATE", "folder_error", "folder_missing"),
    _imap("NONEXISTENT", "folder_error", "folder_missing"),
    _imap("ALREADYEXISTS", "folder_error", "folder_name"),
    _imap("CANNOT", "protocol_error", "append_refused", Action.FAIL_MESSAGE, frozenset({Stage.APPEND}), AT["append"]),
    _imap("CANNOT", "folder_error", "folder_name"),
    _imap("TOOBIG", "protocol_error", "append_refused", Action.FAIL_MESSAGE),
    _imap("REFERRAL", "server_misconfigured", "other_server"),
    _imap("PARSE", "protocol_error", "server_bug", Action.RETRY),
    _imap("BADCHARSET", "protocol_error", "protocol"),
    _imap("EXPUNGEISSUED", "protocol_error", "server_bug", Action.RETRY),
    _imap("READ-ONLY", "access_denied", "mailbox_access"),
)  # fmt: skip


def _smtp(name: str, smtp: str, cause: str, stages: frozenset[Stage], example: str, *, enhanced: tuple[str, ...] = (), replies: tuple[int, ...] = (), action: Action | None = None, source: str = "RFC 3463 section 3", providers: tuple[str, ...] = ()) -> Rule:
    given: dict[str, object] = {"stage": sorted(stages)[0]}
    if providers:
        given["provider"] = providers[0]
    return Rule(id=f"code.{name}", smtp=smtp, cause=cause, action=action, stages=stages, enhanced=enhanced, replies=replies, providers=providers, example=example, given=given, source=source)


RCPT_ON = frozenset({Stage.RCPT, Stage.DATA, Stage.SEND})
ENHANCED = (
    _smtp("x.7.9.google", "app_password_required", "app_password", AUTH, "534 5.7.9", enhanced=("5.7.9",), providers=("gmail", "google_workspace"), source="support.google.com/a/answer/3726730"),
    _smtp("5.7.14.google", "account_disabled", "web_login", AUTH, "534 5.7.14", enhanced=("5.7.14",), providers=("gmail", "google_workspace"), action=Action.REAUTHENTICATE, source="support.google.com/a/answer/3726730"),
    _smtp("5.7.30.microsoft", "account_disabled", "basic_auth_off", AUTH | MESSAGE, "550 5.7.30", enhanced=("5.7.30",), providers=("microsoft365", "outlook"), source="learn.microsoft.com: deprecation of basic authentication"),
    _smtp("5.7.139", "account_disabled", "security_defaults", AUTH, "535 5.7.139", enhanced=("5.7.139",), source="Exchange Online; the words tell which gate"),
    _smtp("5.1.8.blocked", "account_disabled", "sending_blocked", MESSAGE, "554 5.1.8", enhanced=("5.1.8",), providers=("microsoft365", "outlook", "zoho", "exchange"), source="learn.microsoft.com: restricted entities; Zoho"),
    _smtp("5.4.6.zoho", "mailbox_limit_exceeded", "sending_limit", MESSAGE, "550 5.4.6", enhanced=("5.4.6",), providers=("zoho",), source="zoho.com/mail/help: 5.4.6 unusual sending activity"),
    _smtp("x.7.8", "invalid_credentials", "password_refused", AUTH, "535 5.7.8", enhanced=("5.7.8",), source="RFC 4954 section 6"),
    _smtp("x.7.13", "account_disabled", "account_disabled", AUTH, "525 5.7.13", enhanced=("5.7.13",), source="RFC 5248 section 2.4"),
    _smtp("x.7.12", "temporary_auth_failure", "password_transition", AUTH, "432 4.7.12", enhanced=("4.7.12",), action=Action.REAUTHENTICATE, source="RFC 4954 section 6"),
    _smtp("x.7.10-11", "server_misconfigured", "tls_required", AUTH | MESSAGE, "538 5.7.11", enhanced=("5.7.10", "5.7.11"), source="RFC 4954 section 6; RFC 5248"),
    _smtp("x.7.4.auth", "server_misconfigured", "auth_mechanism", AUTH, "504 5.7.4", enhanced=("5.7.4", "5.5.4", "5.5.1"), source="RFC 3463 section 3.8; RFC 4954"),
    _smtp("5.7.57", "invalid_credentials", "not_signed_in", MESSAGE, "530 5.7.57", enhanced=("5.7.57",), source="learn.microsoft.com: NDR 5.7.57"),
    _smtp("5.7.60", "access_restricted", "send_as", MESSAGE, "550 5.7.60", enhanced=("5.7.60",), source="learn.microsoft.com: NDR 5.7.60"),
    _smtp("5.7.54", "access_restricted", "relay", MESSAGE, "550 5.7.54", enhanced=("5.7.54", "5.7.64", "5.7.367"), source="learn.microsoft.com: NDR 5.7.54, 5.7.64"),
    _smtp("5.7.banned", "access_restricted", "ip_blocked", MESSAGE, "550 5.7.606", enhanced=("5.7.606", "5.7.511", "5.7.501", "5.7.502", "5.7.503", "5.7.705", "5.7.708", "5.7.750"), source="learn.microsoft.com: NDR 5.7.606 to 5.7.649"),
    _smtp("5.4.5", "mailbox_limit_exceeded", "sending_limit", MESSAGE, "550 5.4.5", enhanced=("5.4.5", "4.4.5"), source="support.google.com/a/answer/3726730"),
    _smtp("x.2.2.own", "mailbox_limit_exceeded", "mailbox_full", frozenset({Stage.MAIL, Stage.AUTH}), "552 5.2.2", enhanced=("5.2.2", "4.2.2"), action=Action.FIX_SETTINGS),
    _smtp("x.2.2", "message_deferred", "recipient_full", RCPT_ON, "552 5.2.2", enhanced=("5.2.2", "4.2.2")),
    _smtp("4.3.1", "message_deferred", "message_later", MESSAGE, "452 4.3.1", enhanced=("4.3.1",)),
    _smtp("4.x", "message_deferred", "message_later", MESSAGE, "451 4.5.0", enhanced=("4.7.0", "4.7.1", "4.2.0", "4.2.1", "4.5.0", "4.5.3", "4.1.8", "4.4.1", "4.7.28")),
    _smtp("x.3.4", "message_rejected", "message_too_big", MESSAGE, "552 5.3.4", enhanced=("5.3.4", "5.2.3")),
    _smtp("x.1.7", "message_rejected", "sender_domain", MESSAGE, "501 5.1.7", enhanced=("5.1.7", "5.1.8")),
    _smtp("x.1", "message_rejected", "recipient_unknown", MESSAGE, "550 5.1.1", enhanced=("5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1", "5.4.1", "5.4.4", "5.4.310")),
    _smtp("x.7.1.mail", "access_restricted", "policy", frozenset({Stage.MAIL}), "550 5.7.1", enhanced=("5.7.1", "5.7.0")),
)  # fmt: skip

REPLIES = (
    _smtp("530.auth", "invalid_credentials", "not_signed_in", AUTH | MESSAGE, "530 no", replies=(530,), source="RFC 4954 section 6"),
    _smtp("535.auth", "invalid_credentials", "password_refused", AUTH, "535 no", replies=(535, 534, 551, 501), source="RFC 4954 section 6"),
    _smtp("535.later", "invalid_credentials", "password_refused", MESSAGE, "535 no", replies=(535,), source="RFC 4954 section 6"),
    _smtp("538.auth", "server_misconfigured", "tls_required", AUTH, "538 no", replies=(538, 523), source="RFC 4954 section 6"),
    _smtp("504.auth", "server_misconfigured", "auth_mechanism", AUTH, "504 no", replies=(504, 503, 502, 500), source="RFC 4954 section 4"),
    _smtp("525.auth", "account_disabled", "account_disabled", AUTH, "525 no", replies=(525,), source="RFC 5248"),
    _smtp("421.auth", "server_connection", "server_later", AUTH, "421 no", replies=(421,), source="RFC 5321 section 3.8"),
    _smtp("4xx.auth", "temporary_auth_failure", "backend_down", AUTH, "454 no", replies=(4,), source="RFC 4954 section 6"),
    _smtp("4xx.session", "server_connection", "server_later", SESSION, "421 no", replies=(4,), source="RFC 5321 section 3.8"),
    _smtp("521.session", "access_restricted", "ip_blocked", SESSION, "554 no", replies=(554, 550, 553, 571), source="RFC 5321 section 3.1 (554); RFC 7504"),
    _smtp("521.greeting", "server_misconfigured", "wrong_port", SESSION, "521 no", replies=(556,), source="RFC 7504: the server takes no mail"),
    _smtp("4xx.starttls", "server_connection", "server_later", frozenset({Stage.STARTTLS}), "454 no", replies=(4,), source="RFC 3207 section 4"),
    _smtp("5xx.starttls", "server_misconfigured", "starttls_not_offered", frozenset({Stage.STARTTLS}), "502 no", replies=(5,), source="RFC 3207 section 4"),
    _smtp("421.message", "server_connection", "server_later", MESSAGE, "421 no", replies=(421,), source="RFC 5321 section 3.8"),
    _smtp("4xx.message", "message_deferred", "message_later", MESSAGE, "451 no", replies=(4,), source="RFC 5321 section 4.2.1"),
    _smtp("50x.message", "unknown", "command_order", MESSAGE, "502 no", replies=(500, 502, 503), action=Action.FIX_SETTINGS, source="RFC 5321 section 4.2.4"),
    _smtp("552.mail", "message_rejected", "message_too_big", frozenset({Stage.MAIL, Stage.DATA}), "552 no", replies=(552,), source="RFC 1870 section 6.1"),
    _smtp("553.mail", "access_restricted", "send_as", frozenset({Stage.MAIL}), "553 no", replies=(553,), source="RFC 5321 section 4.2.3"),
    _smtp("5xx.message", "message_rejected", "message_refused", MESSAGE, "550 no", replies=(5,), source="RFC 5321 section 4.2.1"),
    Rule(id="code.no.auth", imap="invalid_credentials", cause="password_refused", stages=AUTH, statuses=("NO",), example="a1 NO no", source="RFC 9051 section 6.2.3"),
    Rule(id="code.no.select", imap="folder_error", cause="folder_missing", stages=frozenset({Stage.SELECT}), statuses=("NO",), example="a1 NO no", given=AT["select"], source="RFC 9051 section 6.3.2"),
    Rule(id="code.no.append", imap="folder_error", cause="folder_missing", stages=frozenset({Stage.APPEND}), statuses=("NO",), example="a1 NO no", given=AT["append"], source="RFC 9051 section 6.3.12"),
    Rule(id="code.no.fetch", imap="protocol_error", action=Action.RETRY, cause="server_bug", stages=frozenset({Stage.FETCH, Stage.IDLE}), statuses=("NO",), example="a1 NO no", given=AT["fetch"], source="RFC 9051 section 6.4.5"),
    Rule(id="code.bad", imap="protocol_error", cause="protocol", statuses=("BAD",), example="a1 BAD no", source="RFC 9051 section 7.1.3"),
    Rule(id="code.bye", imap="server_connection", action=Action.RETRY, cause="connection_lost", statuses=("BYE",), example="* BYE bye", source="RFC 9051 section 7.1.5"),
)  # fmt: skip

STAGES = (
    Rule(id="stage.dns", smtp="server_connection", imap="server_connection", cause="name_unknown", stages=frozenset({Stage.DNS}), given=AT["dns"], source="name lookup failed"),
    Rule(id="stage.connect", smtp="server_connection", imap="server_connection", cause="connection_failed", stages=frozenset({Stage.CONNECT}), silent=True, given=AT["connect"], source="the connection was not made"),
    Rule(id="stage.greeting", smtp="server_connection", imap="server_connection", cause="connection_lost", stages=frozenset({Stage.GREETING}), silent=True, given=AT["greeting"], source="RFC 5321 section 3.1: no greeting came"),
    Rule(id="stage.tls", smtp="tls_certificate", imap="tls_certificate", cause="tls_failed", stages=frozenset({Stage.TLS}), given=AT["tls"], source="the handshake failed"),
    Rule(id="stage.logout", imap="server_connection", action=Action.RETRY, cause="connection_lost", stages=frozenset({Stage.LOGOUT}), given=AT["logout"], source="RFC 9051 section 6.1.3"),
)  # fmt: skip

RULES = RESPONSE_CODES + ENHANCED + REPLIES + STAGES
