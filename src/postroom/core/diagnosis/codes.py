"""The catalogue's codes: message and usual action of each. Reasons and steps are in `causes`, rows in `rules`."""

from __future__ import annotations

from postroom.core.diagnosis.text import mark as _
from postroom.core.diagnosis.verdict import Action

MESSAGES: dict[str, str] = {
    "smtp.temporary_auth_failure": _(
        "Temporary Authentication failure; Please contact your mailbox provider or try again later"
    ),
    "smtp.invalid_credentials": _(
        "Authentication Failure - Incorrect credentials; Please connect your mailbox again with the right "
        "credentials and try again"
    ),
    "smtp.mailbox_limit_exceeded": _(
        "Mailbox limit exceeded; Please contact your mailbox provider to increase the limit or try again later"
    ),
    "smtp.server_connection": _("Server connection issue; Contact your mailbox provider or try again later"),
    "smtp.account_disabled": _(
        "Authentication failure due to account locked/disabled or unreachable. Please contact your mailbox "
        "provider or try again later"
    ),
    "smtp.access_restricted": _(
        "Mailbox access restricted; Please check with your mailbox provider or try again later."
    ),
    "smtp.app_password_required": _("Multi-factor authentication required; Please use application password to login."),
    "smtp.token_expired": _("Token has been expired or revoked, please update the correct token"),
    "smtp.tls_certificate": _("SSL Exception, please use the correct CA certificate"),
    "smtp.message_rejected": _("Message rejected; Please check the recipient and the message and send it again"),
    "smtp.message_deferred": _("Message put off by the recipient's server; It is tried again automatically"),
    "smtp.server_misconfigured": _(
        "Server settings issue; Please check host, port and security of outgoing mail and try again"
    ),
    "smtp.unknown": _(
        "Unknown error - Unable to send outgoing emails. Check with your mailbox provider or try again later."
    ),
    "imap.invalid_credentials": _(
        "Incorrect credentials; Please connect your mailbox again with the right credentials and try again"
    ),
    "imap.account_blocked": _("Account blocked / Unavailable. Please check with mailbox provider"),
    "imap.connection_limit": _(
        "Connection limit exceeded; please check with the server and increase limits as per traffic."
    ),
    "imap.server_connection": _("Server connection issue; Contact your mailbox provider or try again later"),
    "imap.account_unreachable": _(
        "Authentication failure due to account locked/disabled or unreachable. Please contact your mailbox "
        "provider or try again later"
    ),
    "imap.access_denied": _("Access denied, contact mailbox admin."),
    "imap.app_password_required": _("Multi-factor authentication required; Please use application password to login."),
    "imap.token_expired": _("Token has been expired or revoked, please update the correct token"),
    "imap.folder_error": _("Mailbox error, please check the folder used"),
    "imap.tls_certificate": _("SSL Exception, please use the correct CA certificate"),
    "imap.unknown": _(
        "Unknown error - Unable to receive incoming emails. Check with your mailbox provider or try again later."
    ),
    "imap.server_misconfigured": _(
        "Server settings issue; Please check host, port and security of incoming mail and try again"
    ),
    "imap.protocol_error": _(
        "Mail server error; The server's answer was not understood or it refused a command. Please contact your "
        "mailbox provider or try again later"
    ),
    "imap.mailbox_limit_exceeded": _(
        "Mailbox limit exceeded; Please free space in the mailbox or contact your mailbox provider to increase the "
        "limit"
    ),
}

ACTIONS: dict[str, Action] = {
    "smtp.temporary_auth_failure": Action.RETRY,
    "smtp.invalid_credentials": Action.REAUTHENTICATE,
    "smtp.mailbox_limit_exceeded": Action.RETRY,
    "smtp.server_connection": Action.RETRY,
    "smtp.account_disabled": Action.FIX_SETTINGS,
    "smtp.access_restricted": Action.FIX_SETTINGS,
    "smtp.app_password_required": Action.REAUTHENTICATE,
    "smtp.token_expired": Action.REAUTHENTICATE,
    "smtp.tls_certificate": Action.FIX_SETTINGS,
    "smtp.message_rejected": Action.FAIL_MESSAGE,
    "smtp.message_deferred": Action.DEFER_MESSAGE,
    "smtp.server_misconfigured": Action.FIX_SETTINGS,
    "smtp.unknown": Action.RETRY,
    "imap.invalid_credentials": Action.REAUTHENTICATE,
    "imap.account_blocked": Action.FIX_SETTINGS,
    "imap.connection_limit": Action.RETRY,
    "imap.server_connection": Action.RETRY,
    "imap.account_unreachable": Action.RETRY,
    "imap.access_denied": Action.FIX_SETTINGS,
    "imap.app_password_required": Action.REAUTHENTICATE,
    "imap.token_expired": Action.REAUTHENTICATE,
    "imap.folder_error": Action.FIX_SETTINGS,
    "imap.tls_certificate": Action.FIX_SETTINGS,
    "imap.unknown": Action.RETRY,
    "imap.server_misconfigured": Action.FIX_SETTINGS,
    "imap.protocol_error": Action.FIX_SETTINGS,
    "imap.mailbox_limit_exceeded": Action.FIX_SETTINGS,
}
