"""The guides of the large mail providers. Hosts and server programs are in `hosting`."""

from __future__ import annotations

from postroom.core.diagnosis.guides.guide import Guide
from postroom.core.diagnosis.text import mark as _

GOOGLE_APP_PASSWORD = _(
    "Switch on 2-Step Verification in the Google Account (Security, How you sign in to Google), then make an app "
    "password at https://myaccount.google.com/apppasswords and use its 16 letters as the password."
)

LARGE: dict[str, Guide] = {
    "gmail": Guide(
        name="Gmail",
        source="support.google.com/accounts/answer/185833, support.google.com/mail/answer/7126229, /22839, /7190",
        app_password=GOOGLE_APP_PASSWORD,
        imap_on=_(
            "Open Gmail on the web, Settings, See all settings, Forwarding and POP/IMAP, and choose Enable IMAP."
        ),
        smtp_on=_("Sign in at https://mail.google.com and see whether the account is asked to verify itself."),
        sending_limit=_(
            "Gmail counts about 500 messages over 24 hours; sending works again 1 to 24 hours after the limit was hit."
        ),
        wait=3600,
        connections=_(
            "Gmail allows 15 connections an account at a time: close other mail programs that use this mailbox."
        ),
        unlock=_(
            "Sign in to the account in a web browser at https://accounts.google.com, answer its security question, "
            "open https://accounts.google.com/DisplayUnlockCaptcha, and connect the mailbox again within 10 "
            "minutes."
        ),
        hosts=_("Use imap.gmail.com, port 993 with TLS, and smtp.gmail.com, port 465 with TLS or 587 with STARTTLS."),
    ),
    "google_workspace": Guide(
        name="Google Workspace",
        source="support.google.com/a/answer/105694, /answer/166852, /answer/176600, /answer/12103",
        app_password=GOOGLE_APP_PASSWORD
        + _(
            " If the page is missing, the Workspace administrator has not allowed 2-Step Verification or app passwords."
        ),
        imap_on=_(
            "The administrator opens admin.google.com, Apps, Google Workspace, Gmail, End User Access, and enables "
            "POP and IMAP access; then the user enables IMAP in Gmail under Settings, Forwarding and POP/IMAP. It "
            "can take 24 hours."
        ),
        smtp_on=_("The administrator sees in admin.google.com, Directory, Users, whether the account is suspended."),
        sending_limit=_(
            "Google Workspace counts 2,000 messages over 24 hours (500 in a trial); sending works again within 24 "
            "hours."
        ),
        wait=3600,
        connections=_(
            "Gmail allows 15 connections an account at a time: close other mail programs that use this mailbox."
        ),
        unlock=_(
            "Sign in to the account in a web browser at https://accounts.google.com and answer its security "
            "question, or let the administrator reset the sign-in challenge in admin.google.com, Directory, Users, "
            "the user, Security."
        ),
        hosts=_("Use imap.gmail.com, port 993 with TLS, and smtp.gmail.com, port 465 with TLS or 587 with STARTTLS."),
    ),
    "microsoft365": Guide(
        name="Microsoft 365",
        source=(
            "learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission"
        ),
        app_password=_(
            "Microsoft 365 takes no passwords for IMAP any more: connect the mailbox with OAuth (sign in with "
            "Microsoft for it in Postroom)."
        ),
        imap_on=_(
            "An administrator opens the Microsoft 365 admin center, Users, Active users, the user, Mail, Manage "
            "email apps, ticks IMAP, and saves; it takes up to 30 minutes."
        ),
        smtp_on=_(
            "An administrator opens the Microsoft 365 admin center, Users, Active users, the user, Mail, Manage "
            "email apps, ticks Authenticated SMTP, and saves; it takes about 30 minutes."
        ),
        sending_limit=_(
            "Exchange Online allows 30 messages a minute and 10,000 recipients a day; the day counts back 24 hours."
        ),
        connections=_(
            "Exchange Online allows about 20 IMAP connections and 3 SMTP connections a mailbox: close other programs."
        ),
        unlock=_(
            "An administrator looks in the Microsoft 365 admin center, Users, Active users, whether sign-in is "
            "blocked, and in the Defender portal (security.microsoft.com), Email & collaboration, Review, "
            "Restricted entities."
        ),
        shared=_(
            "For a shared mailbox an administrator gives the user who signs in Full Access (Read and manage) and "
            "Send As: Microsoft 365 admin center, Teams & groups, Shared mailboxes; allow an hour for it to take "
            "effect."
        ),
        hosts=_("Use outlook.office365.com, port 993 with TLS, and smtp.office365.com, port 587 with STARTTLS."),
    ),
    "outlook": Guide(
        name="Outlook.com",
        source="support.microsoft.com/office/pop-imap-and-smtp-settings-for-outlook-com",
        app_password=_(
            "Outlook.com takes neither passwords nor app passwords from mail programs any more: connect the mailbox "
            "with OAuth (sign in with Microsoft for it in Postroom)."
        ),
        imap_on=_(
            "Open https://outlook.live.com, Settings, Mail, Forwarding and IMAP, and let devices and apps use IMAP."
        ),
        smtp_on=_(
            "Outlook.com takes SMTP with OAuth only: connect the mailbox with OAuth (sign in with Microsoft for it "
            "in Postroom)."
        ),
        sending_limit=_("Outlook.com allows 5,000 recipients a day, fewer for new accounts; it clears after 24 hours."),
        wait=3600,
        unlock=_(
            "Sign in at https://outlook.live.com and verify the account by the code sent to its phone or other address."
        ),
        hosts=_("Use outlook.office365.com, port 993 with TLS, and smtp-mail.outlook.com, port 587 with STARTTLS."),
    ),
    "exchange": Guide(
        name="Exchange Server",
        source="learn.microsoft.com/exchange/clients/pop3-and-imap4",
        imap_on=_(
            "The Exchange administrator runs Set-CASMailbox with -ImapEnabled $true for this mailbox, and sees "
            "that the IMAP4 services run."
        ),
        smtp_on=_(
            "The Exchange administrator looks at the permission groups and authentication of the client receive "
            "connector (port 587)."
        ),
        connections=_(
            "Exchange allows 16 IMAP connections a user: close other programs, or raise MaxConnectionsPerUser with "
            "Set-ImapSettings."
        ),
        unlock=_(
            "The Exchange administrator looks in Active Directory whether the account is locked, disabled, or its "
            "password has expired."
        ),
        shared=_("The Exchange administrator gives the signing-in user Full Access and Send As on this mailbox."),
    ),
    "yahoo": Guide(
        name="Yahoo Mail",
        source="help.yahoo.com/kb/SLN15241.html, /SLN4724.html, /SLN3353.html",
        app_password=_(
            "Open Yahoo's account security page (https://login.yahoo.com/account/security), choose Generate and "
            "manage app passwords, make one, and use it as the password."
        ),
        sending_limit=_("Yahoo limits messages an hour and a day (500 a day for business mail); wait some hours."),
        wait=3600,
        connections=_("Yahoo allows few connections an account: close other mail programs that use this mailbox."),
        unlock=_(
            "Sign in at https://login.yahoo.com; if the account is locked, wait 12 hours or use the Sign-in Helper."
        ),
        hosts=_("Use imap.mail.yahoo.com, port 993 with TLS, and smtp.mail.yahoo.com, port 465 with TLS."),
    ),
    "aol": Guide(
        name="AOL Mail",
        source="help.aol.com/articles/Create-and-manage-app-password",
        app_password=_(
            "Open AOL's account security page (https://login.aol.com/account/security), choose Generate app "
            "password, make one, and use it as the password."
        ),
        unlock=_("Sign in at https://login.aol.com and follow what it asks to unlock the account."),
        hosts=_("Use imap.aol.com, port 993 with TLS, and smtp.aol.com, port 465 with TLS."),
    ),
    "icloud": Guide(
        name="iCloud Mail",
        source="support.apple.com/102654, support.apple.com/102525",
        app_password=_(
            "Sign in at https://account.apple.com, Sign-In and Security, App-Specific Passwords, make one, and use "
            "it as the password. Two-factor authentication must be on for the Apple Account."
        ),
        sending_limit=_("iCloud allows 1,000 messages and 1,000 recipients a day; it clears after 24 hours."),
        wait=3600,
        unlock=_(
            "Sign in at https://www.icloud.com/mail; a locked Apple Account is unlocked at https://iforgot.apple.com."
        ),
        hosts=_("Use imap.mail.me.com, port 993 with TLS, and smtp.mail.me.com, port 587 with STARTTLS (not 465)."),
    ),
    "zoho": Guide(
        name="Zoho Mail",
        source="zoho.com/mail/help/imap-access.html, zoho.com/mail/help/adminconsole/two-factor-authentication.html",
        app_password=_(
            "Open https://accounts.zoho.com, Security, App Passwords, choose Generate New Password, and use it as "
            "the password."
        ),
        imap_on=_("Open Zoho Mail on the web, Settings, Mail Accounts, the account, IMAP, and tick IMAP Access."),
        smtp_on=_(
            "The administrator sees in the Zoho Mail Admin Console, Users, the user, Mail Settings, whether "
            "outgoing mail is blocked."
        ),
        unlock=_("Sign in at https://mail.zoho.com; a blocked account shows there the reason and an Unblock button."),
        hosts=_(
            "Use imappro.zoho.com or imap.zoho.com (imap.zoho.eu and so on by region), port 993 with TLS, and "
            "smtp.zoho.com, port 465 with TLS."
        ),
    ),
    "fastmail": Guide(
        name="Fastmail",
        source="fastmail.help/hc/en-us/articles/360058752854, /1500000278342",
        app_password=_(
            "Open Fastmail on the web, Settings, Privacy & Security, Manage app passwords and access, New app "
            "password, give it access to Mail (IMAP/POP/SMTP), and use it as the password. The Basic plan has no "
            "IMAP."
        ),
        hosts=_("Use imap.fastmail.com, port 993 with TLS, and smtp.fastmail.com, port 465 with TLS."),
    ),
    "yandex": Guide(
        name="Yandex Mail",
        source=(
            "yandex.com/support/mail/mail-clients/others.html, yandex.com/support/id/authorization/app-passwords.html"
        ),
        app_password=_(
            "Open https://id.yandex.com/security/app-passwords, make an app password for Mail, and use it as the "
            "password."
        ),
        imap_on=_(
            "Open Yandex Mail on the web, All settings, Email clients, tick From the imap.yandex.com server via "
            "IMAP and App passwords, and save."
        ),
        unlock=_(
            "Sign in at https://mail.yandex.com and follow what it asks; accept the user agreement if it is shown."
        ),
        hosts=_("Use imap.yandex.com, port 993 with TLS, and smtp.yandex.com, port 465 with TLS."),
    ),
    "mailru": Guide(
        name="Mail.ru",
        source="help.mail.ru/mail/security/protection/external",
        app_password=_(
            "Open https://account.mail.ru/user/2-step-auth/passwords, make a password for an external application "
            "with full access to Mail, and use it as the password."
        ),
        unlock=_("Sign in at https://e.mail.ru and follow what it asks."),
        hosts=_("Use imap.mail.ru, port 993 with TLS, and smtp.mail.ru, port 465 with TLS."),
    ),
    "qq": Guide(
        name="QQ Mail",
        source="service.mail.qq.com (authorization code); exmail.qq.com client password",
        app_password=_(
            "Open QQ Mail on the web, Settings (设置), Account (账户), the section POP3/IMAP/SMTP, switch the service "
            "on, make an authorization code (授权码), and use it as the password."
        ),
        imap_on=_("Open QQ Mail on the web, Settings (设置), Account (账户), and switch on the IMAP/SMTP service."),
        hosts=_("Use imap.qq.com, port 993 with TLS, and smtp.qq.com, port 465 with TLS."),
    ),
    "netease163": Guide(
        name="NetEase Mail (163, 126, yeah)",
        source="help.mail.163.com (authorization code, IMAP/SMTP service)",
        app_password=_(
            "Open NetEase Mail on the web, Settings (设置), POP3/SMTP/IMAP, switch the service on, add an "
            "authorization password (授权密码), and use it as the password."
        ),
        imap_on=_(
            "Open NetEase Mail on the web, Settings (设置), POP3/SMTP/IMAP, and switch on the IMAP/SMTP service."
        ),
        hosts=_("Use imap.163.com, port 993 with TLS, and smtp.163.com, port 465 with TLS."),
    ),
}
