"""Finds the texts of a cause, or those a code has without a closer cause. It decides nothing."""

from __future__ import annotations

from postroom.core.diagnosis.causes.cause import Cause
from postroom.core.diagnosis.causes.connecting import CONNECTING
from postroom.core.diagnosis.causes.messages import MESSAGES
from postroom.core.diagnosis.causes.signing_in import SIGNING_IN

__all__ = ["CAUSES", "USUAL", "Cause", "cause_for"]

CAUSES: dict[str, Cause] = {**CONNECTING, **SIGNING_IN, **MESSAGES}

USUAL: dict[str, str] = {
    "temporary_auth_failure": "backend_down",
    "invalid_credentials": "password_refused",
    "mailbox_limit_exceeded": "mailbox_full",
    "server_connection": "connection_failed",
    "account_disabled": "account_disabled",
    "account_blocked": "account_disabled",
    "account_unreachable": "backend_down",
    "access_restricted": "send_as",
    "access_denied": "mailbox_access",
    "app_password_required": "app_password",
    "connection_limit": "connections",
    "token_expired": "token_expired",
    "folder_error": "folder_missing",
    "tls_certificate": "tls_certificate",
    "message_rejected": "message_refused",
    "message_deferred": "message_later",
    "server_misconfigured": "wrong_port",
    "protocol_error": "protocol",
    "unknown": "unknown",
}
"""The cause that stands for a code in the catalogue."""


def cause_for(name: str | None, code: str) -> Cause:
    """The texts of a cause, or of the code's usual one."""
    return CAUSES.get(name or USUAL[code], CAUSES["unknown"])
