"""Texts about passwords, tokens and accounts. Which evidence means which cause is the rules' work."""

from __future__ import annotations

from postroom.core.diagnosis.causes.cause import Cause
from postroom.core.diagnosis.causes.connecting import AUTOMATIC, CONNECT_AGAIN, WITH_OAUTH
from postroom.core.diagnosis.text import mark as _

AGAIN = _("Enter the right password for this mailbox in Postroom.")
AGAIN_OAUTH = _("Sign in with the provider again for this mailbox in Postroom.")
LAST = _("If it is refused again, ask {provider}.")
CHECK = CONNECT_AGAIN
CLIENT_MENDED = _("All mailboxes that sign in with it recover by themselves then; nobody has to sign in again.")

SIGNING_IN: dict[str, Cause] = {
    "password_refused": Cause(
        _("{provider} refused the user name or the password."),
        (
            _("If the password was changed lately, enter the new one for this mailbox in Postroom."),
            _("With two-step verification the account's own password does not work here. {app_password}"),
            _("Check the user name: most providers want the whole address."),
            LAST,
        ),
    ),
    "key_lost": Cause(
        _(
            "Postroom does not know the password or token of this mailbox any more: the key that kept it was lost. "
            "Nothing is wrong at {provider}."
        ),
        (
            _("Enter the password for this mailbox in Postroom again, or sign in with the provider again."),
            _("What has been read stays, and what waits is sent then."),
        ),
    ),
    "not_signed_in": Cause(
        _("The server wants a sign-in before it takes mail, and there was none that it accepted."),
        (AGAIN, _("Check that user name and password are set for outgoing mail too. {hosts}")),
    ),
    "password_or_imap_off": Cause(
        _("{provider} refused the password, or IMAP is switched off for this mailbox: it gives one answer for both."),
        ("{imap_on}", "{app_password}", AGAIN),
    ),
    "password_or_service_off": Cause(
        _(
            "{provider} refused the sign-in and gives one answer for many causes: a wrong password or "
            "authorization code, mail programs not allowed, or too many sign-ins."
        ),
        ("{imap_on}", "{app_password}", AGAIN),
    ),
    "password_expired": Cause(
        _("The password is expired or has to be changed before mail programs may sign in."),
        (
            _("Sign in to the mailbox on the provider's web page and choose a new password."),
            _("Then enter it for this mailbox in Postroom."),
            LAST,
        ),
    ),
    "password_transition": Cause(
        _("The server has to renew how it keeps this password, which takes one sign-in in another way."),
        (_("Sign in once on the provider's web page, or set the password anew there."), AGAIN),
    ),
    "app_password": Cause(
        _("The account has two-step verification, and {provider} does not take its own password from mail programs."),
        ("{app_password}", _("Enter the password made for it for this mailbox in Postroom.")),
    ),
    "oauth_second_factor": Cause(
        _("{provider} asks for the second factor again before it gives a new token."),
        (
            AGAIN_OAUTH,
            _(
                "If it is asked again and again, an administrator looks at the tenant's Conditional Access "
                "policies (sign-in frequency) for this user."
            ),
        ),
    ),
    "conditional_access": Cause(
        _("A Conditional Access policy of the organisation forbids this sign-in."),
        (
            _(
                "An administrator opens the Microsoft Entra admin center, Sign-in logs, the failed sign-in, "
                "Conditional Access, which names the policy, and allows this user or application in it."
            ),
            AGAIN_OAUTH,
        ),
    ),
    "consent_missing": Cause(
        _("The application has not been given the consent that it needs to read and send this mailbox's mail."),
        (
            _(
                "An administrator opens the Microsoft Entra admin center, Enterprise applications, the "
                "application, Permissions, and grants admin consent."
            ),
            AGAIN_OAUTH,
        ),
    ),
    "oauth_policy": Cause(
        _("The organisation or the provider does not allow this application to sign in."),
        (
            _(
                "An administrator allows the application: for Google Workspace in admin.google.com, Security, API "
                "controls, App access control; for Microsoft 365 in the Microsoft Entra admin center, Enterprise "
                "applications."
            ),
            AGAIN_OAUTH,
        ),
    ),
    "token_expired": Cause(
        _(
            "The OAuth token is expired or revoked, or the grant behind it is gone: a changed password, a long "
            "time unused and a revoked access all do that."
        ),
        (
            AGAIN_OAUTH,
            _(
                "If it happens every seven days with Google, the operator sets the OAuth application from Testing "
                "to In production."
            ),
        ),
    ),
    "token_refused": Cause(
        _(
            "{provider} refused the OAuth token: it is expired or revoked, is for another user, or lacks the "
            "permission for mail."
        ),
        (
            AGAIN_OAUTH,
            _("Sign in as the user whose mailbox this is, and tick every permission that is asked for."),
            "{shared}",
        ),
    ),
    "token_session_control": Cause(
        _("The organisation's session control wants this user to sign in again after some hours."),
        (
            AGAIN_OAUTH,
            _(
                "The Workspace administrator opens admin.google.com, Security, Google Cloud session control, and "
                "exempts trusted applications."
            ),
        ),
    ),
    "oauth_client_secret": Cause(
        _("The provider does not accept the secret of Postroom's own OAuth client: it is expired or wrong."),
        (
            _(
                "The operator makes a new client secret at the provider and enters its value (not its ID) for the "
                "OAuth client in Postroom (postroom oauth change, or PATCH /v1/oauth/clients)."
            ),
            CLIENT_MENDED,
        ),
    ),
    "oauth_application": Cause(
        _(
            "The provider does not know Postroom's own OAuth client, or not with these settings (client ID, tenant, "
            "redirect address, scope)."
        ),
        (
            _(
                "The operator compares client ID, tenant, redirect address and scopes with the provider's page for the "
                "application (postroom oauth guide shows the exact ones) and corrects whichever is wrong."
            ),
            CLIENT_MENDED,
        ),
    ),
    "oauth_clock": Cause(
        _("The provider does not accept the time in Postroom's request: this machine's clock is wrong."),
        (
            _("The operator sets the clock of the machine that runs Postroom and keeps it right (NTP, timedatectl)."),
            CLIENT_MENDED,
        ),
    ),
    "token_answer": Cause(
        _("The provider's sign-in service answered something that is no token: a page, or nothing."),
        (
            AUTOMATIC,
            _("If it goes on, the operator sees whether a proxy or firewall stands between this machine and {host}."),
        ),
    ),
    "token_service_down": Cause(_("The provider's sign-in service has trouble of its own just now."), (AUTOMATIC,)),
    "sign_in_throttled": Cause(
        _(
            "{provider} saw too many sign-ins in a short time and refuses more for a while; the password is not "
            "the trouble."
        ),
        (
            _("Wait a while, without trying often: each try counts."),
            AUTOMATIC,
            _("Close other mail programs that sign in to this mailbox often."),
        ),
    ),
    "failed_logins": Cause(
        _("There were too many failed sign-ins, and {provider} refuses more for a while."),
        (
            _("Wait half an hour: each try before counts again."),
            AUTOMATIC,
            _("Find the program that still uses an old password for this mailbox and correct it."),
            "{unlock}",
        ),
    ),
    "web_login": Cause(
        _("{provider} wants a sign-in in a web browser before mail programs may use this mailbox again."),
        ("{unlock}", "{app_password}", _("Then enter the password, or the new one, for this mailbox in Postroom.")),
    ),
    "account_locked": Cause(
        _("The account is locked, most often after too many wrong passwords."),
        (
            "{unlock}",
            _("Correct the password in every program that uses this mailbox, then enter it in Postroom."),
        ),
    ),
    "account_disabled": Cause(
        _("The account is disabled, suspended or blocked at {provider}."),
        ("{unlock}", _("If you cannot, ask {provider} or your administrator why, and to enable it."), CHECK),
    ),
    "authenticated_not_connected": Cause(
        _(
            "The sign-in was right, but Microsoft 365 could not open the mailbox behind it: no licence, IMAP "
            "switched off, or a shared mailbox asked for in the wrong way."
        ),
        ("{imap_on}", _("An administrator sees that the user has a licence with Exchange Online."), "{shared}"),
    ),
    "backend_down": Cause(
        _("{provider} could not check the sign-in or open the mailbox just now; the password is not the trouble."),
        (AUTOMATIC, _("If it goes on, ask {provider}.")),
    ),
    "imap_off": Cause(_("IMAP is switched off for this mailbox at {provider}."), ("{imap_on}", CHECK)),
    "basic_auth_off": Cause(
        _("{provider} does not take passwords from mail programs for this mailbox (basic authentication is off)."),
        (
            WITH_OAUTH,
            "{smtp_on}",
            CHECK,
        ),
    ),
    "smtp_auth_off": Cause(
        _(
            "Sending with a sign-in over SMTP (SMTP AUTH) is switched off for this mailbox or its whole "
            "organisation at {provider}."
        ),
        (
            "{smtp_on}",
            _(
                "For a whole Microsoft 365 organisation: Exchange admin center, Settings, Mail flow, clear Turn "
                "off SMTP AUTH protocol for your organization."
            ),
            CHECK,
        ),
    ),
    "security_defaults": Cause(
        _("A security policy of the organisation refused the sign-in with a password."),
        (
            WITH_OAUTH,
            _(
                "Else an administrator opens the Microsoft Entra admin center, Overview, Properties, Manage "
                "security defaults, and decides whether they can be replaced by Conditional Access policies."
            ),
            "{smtp_on}",
        ),
    ),
    "sending_blocked": Cause(
        _(
            "{provider} has stopped this account from sending, most often because it looked taken over or sent too "
            "much."
        ),
        (
            _("Change the account's password, and look whether a stranger sent mail from it."),
            "{unlock}",
            _("Ask {provider} to allow sending again."),
            CHECK,
        ),
    ),
    "login_denied": Cause(
        _("{provider} does not let this mailbox sign in for now."),
        ("{unlock}", _("Ask {provider} or the administrator of the domain to allow it.")),
    ),
    "unsafe_login": Cause(
        _("NetEase refused to open the folder because it does not trust the program that signed in."),
        (
            _(
                "Sign in at https://mail.163.com, open Settings (设置), POP3/SMTP/IMAP, and see that the IMAP/SMTP "
                "service is on and the client is not blocked."
            ),
            "{app_password}",
            CHECK,
        ),
    ),
    "connections": Cause(
        _(
            "More connections are open to this mailbox, or from this machine's address, than {provider} allows at "
            "a time."
        ),
        ("{connections}", AUTOMATIC),
    ),
    "throttled": Cause(
        _("{provider} slows this mailbox down because it was used too much in a short time."),
        (AUTOMATIC, "{connections}"),
    ),
}
