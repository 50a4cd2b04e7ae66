"""The failure catalogue as a table: how each code is provoked at a mail provider, what must follow. It runs nothing.

The words are written out here, not read from the product: they are what people search for.
"""

from dataclasses import dataclass

MESSAGES = {
    "smtp.temporary_auth_failure": (
        "Temporary Authentication failure; Please contact your mailbox provider or try again later"
    ),
    "smtp.invalid_credentials": (
        "Authentication Failure - Incorrect credentials; "
        "Please connect your mailbox again with the right credentials and try again"
    ),
    "smtp.mailbox_limit_exceeded": (
        "Mailbox limit exceeded; Please contact your mailbox provider to increase the limit or try again later"
    ),
    "smtp.server_connection": "Server connection issue; Contact your mailbox provider or try again later",
    "smtp.account_disabled": (
        "Authentication failure due to account locked/disabled or unreachable. "
        "Please contact your mailbox provider or try again later"
    ),
    "smtp.access_restricted": "Mailbox access restricted; Please check with your mailbox provider or try again later.",
    "smtp.app_password_required": "Multi-factor authentication required; Please use application password to login.",
    "smtp.token_expired": "Token has been expired or revoked, please update the correct token",
    "smtp.tls_certificate": "SSL Exception, please use the correct CA certificate",
    "smtp.message_rejected": "Message rejected; Please check the recipient and the message and send it again",
    "smtp.message_deferred": "Message put off by the recipient's server; It is tried again automatically",
    "smtp.server_misconfigured": (
        "Server settings issue; Please check host, port and security of outgoing mail and try again"
    ),
    "smtp.unknown": (
        "Unknown error - Unable to send outgoing emails. Check with your mailbox provider or try again later."
    ),
    "imap.invalid_credentials": (
        "Incorrect credentials; Please connect your mailbox again with the right credentials and try again"
    ),
    "imap.account_blocked": "Account blocked / Unavailable. Please check with mailbox provider",
    "imap.connection_limit": (
        "Connection limit exceeded; please check with the server and increase limits as per traffic."
    ),
    "imap.server_connection": "Server connection issue; Contact your mailbox provider or try again later",
    "imap.account_unreachable": (
        "Authentication failure due to account locked/disabled or unreachable. "
        "Please contact your mailbox provider or try again later"
    ),
    "imap.access_denied": "Access denied, contact mailbox admin.",
    "imap.app_password_required": "Multi-factor authentication required; Please use application password to login.",
    "imap.token_expired": "Token has been expired or revoked, please update the correct token",
    "imap.folder_error": "Mailbox error, please check the folder used",
    "imap.tls_certificate": "SSL Exception, please use the correct CA certificate",
    "imap.unknown": (
        "Unknown error - Unable to receive incoming emails. Check with your mailbox provider or try again later."
    ),
    "imap.server_misconfigured": (
        "Server settings issue; Please check host, port and security of incoming mail and try again"
    ),
    "imap.protocol_error": (
        "Mail server error; The server's answer was not understood or it refused a command. "
        "Please contact your mailbox provider or try again later"
    ),
    "imap.mailbox_limit_exceeded": (
        "Mailbox limit exceeded; "
        "Please free space in the mailbox or contact your mailbox provider to increase the limit"
    ),
}

STATES = {"retry": "degraded", "reauthenticate": "needs_reauth", "fix_settings": "needs_attention"}
"""What people see of the direction while it is broken; what concerns one message leaves it connected."""

