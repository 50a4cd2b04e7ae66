"""What the authorization server knows: the client, who consented to what, which tokens are good. It speaks no HTTP."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack

from postroom.simulator.fault import FieldError
from postroom.simulator.oauth.identity import IdTokens

CODE_SECONDS = 600
DEVICE_SECONDS = 900
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
MAIL_SCOPE = "openid email offline_access mail"
_GONE = "Token has been expired or revoked."


class OAuthError(Exception):
    """What is asked for is refused (RFC 6749 5.2); `status` is HTTP's."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status

    @property
    def fields(self) -> dict[str, str]:
        return {"error": self.error} | ({"error_description": self.description} if self.description else {})


class OAuthChanges(TypedDict, total=False):
    """What may be changed of the authorization server; see AuthorizationServer."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...] | None
    access_token_seconds: int
    refresh_token_seconds: int | None
    rotates: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request that is in order (RFC 6749 4.1.1, RFC 7636 4.3)."""

    redirect: str
    scope: str
    state: str = ""
    nonce: str = ""
    challenge: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person agreed to. Without an account it is the client's own, which opens all of them."""

    account: str | None
    scope: str
    until: datetime | None = None
    nonce: str = ""
    challenge: str = ""
    redirect: str = ""


@dataclass(slots=True)
class Device:
    """A sign-in that waits for its code to be entered (RFC 8628 3.2)."""

    user_code: str
    scope: str
    until: datetime
    account: str | None = None
    declined: bool = False


