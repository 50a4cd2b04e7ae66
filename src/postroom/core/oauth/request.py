"""The requests of OAuth 2.0, as data: what is asked of which endpoint. It sends none and draws no chance."""

from __future__ import annotations

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit

from postroom.core.oauth import assertion
from postroom.core.oauth.client import OAuthClient

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SECRET_FIELDS = ("client_secret", "refresh_token", "code", "code_verifier", "device_code", "assertion")


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """One HTTP request. With a form it is a POST (RFC 6749 3.2), else a GET; neither is shown by repr."""

    url: str
    provider: str = "generic"
    form: Mapping[str, str] | None = field(default=None, repr=False)
    authorization: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown where the answer repeats it."""
        held = [self.form[name] for name in _SECRET_FIELDS if self.form.get(name)] if self.form else []
        return (*held, *(self.authorization.split(" ")[-1:] if self.authorization else ()))


def challenge(verifier: str) -> str:
    """PKCE's S256 (RFC 7636 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def digest(state: str) -> str:
    """What is stored of a `state`: who reads the database cannot forge the answer to a sign-in under way."""
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def authorization_url(
    client: OAuthClient, *, redirect: str, state: str, verifier: str, nonce: str, hint: str = ""
) -> str:
    """The address at which a person consents (RFC 6749 4.1.1, RFC 7636 4.3, OpenID Connect Core 3.1.2.1)."""
    endpoint = client.endpoints().authorization
    if not endpoint:
        raise ValueError(f"{client.title} has no authorization endpoint")
    known = client.authority
    scopes = client.asked_scopes
    fields = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(scopes),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        **(known.extra if known else {"prompt": "consent"}),
    }
    if "openid" in scopes:
        fields["nonce"] = nonce
    if hint:
        fields["login_hint"] = hint
    joint = "&" if urlsplit(endpoint).query else "?"
    return endpoint + joint + urlencode(fields)


def code_request(client: OAuthClient, *, code: str, redirect: str, verifier: str) -> OAuthRequest:
    """An authorization code for tokens (RFC 6749 4.1.3, RFC 7636 4.5)."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
    return _of_client(client, form)


def refresh_request(client: OAuthClient, refresh_token: str, tenant: str = "") -> OAuthRequest:
    """A refresh token for a new access token (RFC 6749 6), with the scopes that were granted."""
    return _of_client(client, {"grant_type": "refresh_token", "refresh_token": refresh_token}, tenant)


def client_credentials_request(client: OAuthClient, tenant: str = "") -> OAuthRequest:
    """The client's own token (RFC 6749 4.4)."""
    return _of_client(client, {"grant_type": "client_credentials", "scope": " ".join(client.app_scopes)}, tenant)


def service_account_request(client: OAuthClient, subject: str, now: datetime) -> OAuthRequest:
    """A token by which the service account acts for `subject` (RFC 7523 2.1). Raises ValueError for a bad key."""
    token_endpoint = client.endpoints().token
    signed = assertion.signed(
        client.secret,
        key_id=client.key_id,
        issuer=client.client_id,
        subject=subject,
        audience=token_endpoint,
        scope=" ".join(client.app_scopes),
        now=now,
    )
    return OAuthRequest(token_endpoint, client.provider, {"grant_type": JWT_GRANT, "assertion": signed})


def device_request(client: OAuthClient) -> OAuthRequest:
    """Asks for a code that a person enters elsewhere (RFC 8628 3.1). Raises ValueError where there is no such flow."""
    endpoint = client.endpoints().device
    if not endpoint:
        raise ValueError(f"{client.title} has no device sign-in for mail: sign in with a web browser instead")
    form = {"client_id": client.client_id, "scope": " ".join(client.asked_scopes)}
    return OAuthRequest(endpoint, client.provider, form)


def device_token_request(client: OAuthClient, device_code: str) -> OAuthRequest:
    """Whether the person has consented by now (RFC 8628 3.4)."""
    return _of_client(client, {"grant_type": DEVICE_GRANT, "device_code": device_code})


def userinfo_request(client: OAuthClient, access_token: str) -> OAuthRequest:
    """Who signed in (OpenID Connect Core 5.3.1)."""
    return OAuthRequest(client.endpoints().userinfo, client.provider, None, f"Bearer {access_token}")


def metadata_requests(issuer: str) -> tuple[OAuthRequest, ...]:
    """Where an issuer tells its endpoints: OpenID Discovery 4, RFC 8414 3. Raises ValueError for what is no issuer."""
    parts = urlsplit(issuer)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an issuer is an address such as https://login.example.com/realm, without ? or #")
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        OAuthRequest(f"{base}{path}/.well-known/openid-configuration"),
        OAuthRequest(f"{base}/.well-known/oauth-authorization-server{path}"),
    )


def _of_client(client: OAuthClient, form: dict[str, str], tenant: str = "") -> OAuthRequest:
    """With what proves that the client asks (RFC 6749 2.3.1)."""
    endpoints = client.endpoints(tenant)
    if endpoints.basic and client.secret:
        pair = f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"
        basic = b64encode(pair.encode()).decode()
        return OAuthRequest(endpoints.token, client.provider, form, f"Basic {basic}")
    proof = {"client_id": client.client_id} | ({"client_secret": client.secret} if client.secret else {})
    return OAuthRequest(endpoints.token, client.provider, form | proof)