ITSELF, CHECK, SIGNING_IN, SETTINGS, RETRY = "itself", "a check", "signing in", "other settings", "a retry"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One failure.

    `code` says its direction too. `fault` is a fault of the simulator, without protocol and account; `event` is what
    happens there instead: a changed password, an outage, a limit, a folder that is deleted. `mended_by` is what mends
    it once the cause is gone; where that is `other settings`, the cause stays. `first` is what becomes of the first
    message that is sent while it is broken. `security` is how the mailbox was connected.
    """

    code: str
    what: str
    action: str
    mended_by: str
    fault: dict | None = None
    event: str | None = None
    first: str | None = None
    security: str = "tls"

    @property
    def direction(self):
        return self.code.partition(".")[0]

    @property
    def outcome(self):
        return self.first or {"smtp": "held", "imap": "sent"}[self.direction]

    @property
    def message(self):
        return MESSAGES[self.code]

    @property
    def state(self):
        return STATES.get(self.action, "connected")

    @property
    def of_the_mailbox(self):
        return self.action in STATES

    def __str__(self):
        return f"{self.code}: {self.what}"


def auth(answer):
    return {"stage": "auth", "answer": answer}


def passing(code, what, mended_by=ITSELF, **more):
    return Scenario(code=code, what=what, action="retry", mended_by=mended_by, **more)


def sign_in(code, what, **more):
    return Scenario(code=code, what=what, action="reauthenticate", mended_by=SIGNING_IN, **more)


def settings(code, what, mended_by=CHECK, **more):
    return Scenario(code=code, what=what, action="fix_settings", mended_by=mended_by, **more)


SENDING = (
    passing(
        "smtp.temporary_auth_failure",
        "what is behind the sign-in is down",
        fault=auth("454 4.7.0 Temporary authentication failure: Connection lost to authentication server"),
    ),
    sign_in("smtp.invalid_credentials", "the password was changed", event="password"),
    passing(
        "smtp.mailbox_limit_exceeded",
        "the day's messages are used up",
        fault={"stage": "mail", "answer": "550 5.4.5 Daily user sending limit exceeded."},
        mended_by=CHECK,  # by itself it is tried when the provider's hour is over
    ),
    passing("smtp.server_connection", "nothing listens", event="outage"),
    passing(
        "smtp.server_connection",
        "connections are reset",
        fault={"stage": "connect", "behaviour": "reset"},
        security="starttls",
    ),
    settings(
        "smtp.account_disabled",
        "the tenant has SMTP AUTH off",
        fault=auth(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. "
            "Visit https://aka.ms/smtp_auth_disabled for more information."
        ),
    ),
    sign_in("smtp.account_disabled", "the account is locked", fault=auth("535 5.7.1 Account is locked out")),
    settings(
        "smtp.access_restricted",
        "it may not send as this address",
        fault={
            "stage": "dot",
            "answer": "554 5.2.252 SendAsDenied; team@contoso.test not allowed to send as other@contoso.test",
        },
    ),
    sign_in(
        "smtp.app_password_required",
        "two-step verification is on",
        fault=auth(
            "534-5.7.9 Application-specific password required. For more information, go to\n"
            "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor"
        ),
    ),
    sign_in(
        "smtp.token_expired",
        "the token behind the password is revoked",  # as a bridge says that signs in by OAuth for us
        fault=auth("535 5.7.8 invalid_grant: Token has been expired or revoked."),
    ),
    settings("smtp.tls_certificate", "the certificate has expired", fault={"stage": "tls", "behaviour": "expired"}),
    settings(
        "smtp.tls_certificate",
        "the certificate met at STARTTLS is self-signed",
        fault={"stage": "tls", "behaviour": "self_signed"},
        security="starttls",
    ),
    Scenario(
        code="smtp.message_rejected",
        what="the recipient does not exist",
        fault={
            "stage": "rcpt",
            "answer": "550 5.1.1 The email account that you tried to reach does not exist",
            "argument": "first@elsewhere.test",
        },
        action="fail_message",
        first="failed",
        mended_by=RETRY,
    ),
    Scenario(
        code="smtp.message_rejected",
        what="the text is taken for spam",
        fault={
            "stage": "dot",
            "answer": "554 5.7.1 Message rejected as spam by Content Filtering.",
            "argument": "first@elsewhere.test",
        },
        action="fail_message",
        first="failed",
        mended_by=RETRY,
    ),
    Scenario(
        code="smtp.message_deferred",
        what="the recipient's server greylists",
        fault={
            "stage": "rcpt",
            "answer": "451 4.7.1 Greylisting in action, please come back later",
            "argument": "first@elsewhere.test",
        },
        action="defer_message",
        first="deferred",
        mended_by=RETRY,
    ),
    settings(
        "smtp.server_misconfigured",
        "STARTTLS is no longer offered",
        fault={"stage": "ehlo", "removes": ("STARTTLS",)},
        mended_by=SETTINGS,
        security="starttls",
    ),
    settings(
        "smtp.unknown",
        "the server says what fits nothing",
        fault={"stage": "mail", "answer": "503 5.5.1 Bad sequence of commands"},
    ),
)

RECEIVING = (
    sign_in(
        "imap.invalid_credentials",
        "the password was changed",
        event="password",
        first="held",  # sending is refused as well, and says so
    ),
    settings(
        "imap.account_blocked",
        "IMAP is switched off",
        fault=auth("{tag} NO [ALERT] Your account is not enabled for IMAP use. (Failure)"),
    ),
    sign_in(
        "imap.account_blocked",
        "the provider wants to see a person",
        fault=auth("{tag} NO [ALERT] Please log in via your web browser: https://support.google.com/mail (Failure)"),
    ),
    passing("imap.connection_limit", "no more sessions are allowed", event="connection limit"),
    passing("imap.server_connection", "nothing listens", event="outage"),
    passing(
        "imap.server_connection",
        "the greeting is cut off",
        fault={"stage": "greeting", "behaviour": "cut", "cut_after": 4},
    ),
    passing(
        "imap.account_unreachable",
        "what is behind the sign-in is down",
        fault=auth("{tag} NO [UNAVAILABLE] Temporary authentication failure."),
    ),
    settings(
        "imap.access_denied",
        "the right to the folder was taken away",
        fault={"stage": "select", "answer": "{tag} NO [NOPERM] Permission denied"},
    ),
    sign_in(
        "imap.app_password_required",
        "two-step verification is on",
        fault=auth(
            "{tag} NO [ALERT] Application-specific password required: "
            "https://support.google.com/accounts/answer/185833 (Failure)"
        ),
    ),
    sign_in(
        "imap.token_expired",
        "the token behind the password is revoked",
        fault=auth("{tag} NO [AUTHENTICATIONFAILED] invalid_grant: Token has been expired or revoked."),
    ),
    settings("imap.folder_error", "a folder was deleted", event="folder", mended_by=SETTINGS),
    settings("imap.tls_certificate", "the certificate has expired", fault={"stage": "tls", "behaviour": "expired"}),
    settings(
        "imap.tls_certificate",
        "the certificate met at STARTTLS is another host's",
        fault={"stage": "tls", "behaviour": "wrong_host"},
        security="starttls",
    ),
    passing(
        "imap.unknown",
        "the server says what fits nothing",
        fault={"stage": "capability", "answer": "{tag} NO Not today"},
        security="starttls",
    ),
    settings(
        "imap.server_misconfigured",
        "STARTTLS is no longer offered",
        fault={"stage": "capability", "removes": ("STARTTLS",)},
        mended_by=SETTINGS,
        security="starttls",
    ),
    settings(
        "imap.protocol_error",
        "a command is refused as wrong",
        fault={"stage": "select", "answer": "{tag} BAD Command is not valid in this state."},
    ),
    passing(
        "imap.protocol_error",
        "the server has a defect",
        fault={
            "stage": "select",
            "answer": "{tag} NO [SERVERBUG] Internal error occurred. Refer to server log for more information.",
        },
    ),
    settings(
        "imap.mailbox_limit_exceeded",
        "the mailbox is full",
        fault={"stage": "select", "answer": "{tag} NO [OVERQUOTA] Mailbox is full, over its quota"},
    ),
)

SCENARIOS = SENDING + RECEIVING
