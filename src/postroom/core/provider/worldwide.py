"""The table: providers whose customers are everywhere. Facts change; each stands here once, with its source."""

from __future__ import annotations

from postroom.core.mailbox import Security
from postroom.core.provider.entry import Provider, Server, Site

_STARTTLS = Security.STARTTLS
_OBSERVED = "no page of the provider: seen by writers of IMAP clients, in their issue threads"
_GOOGLE_SITE = Site(Server("imap.gmail.com", 993), Server("smtp.gmail.com", 465))
_GOOGLE_SOURCES = {
    "sites": "https://support.google.com/mail/answer/7126229",
    "connections": "https://support.google.com/mail/answer/7126229",
    "saves_sent": "https://support.google.com/mail/answer/78892",
    "imap_bytes_a_day": "https://support.google.com/a/answer/1071518",
    "needs_app_password": "https://support.google.com/accounts/answer/185833",
    "smtp_connections": "well below the 15 that https://support.google.com/mail/answer/7126229 grants",
    "message_bytes": "SIZE in the EHLO of smtp.gmail.com; https://support.google.com/mail/answer/6584 says 25 MB",
}
_GOOGLE_SIZE = 35_882_577
_MICROSOFT_SETTINGS = "https://support.microsoft.com/office/pop-imap-and-smtp-settings-for-outlook-com-d088b986-291d-42b8-9564-9c414e2aa040"
_EXCHANGE_LIMITS = "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits"
_SUBMISSION = (
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission"
)
_BASIC_OFF = (
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/"
    "deprecation-of-basic-authentication-exchange-online"
)
_COUNTRIES = [
    "com", "co.uk", "de", "fr", "it", "es", "ca", "com.br", "com.ar", "com.mx", "com.co", "com.pe", "cl", "co.in",
    "in", "com.au", "co.nz", "ie", "gr", "se", "no", "dk", "pl", "ro", "hu", "cz", "com.tr", "com.hk", "com.tw",
    "com.sg", "com.my", "com.ph", "com.vn", "co.id", "co.th", "co.za",
]  # fmt: skip
_HOTMAIL = ["com", "co.uk", "de", "fr", "it", "es", "ca", "com.br", "com.ar", "se", "no", "dk", "nl", "be", "gr"]


def _in(name: str, countries: list[str]) -> tuple[str, ...]:
    return tuple(f"{name}.{country}" for country in countries)


