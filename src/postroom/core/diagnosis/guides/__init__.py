"""Finds the guide of a provider, by its many names or by the marks in a server's words. It judges nothing."""

from __future__ import annotations

from postroom.core.diagnosis.guides.guide import GENERIC, Guide
from postroom.core.diagnosis.guides.hosting import HOSTING
from postroom.core.diagnosis.guides.large import LARGE

__all__ = ["GENERIC", "GUIDES", "Guide", "canonical_provider", "guide_for", "provider_from_words"]

GUIDES: dict[str, Guide] = {**LARGE, **HOSTING}

_ALIASES = {
    "": "generic",
    "google": "gmail",
    "googlemail": "gmail",
    "gsuite": "google_workspace",
    "workspace": "google_workspace",
    "googleworkspace": "google_workspace",
    "office365": "microsoft365",
    "m365": "microsoft365",
    "o365": "microsoft365",
    "microsoft": "microsoft365",
    "exchangeonline": "microsoft365",
    "hotmail": "outlook",
    "live": "outlook",
    "outlookcom": "outlook",
    "exchangeserver": "exchange",
    "163": "netease163",
    "126": "netease163",
    "netease": "netease163",
    "qqexmail": "qq",
    "exmail": "qq",
    "tencent": "qq",
    "apple": "icloud",
    "mac": "icloud",
    "me": "icloud",
    "protonbridge": "proton",
    "protonmail": "proton",
    "tonline": "t-online",
    "telekom": "t-online",
    "web": "webde",
    "1und1": "ionos",
    "1and1": "ionos",
    "amazonworkmail": "workmail",
    "awsworkmail": "workmail",
    "amazonses": "ses",
    "ovhcloud": "ovh",
    "yandexru": "yandex",
    "zohomail": "zoho",
}

_MARKS = (
    (
        ("gsmtp", "support.google.com", "mail.google.com", "accounts.google.com", "gimap", "oauth2.googleapis.com"),
        "gmail",
    ),
    (
        ("storedrv.", "prod.outlook.com", "outlook.office365.com", "smtp.office365.com", "aadsts", "aka.ms/smtp_auth"),
        "microsoft365",
    ),
    (("partner.outlook.cn", "protection.outlook.com"), "microsoft365"),
    (("(#auth00", "mail.yahoo.com", "postmaster.yahooinc.com", "yahoo.com/postmaster"), "yahoo"),
    (("imap.aol.com", "smtp.aol.com"), "aol"),
    (("mail.me.com", "icloud.com"), "icloud"),
    (("mail.qq.com", "exmail.qq.com"), "qq"),
    (("mail.163.com", "163 smtp", "126 smtp", "netease"), "netease163"),
    (("zoho.com", "zoho.eu", "zoho.in"), "zoho"),
    (("messagingengine.com", "fastmail.com"), "fastmail"),
    (("yandex.ru", "yandex.com", "yandex.net", "ya.cc/"), "yandex"),
    (("mail.ru",), "mailru"),
    (("gmx.net", "gmx.com", "gmx.de"), "gmx"),
    (("web.de",), "webde"),
    (("kundenserver", "perfora.net", "ionos.", "1und1."), "ionos"),
    (("t-online.de", "telekom.de"), "t-online"),
    (("protonmail", "proton bridge"), "proton"),
    (("awsapps.com",), "workmail"),
    (("amazonaws.com", "amazon ses"), "ses"),
    (("emailsrvr.com",), "rackspace"),
    (("ovh.net", "ovh.ca"), "ovh"),
    (("secureserver.net",), "godaddy"),
    (("hostinger",), "hostinger"),
    (("sendgrid",), "sendgrid"),
    (("mailgun",), "mailgun"),
    (("mxhichina.com", "aliyun", "alibaba"), "aliyun"),
    (("ofr_", "orange.fr", "wanadoo"), "orange"),
    (("lpn00", "laposte.net"), "laposte"),
    (("dovecot", "mail_max_userip_connections"), "dovecot"),
    (("courier", "maxperip"), "courier"),
    (("zimbra",), "zimbra"),
    (("hmailserver",), "hmailserver"),
    (("cpanel", "max emails per hour", "max defers and failures per hour"), "cpanel"),
    (("postfix",), "postfix"),
)


def canonical_provider(name: str | None) -> str:
    """Our key for a provider, however it was written; `generic` where nobody said."""
    key = (name or "").strip().lower()
    if key in GUIDES:
        return key
    plain = "".join(letter for letter in key if letter.isalnum())
    return _ALIASES.get(plain, plain if plain in GUIDES else key or "generic")


def provider_from_words(text: str, host: str = "") -> str:
    """The provider whose marks are in a lower-case text or in the host's name; `generic` where there are none."""
    for marks, provider in _MARKS:
        if any(mark in text or mark in host for mark in marks):
            return provider
    return "generic"


def guide_for(provider: str) -> Guide:
    """The guide of a provider by our key, the generic one where there is none."""
    return GUIDES.get(provider, GENERIC)