@dataclass(slots=True)
class AuthorizationServer:
    """Who may have which token. One client is registered; `redirect_uris` of None takes any address.

    `access_token_seconds` and `refresh_token_seconds` are how long tokens last (None: until they are revoked). With
    `rotates` each renewal gives a new refresh token and voids the one before.
    """

    now: Callable[[], datetime]
    client_id: str = "postroom"
    client_secret: str = field(default="secret", repr=False)
    redirect_uris: tuple[str, ...] | None = None
    access_token_seconds: int = 3600
    refresh_token_seconds: int | None = None
    rotates: bool = True
    asked: dict[str, int] = field(default_factory=dict)
    issued: set[str] = field(default_factory=set, repr=False)  # every code and token there ever was
    _codes: dict[str, Grant] = field(default_factory=dict, repr=False)
    _devices: dict[str, Device] = field(default_factory=dict, repr=False)
    _refresh: dict[str, Grant] = field(default_factory=dict, repr=False)
    _access: dict[str, Grant] = field(default_factory=dict, repr=False)
    id_tokens: IdTokens = field(default_factory=IdTokens, repr=False)

    def change(self, **changes: Unpack[OAuthChanges]) -> None:
        """Raises FieldError for what cannot be."""
        for name, value in changes.items():
            if name not in OAuthChanges.__annotations__:
                raise FieldError(name, f"cannot be changed; these can: {', '.join(OAuthChanges.__annotations__)}")
            if name == "redirect_uris" and value is not None:
                value = tuple(value) if isinstance(value, (list, tuple)) else (str(value),)
            setattr(self, name, value)

    # A person's consent

    def request_of(self, query: Mapping[str, str]) -> Asked:
        """Raises OAuthError for what is shown to the person and sent nowhere: a client or an address that is not
        registered (RFC 6749 4.1.2.1)."""
        if query.get("client_id") != self.client_id:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        redirect = query.get("redirect_uri", "")
        if not redirect or (self.redirect_uris is not None and redirect not in self.redirect_uris):
            raise OAuthError("redirect_uri_mismatch", f"{redirect or 'no address'} is not registered for this client.")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "Only code is offered.")
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "Only S256 is offered as code_challenge_method.")
        return Asked(
            redirect,
            query.get("scope", ""),
            query.get("state", ""),
            query.get("nonce", ""),
            query.get("code_challenge", ""),
            query.get("login_hint", ""),
        )

    def consent(self, asked: Asked, account: str) -> str:
        """The person agrees: the code that goes back with the browser."""
        code = self._secret()
        until = self.now() + timedelta(seconds=CODE_SECONDS)
        self._codes[code] = Grant(account, asked.scope, until, asked.nonce, asked.challenge, asked.redirect)
        return code

    # Codes for a device

    def begin_device(self, form: Mapping[str, str]) -> tuple[str, Device]:
        """The device code and what is shown to the person. Raises OAuthError."""
        if form.get("client_id") != self.client_id:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        code = self._secret()
        letters = [secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8)]  # RFC 8628 6.1
        user_code = f"{''.join(letters[:4])}-{''.join(letters[4:])}"
        device = Device(user_code, form.get("scope", ""), self.now() + timedelta(seconds=DEVICE_SECONDS))
        self._devices[code] = device
        return code, device

    def enter(self, user_code: str, account: str, *, declined: bool = False) -> bool:
        """The person enters the code that the device shows; whether there is one that waits."""
        wanted = user_code.strip().upper()
        for device in self._devices.values():
            if device.user_code == wanted and device.until > self.now() and device.account is None:
                device.account, device.declined = account, declined
                return True
        return False

    # Tokens

    def concerns(self, form: Mapping[str, str]) -> str | None:
        """Whose tokens are asked for, where that is known before they are given."""
        found = self._codes.get(form.get("code", "")) or self._refresh.get(form.get("refresh_token", ""))
        if found is not None:
            return found.account
        device = self._devices.get(form.get("device_code", ""))
        return device.account if device is not None else None

    def tokens(self, form: Mapping[str, str], issuer: str) -> dict[str, Any]:
        """The answer of the token endpoint (RFC 6749 5.1). The caller has checked the client. Raises OAuthError."""
        kind = form.get("grant_type", "")
        self.asked[kind] = self.asked.get(kind, 0) + 1
        if kind == "refresh_token":
            return self._renewed(form.get("refresh_token", ""), issuer)
        if kind == "authorization_code":
            return self._given(self._of_code(form), issuer)
        if kind == DEVICE_GRANT:
            return self._given(self._of_device(form.get("device_code", "")), issuer)
        if kind == "client_credentials":
            return self._given(Grant(None, form.get("scope", "")), issuer, renewable=False)
        raise OAuthError("unsupported_grant_type", f"{kind or 'nothing'} is not offered.")

    def check_client(self, client_id: str, secret: str) -> None:
        """Raises OAuthError, in Google's words."""
        if client_id != self.client_id:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        if not secrets.compare_digest(secret.encode(), self.client_secret.encode()):
            raise OAuthError("invalid_client", "The provided client secret is invalid.", 401)

    def give(self, account: str, issuer: str, scope: str = MAIL_SCOPE) -> dict[str, Any]:
        """Tokens without asking anybody, as the token endpoint gives them."""
        return self._given(Grant(account, scope), issuer)

    def opens(self, token: str, account: str) -> bool:
        """Whether this access token opens this account now."""
        grant = self._access.get(token)
        return grant is not None and self._is_good(grant) and grant.account in (None, account)

    def owner(self, token: str) -> str | None:
        """Whose access token it is."""
        grant = self._access.get(token)
        return grant.account if grant is not None and self._is_good(grant) else None

    def revoke_token(self, token: str) -> None:
        """RFC 7009: one that is not known is as good as revoked."""
        grant = self._refresh.pop(token, None) or self._access.pop(token, None)
        if grant is not None and grant.account is not None:
            self.revoke(grant.account)

    def expire(self, account: str | None = None) -> None:
        """Access tokens come to their end (of all accounts without one); what they were given for stays."""
        for token in [token for token, grant in self._access.items() if account is None or grant.account == account]:
            del self._access[token]

    def revoke(self, account: str | None = None) -> set[str]:
        """The person takes the access back (all people without an account): the access tokens that died."""
        gone = {token for token, grant in self._access.items() if account is None or grant.account == account}
        for held in (self._codes, self._refresh, self._access):
            for token in [token for token, grant in held.items() if account is None or grant.account == account]:
                del held[token]
        return gone

    def _of_code(self, form: Mapping[str, str]) -> Grant:
        grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or not self._is_good(grant):
            raise OAuthError("invalid_grant", "Malformed auth code, or one that was used or is too old.")
        if grant.challenge and _challenge(form.get("code_verifier", "")) != grant.challenge:
            raise OAuthError("invalid_grant", "Invalid code verifier.")
        if form.get("redirect_uri") != grant.redirect:
            raise OAuthError("redirect_uri_mismatch", "The address is not the one of the authorization request.")
        return grant

    def _of_device(self, code: str) -> Grant:
        device = self._devices.get(code)
        if device is None or device.until <= self.now():
            raise OAuthError("expired_token", "The device code is not known or too old.")
        if device.account is None:
            raise OAuthError("authorization_pending", "The person has not entered the code yet.", 428)
        del self._devices[code]
        if device.declined:
            raise OAuthError("access_denied", "The person declined.", 403)
        return Grant(device.account, device.scope)

    def _renewed(self, token: str, issuer: str) -> dict[str, Any]:
        grant = self._refresh.get(token)
        if grant is None or not self._is_good(grant):
            raise OAuthError("invalid_grant", _GONE)
        if self.rotates:
            del self._refresh[token]
        return self._given(grant, issuer, renewable=self.rotates)

    def _given(self, grant: Grant, issuer: str, *, renewable: bool = True) -> dict[str, Any]:
        access = self._secret()
        bare = Grant(grant.account, grant.scope, self.now() + timedelta(seconds=self.access_token_seconds))
        self._access[access] = bare
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.access_token_seconds,
            "scope": grant.scope,
        }
        if renewable:
            refresh = self._secret()
            lasts = self.refresh_token_seconds
            until = self.now() + timedelta(seconds=lasts) if lasts is not None else None
            self._refresh[refresh] = Grant(grant.account, grant.scope, until)
            answer["refresh_token"] = refresh
            if lasts is not None:
                answer["refresh_token_expires_in"] = lasts
        if grant.account is not None and "openid" in grant.scope.split():
            answer["id_token"] = self.id_tokens.made(
                issuer, self.client_id, grant.account, nonce=grant.nonce, now=self.now()
            )
        return answer

    def _secret(self) -> str:
        made = secrets.token_urlsafe(32)
        self.issued.add(made)
        return made

    def _is_good(self, grant: Grant) -> bool:
        return grant.until is None or grant.until > self.now()


def _challenge(verifier: str) -> str:
    """RFC 7636 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