WORLDWIDE = (
    Provider(
        key="gmail",
        name="Gmail",
        sites=(_GOOGLE_SITE,),
        domains=("gmail.com", "googlemail.com"),
        mx=("gmail-smtp-in.l.google.com",),
        hosts=("gmail.com", "googlemail.com"),
        saves_sent=True,
        connections=15,
        smtp_connections=4,
        imap_bytes_a_day=2500 * 1024 * 1024,
        messages_a_day=500,
        recipients_a_message=100,
        message_bytes=_GOOGLE_SIZE,
        needs_app_password=True,
        sources=_GOOGLE_SOURCES
        | {
            "messages_a_day": "https://support.google.com/mail/answer/22839",
            "recipients_a_message": "https://support.google.com/mail/answer/22839",
        },
    ),
    Provider(
        key="google_workspace",
        name="Google Workspace",
        sites=(_GOOGLE_SITE,),
        mx=("aspmx.l.google.com", "googlemail.com", "smtp.google.com", "psmtp.com"),
        saves_sent=True,
        connections=15,
        smtp_connections=4,
        imap_bytes_a_day=2500 * 1024 * 1024,
        messages_a_day=2000,
        recipients_a_day=10_000,
        recipients_a_message=100,
        message_bytes=_GOOGLE_SIZE,
        needs_app_password=True,
        sources=_GOOGLE_SOURCES
        | {
            "messages_a_day": "https://support.google.com/a/answer/166852",
            "recipients_a_day": "https://support.google.com/a/answer/166852",
            "recipients_a_message": "https://support.google.com/a/answer/166852",
        },
    ),
    Provider(
        key="microsoft365",
        name="Microsoft 365",
        sites=(Site(Server("outlook.office365.com", 993), Server("smtp.office365.com", 587, _STARTTLS)),),
        mx=("mail.protection.outlook.com", "mx.microsoft"),
        hosts=("office365.com", "outlook.office.com"),
        saves_sent=True,
        connections=20,
        smtp_connections=3,
        recipients_a_day=10_000,
        messages_a_minute=30,
        recipients_a_message=500,
        password_off=True,
        sources={
            "sites": _SUBMISSION,
            "saves_sent": _SUBMISSION,
            "connections": _OBSERVED,
            "smtp_connections": _SUBMISSION,
            "recipients_a_day": _EXCHANGE_LIMITS,
            "recipients_a_message": _EXCHANGE_LIMITS,  # until the administrator raises it, to 1,000 at most
            "messages_a_minute": _EXCHANGE_LIMITS,
            "password_off": _BASIC_OFF,
        },
    ),
    Provider(
        key="outlook",
        name="Outlook.com",
        sites=(Site(Server("outlook.office365.com", 993), Server("smtp-mail.outlook.com", 587, _STARTTLS)),),
        domains=(
            *_in("outlook", ["com", "de", "fr", "es", "it", "at", "be", "dk", "ie", "pt", "jp", "com.br", "com.au"]),
            *_in("hotmail", _HOTMAIL),
            *_in("live", [*_HOTMAIL, "com.au", "com.mx", "at", "ie"]),
            "msn.com",
            "windowslive.com",
            "passport.com",
        ),
        mx=("olc.protection.outlook.com",),
        hosts=("smtp-mail.outlook.com", "imap-mail.outlook.com", "hotmail.com", "live.com"),
        saves_sent=True,
        connections=20,
        smtp_connections=3,
        password_off=True,
        sources={
            "sites": _MICROSOFT_SETTINGS,
            "saves_sent": _OBSERVED,
            "connections": _OBSERVED,
            "smtp_connections": _SUBMISSION,
            "password_off": _MICROSOFT_SETTINGS,
        },
    ),
    Provider(
        key="yahoo",
        name="Yahoo Mail",
        sites=(Site(Server("imap.mail.yahoo.com", 993), Server("smtp.mail.yahoo.com", 465)),),
        domains=(*_in("yahoo", _COUNTRIES), "ymail.com", "rocketmail.com", "myyahoo.com"),
        mx=("yahoodns.net", "biz.mail.yahoo.com"),
        hosts=("mail.yahoo.com",),
        idle_seconds=170,
        messages_a_day=500,
        needs_app_password=True,
        sources={
            "sites": "https://help.yahoo.com/kb/SLN4075.html",
            "idle_seconds": _OBSERVED,
            "messages_a_day": "https://help.yahoo.com/kb/SLN3353.html",
            "needs_app_password": "https://help.yahoo.com/kb/SLN15241.html",
        },
    ),
    Provider(
        key="aol",
        name="AOL Mail",
        sites=(Site(Server("imap.aol.com", 993), Server("smtp.aol.com", 465)),),
        domains=("aol.com", "aim.com", "aol.co.uk", "aol.de", "aol.fr", "love.com", "games.com", "verizon.net"),
        mx=("mx-aol.mail.gm0.yahoodns.net",),
        hosts=("aol.com",),
        idle_seconds=170,
        needs_app_password=True,
        sources={
            "sites": "https://help.aol.com/articles/"
            "how-do-i-use-other-email-applications-to-send-and-receive-my-aol-mail",
            "idle_seconds": _OBSERVED,
            "needs_app_password": "https://help.aol.com/articles/Create-and-manage-app-password",
        },
    ),
    Provider(
        key="icloud",
        name="iCloud Mail",
        sites=(
            Site(Server("imap.mail.me.com", 993, local_part=True), Server("smtp.mail.me.com", 587, _STARTTLS)),
            Site(Server("imap.mail.me.com", 993), Server("smtp.mail.me.com", 587, _STARTTLS)),
        ),
        domains=("icloud.com", "me.com", "mac.com"),
        mx=("mail.icloud.com",),
        hosts=("mail.me.com", "mail.icloud.com"),
        messages_a_day=1000,
        recipients_a_message=500,
        needs_app_password=True,
        sources={
            "sites": "https://support.apple.com/102525",
            "messages_a_day": "https://support.apple.com/102198",
            "recipients_a_message": "https://support.apple.com/102198",
            "needs_app_password": "https://support.apple.com/102654",
        },
    ),
    Provider(
        key="zoho",
        name="Zoho Mail",
        sites=(
            *(
                Site(
                    Server(f"imap.zoho.{end}", 993),
                    Server(f"smtp.zoho.{end}", 465),
                    (f"zohomail.{end}", f"zoho.{end}"),
                )
                for end in ("com", "eu", "in", "com.au")
            ),
            *(
                Site(Server(f"imappro.zoho.{end}", 993), Server(f"smtppro.zoho.{end}", 465))
                for end in ("com", "eu", "in", "com.au")
            ),
        ),
        domains=("zoho.com", "zohomail.com", "zoho.eu", "zohomail.eu", "zoho.in", "zohomail.in"),
        mx=("zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zohomail.com"),
        hosts=("zoho.com", "zoho.eu", "zoho.in", "zoho.com.au"),
        needs_app_password=True,
        sources={
            "sites": "https://www.zoho.com/mail/help/imap-access.html",
            "needs_app_password": "https://www.zoho.com/mail/help/adminconsole/two-factor-authentication.html",
        },
    ),
    Provider(
        key="fastmail",
        name="Fastmail",
        sites=(Site(Server("imap.fastmail.com", 993), Server("smtp.fastmail.com", 465)),),
        domains=("fastmail.com", "fastmail.fm", "fastmail.net", "fastmail.org", "messagingengine.com", "sent.com"),
        mx=("messagingengine.com",),
        hosts=("fastmail.com", "messagingengine.com"),
        needs_app_password=True,
        sources={
            "sites": "https://www.fastmail.help/hc/en-us/articles/1500000278342",
            "needs_app_password": "https://www.fastmail.help/hc/en-us/articles/360058752854",
        },
    ),
    Provider(
        key="proton",
        name="Proton Mail Bridge",
        sites=(Site(Server("127.0.0.1", 1143, _STARTTLS), Server("127.0.0.1", 1025, _STARTTLS)),),
        domains=("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
        mx=("mail.protonmail.ch", "mailsec.protonmail.ch"),
        needs_app_password=True,
        sources={
            "sites": "https://proton.me/support/imap-smtp-and-pop3-setup",
            "needs_app_password": "https://proton.me/support/imap-smtp-and-pop3-setup",
        },
    ),
    Provider(
        key="workmail",
        name="Amazon WorkMail",
        sites=tuple(
            Site(Server(f"imap.mail.{region}.awsapps.com", 993), Server(f"smtp.mail.{region}.awsapps.com", 465))
            for region in ("us-east-1", "eu-west-1", "us-west-2")
        ),
        mx=tuple(f"inbound-smtp.{region}.amazonaws.com" for region in ("us-east-1", "eu-west-1", "us-west-2")),
        hosts=("awsapps.com",),
        sources={"sites": "https://docs.aws.amazon.com/workmail/latest/userguide/using_IMAP.html"},
    ),
    Provider(
        key="rackspace",
        name="Rackspace Email",
        sites=(Site(Server("secure.emailsrvr.com", 993), Server("secure.emailsrvr.com", 465)),),
        mx=("emailsrvr.com",),
        hosts=("emailsrvr.com",),
        sources={"sites": "https://docs.rackspace.com/docs/rackspace-email-settings"},
    ),
    Provider(
        key="godaddy",
        name="GoDaddy Workspace Email",
        sites=(Site(Server("imap.secureserver.net", 993), Server("smtpout.secureserver.net", 465)),),
        mx=("secureserver.net",),
        hosts=("secureserver.net",),
        sources={"sites": "https://www.godaddy.com/help/server-and-port-settings-for-workspace-email-6949"},
    ),
    Provider(
        key="hostinger",
        name="Hostinger Email",
        sites=(Site(Server("imap.hostinger.com", 993), Server("smtp.hostinger.com", 465)),),
        mx=("hostinger.com",),
        hosts=("hostinger.com",),
        sources={"sites": "https://www.hostinger.com/support/1575756-how-to-get-email-account-configuration-details"},
    ),
)
