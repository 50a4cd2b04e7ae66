"""What is known of the providers' authorization servers, as data with its source. It knows no client of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

ISSUER = "issuer"
"""The key for any other provider: its endpoints come from its discovery metadata (RFC 8414, OpenID Discovery)."""
GENERIC_SCOPES = ("openid", "email", "offline_access")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an authorization server is asked. Empty: there is none, or it does not say.

    `basic`: the client's secret goes into an Authorization header (RFC 6749 2.3.1), not into the form.
    """

    authorization: str
    token: str
    device: str = ""
    userinfo: str = ""
    issuer: str = ""
    basic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authorization server. `{tenant}` in an endpoint stands for the directory, `tenant` for its usual one.

    `serves` are the keys of core.provider whose mailboxes it signs in. `extra` goes into the authorization request, so
    that a refresh token comes back. `unused`: a refresh token that nobody uses for so long dies. `app_scopes` are those
    of client credentials or a service account. `console` is the page where a client is registered, `register` what is
    done there, in order; `{redirect}` and `{scopes}` are filled in.
    """

    key: str
    name: str
    endpoints: Endpoints
    scopes: tuple[str, ...]
    console: str
    register: tuple[str, ...]
    serves: tuple[str, ...]
    sources: Mapping[str, str]
    tenant: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    app_scopes: tuple[str, ...] = ()
    app_register: tuple[str, ...] = ()
    unused: timedelta | None = None
    secret_needed: bool = True

    def endpoints_of(self, tenant: str = "") -> Endpoints:
        """The endpoints for a directory."""
        ours, chosen = self.endpoints, tenant or self.tenant
        return Endpoints(
            authorization=ours.authorization.format(tenant=chosen),
            token=ours.token.format(tenant=chosen),
            device=ours.device.format(tenant=chosen),
            userinfo=ours.userinfo,
            issuer=ours.issuer,
            basic=ours.basic,
        )


_GOOGLE_WEB = "https://developers.google.com/identity/protocols/oauth2/web-server"
_MICROSOFT = "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth"
_CLIENTS = "no page of the provider on mail: what Thunderbird and K-9 Mail are built with"

AUTHORITIES: tuple[Authority, ...] = (
    Authority(
        key="google",
        name="Google",
        endpoints=Endpoints(
            authorization="https://accounts.google.com/o/oauth2/v2/auth",
            token="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
            userinfo="https://openidconnect.googleapis.com/v1/userinfo",
            issuer="https://accounts.google.com",
        ),
        scopes=("openid", "email", "https://mail.google.com/"),
        # A second consent without prompt=consent brings no refresh token.
        extra={"access_type": "offline", "prompt": "consent", "include_granted_scopes": "false"},
        app_scopes=("https://mail.google.com/",),
        unused=timedelta(days=180),
        serves=("gmail", "google_workspace"),
        console="https://console.cloud.google.com/auth/clients",
        register=(
            "In the Google Cloud console choose or make a project, enable the Gmail API (APIs & Services, Library), "
            "and open Google Auth Platform.",
            "Audience: choose Internal for your own Workspace, else External; set the publishing status to In "
            "production: in Testing every sign-in ends after seven days.",
            "Data access: add the scopes {scopes}.",
            "Clients, Create client, type Web application, and enter this authorised redirect URI: {redirect}",
            "Copy the client ID and the client secret, and enter them here.",
        ),
        app_register=(
            "In the Google Cloud console, IAM & Admin, Service accounts: make a service account and a JSON key for it.",
            "In admin.google.com, Security, Access and data control, API controls, Domain-wide delegation, add the "
            "service account's client ID with the scope {scopes}.",
            "Enter the JSON key file here.",
        ),
        sources={
            "endpoints": "https://accounts.google.com/.well-known/openid-configuration",
            "scopes": "https://developers.google.com/gmail/imap/xoauth2-protocol",
            "extra": _GOOGLE_WEB,
            "unused": "https://developers.google.com/identity/protocols/oauth2#expiration",
            # The device flow there takes no Gmail scope, hence no device endpoint.
            "device": "https://developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes",
        },
    ),
    Authority(
        key="microsoft",
        name="Microsoft",
        endpoints=Endpoints(
            authorization="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
            token="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106 - an address
            device="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
        ),
        tenant="common",
        scopes=(
            "openid",
            "email",
            "profile",
            "offline_access",
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
        ),
        app_scopes=("https://outlook.office365.com/.default",),
        unused=timedelta(days=90),
        serves=("microsoft365", "outlook"),
        console="https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps",
        register=(
            "In the Microsoft Entra admin center open App registrations, New registration. Accounts of any "
            "organizational directory, and personal Microsoft accounts if those are to be connected too.",
            "Redirect URI: platform Web, {redirect}",
            "API permissions, Add a permission, APIs my organization uses, Office 365 Exchange Online, or Microsoft "
            "Graph, Delegated permissions: {scopes}.",
            "For the device code: Authentication, Allow public client flows, Yes.",
            "Certificates & secrets, New client secret: copy its value (not its ID) and note when it expires.",
            "Overview: copy the Application (client) ID; enter both here, and the Directory (tenant) ID where the "
            "application is for one organisation only.",
        ),
        app_register=(
            "API permissions, Office 365 Exchange Online, Application permissions: IMAP.AccessAsApp and "
            "SMTP.SendAsApp, then Grant admin consent.",
            "In Exchange Online PowerShell: New-ServicePrincipal -AppId CLIENT_ID -ObjectId OBJECT_ID, with the object "
            "ID of the Enterprise Application (not that of the app registration).",
            "Add-MailboxPermission -Identity ADDRESS -User OBJECT_ID -AccessRights FullAccess for each mailbox. It "
            "takes 15 to 30 minutes.",
        ),
        sources={
            "endpoints": "https://learn.microsoft.com/entra/identity-platform/v2-protocols",
            "scopes": _MICROSOFT,
            "app_scopes": _MICROSOFT,
            "unused": "https://learn.microsoft.com/entra/identity-platform/refresh-tokens",
        },
    ),
    Authority(
        key="yahoo",
        name="Yahoo",
        endpoints=Endpoints(
            authorization="https://api.login.yahoo.com/oauth2/request_auth",
            token="https://api.login.yahoo.com/oauth2/get_token",  # noqa: S106 - an address
            userinfo="https://api.login.yahoo.com/openid/v1/userinfo",
            issuer="https://api.login.yahoo.com",
        ),
        scopes=("openid", "email", "mail-w"),
        serves=("yahoo",),
        console="https://developer.yahoo.com/apps/",
        register=(
            "Ask Yahoo for access to mail (https://senders.yahooinc.com/developer/), which it gives to approved "
            "applications only; without it connect with an application password.",
            "Make an application at https://developer.yahoo.com/apps/ with this redirect URI: {redirect}",
            "Permissions: {scopes}. Copy the client ID and the client secret, and enter them here.",
        ),
        sources={"endpoints": "https://developer.yahoo.com/oauth2/guide/flows_authcode/", "scopes": _CLIENTS},
    ),
    Authority(
        key="aol",
        name="AOL",
        endpoints=Endpoints(
            authorization="https://api.login.aol.com/oauth2/request_auth",
            token="https://api.login.aol.com/oauth2/get_token",  # noqa: S106 - an address
            userinfo="https://api.login.aol.com/openid/v1/userinfo",
            issuer="https://api.login.aol.com",
        ),
        scopes=("openid", "email", "mail-w"),
        serves=("aol",),
        console="https://developer.yahoo.com/apps/",
        register=(
            "Ask Yahoo, which runs AOL, for access to mail (https://senders.yahooinc.com/developer/); without it "
            "connect with an application password.",
            "Make an application with this redirect URI: {redirect} and the permissions {scopes}; enter its client ID "
            "and secret here.",
        ),
        sources={"endpoints": _CLIENTS, "scopes": _CLIENTS},
    ),
    Authority(
        key="yandex",
        name="Yandex",
        endpoints=Endpoints(
            authorization="https://oauth.yandex.com/authorize",
            token="https://oauth.yandex.com/token",  # noqa: S106 - an address
            userinfo="https://login.yandex.ru/info?format=json",
        ),
        scopes=("mail:imap_full", "mail:smtp", "login:email"),
        serves=("yandex",),
        console="https://oauth.yandex.com/client/new",
        register=(
            "Make an application at https://oauth.yandex.com/client/new, platform Web services, with this redirect "
            "URI: {redirect}",
            "Data access: {scopes}. Copy ClientID and Client secret, and enter them here.",
        ),
        sources={"endpoints": "https://yandex.com/dev/id/doc/en/", "scopes": "https://yandex.com/dev/id/doc/en/"},
    ),
    Authority(
        key="mailru",
        name="Mail.ru",
        endpoints=Endpoints(
            authorization="https://o2.mail.ru/login",
            token="https://o2.mail.ru/token",  # noqa: S106 - an address
            userinfo="https://oauth.mail.ru/userinfo",
        ),
        scopes=("mail.imap", "userinfo"),
        serves=("mailru",),
        console="https://o2.mail.ru/app/",
        register=(
            "Make an application at https://o2.mail.ru/app/ with this redirect URI: {redirect}",
            "Ask Mail.ru for the scopes {scopes}; enter client ID and secret here.",
        ),
        sources={"endpoints": _CLIENTS, "scopes": _CLIENTS},
    ),
    Authority(
        key="fastmail",
        name="Fastmail",
        endpoints=Endpoints(
            authorization="https://api.fastmail.com/oauth/authorize",
            token="https://api.fastmail.com/oauth/refresh",  # noqa: S106 - an address
            issuer="https://api.fastmail.com",
        ),
        scopes=("https://www.fastmail.com/dev/protocol-imap", "https://www.fastmail.com/dev/protocol-smtp"),
        serves=("fastmail",),
        secret_needed=False,
        console="https://www.fastmail.com/dev/",
        register=(
            "Ask Fastmail (partnerships@fastmailteam.com) for an OAuth client with this redirect URI: {redirect} and "
            "the scopes {scopes}; without one connect with an application password.",
            "Enter its client ID here; there is no secret.",
        ),
        sources={
            "endpoints": "https://api.fastmail.com/.well-known/oauth-authorization-server",
            "scopes": _CLIENTS,
        },
    ),
)
"""Zoho and others have no XOAUTH2 that they document: they are connected with application passwords."""

_BY_KEY = {one.key: one for one in AUTHORITIES}
_BY_PROVIDER = {served: one for one in AUTHORITIES for served in one.serves}
ISSUER_REGISTER = (
    "Register a confidential client (web application) at the provider with this redirect URI: {redirect}",
    "Allow it the grants authorization code and refresh token, and the scopes {scopes} with whatever scope its mail "
    "servers ask for.",
    "Enter its issuer address, client ID and secret here.",
)


def by_key(key: str) -> Authority | None:
    """The authority of that key."""
    return _BY_KEY.get(key)


def of_provider(provider: str) -> Authority | None:
    """Who signs in the mailboxes of a provider (core.provider's key); None where nobody is known."""
    return _BY_PROVIDER.get(provider)
