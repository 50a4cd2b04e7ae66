"""An OpenID provider on loopback that consents by itself: for signing in with OAuth, and for all that goes wrong there.

Its access tokens are those that the rig's Dovecot and Postfix check. It is strict where providers are: codes serve once
and with their verifier, redirect addresses are registered, a rotated refresh token is void.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.rig.tokens import Issuer
from tests.wire.http_server import Request, Response, http_server

CLIENT_ID = "postroom-at-rig"
CLIENT_SECRET = "the secret of the client"
REDIRECT = "http://localhost:8025/oauth/callback"


@dataclass
class Consent:
    """What a person agreed to, until the code or the device code is given in."""

    person: str
    scope: str
    nonce: str | None = None
    challenge: str | None = None
    redirect: str | None = None
    at: float = field(default_factory=time.monotonic)


class OpenIdProvider:
    """`async with OpenIdProvider(dovecot.issuer) as provider`; `provider.person` is who sits before the browser."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        person: str = "anna@rig.test",
        expires_in: int = 3600,
        rotates: bool = True,
        forgiving: bool = False,
    ):
        self._issuer = issuer
        self.person = person
        self.expires_in = expires_in
        self.rotates = rotates
        self.forgiving = forgiving  # a rotated token stays good until its successor was used, as Microsoft's do
        self.successors: dict[str, str] = {}
        self.redirects = {REDIRECT}
        self.client_secret = CLIENT_SECRET
        self.declines: dict[str, str] | None = None
        self.refuses: list[tuple[str, str]] = []  # (status line, body) for the next token requests
        self.always: tuple[str, str] | None = None
        self.delay = 0.0
        self.after_grant: asyncio.Event | None = None  # answers only when it is set, though the grant has been made
        self.gives_refresh_token = True
        self.refresh_expires_in: int | None = None
        self.now = time.time
        self.asked: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.granted = asyncio.Event()
        self.device_asked = asyncio.Event()
        self.codes: dict[str, Consent] = {}
        self.devices: dict[str, Consent | None] = {}
        self.refresh_tokens: dict[str, Consent] = {}
        self.access_tokens: dict[str, str] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "OpenIdProvider":
        server = await self._stack.enter_async_context(http_server(self._handle))
        self.url = f"http://127.0.0.1:{server.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def refuse(self, status: str, body: str | dict[str, str], times: int = 1) -> None:
        """The next token requests are answered so."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.refuses += [(status, text)] * times

    def revoke(self) -> None:
        """Every grant is gone, as when a person takes the access back."""
        self.refresh_tokens.clear()

    def give(self, person: str, *, expires_in: int | None = None) -> dict[str, object]:
        """Tokens as the token endpoint gives them, without asking."""
        return self._tokens(Consent(person, "mail"), expires_in=expires_in)

    def visit(self, url: str) -> str:
        """What a browser does that opens our address: the address that it is sent back to."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return self._authorize(query).headers["Location"]

    async def _handle(self, request: Request) -> Response:
        parts = urlsplit(request.target)
        self.asked[parts.path] += 1
        if parts.path == "/.well-known/openid-configuration":
            return _json(self._metadata())
        if parts.path == "/jwks":
            return _json({"keys": []})
        if parts.path == "/authorize":
            return self._authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
        if parts.path == "/userinfo":
            return self._userinfo(request.headers.get("authorization", ""))
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if parts.path == "/device":
            return self._device(form)
        if parts.path == "/token":
            return await self._token(form)
        return Response("404 Not Found", b"nothing here")

    def _metadata(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "device_authorization_endpoint": f"{self.url}/device",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }

    def _authorize(self, query: dict[str, str]) -> Response:
        redirect = query.get("redirect_uri", "")
        if redirect not in self.redirects:
            return Response("400 Bad Request", b"redirect_uri_mismatch")
        if query.get("client_id") != CLIENT_ID or query.get("code_challenge_method") != "S256":
            return Response("400 Bad Request", b"invalid_request")
        answer = {"state": query["state"]}
        if self.declines is not None:
            answer |= self.declines
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = Consent(
                self.person, query["scope"], query.get("nonce"), query["code_challenge"], redirect
            )
            answer["code"] = code
        return Response("302 Found", b"", {"Location": f"{redirect}?{urlencode(answer)}"})

    def _device(self, form: dict[str, str]) -> Response:
        device = secrets.token_urlsafe(16)
        self.devices[device] = None
        self.device_asked.set()
        return _json(
            {
                "device_code": device,
                "user_code": "WDJB-MJHT",
                "verification_uri": f"{self.url}/enter",
                "expires_in": 900,
                "interval": 1,
            }
        )

    def consent_to_devices(self) -> None:
        """Whoever sits before the browser has entered every code."""
        for device in self.devices:
            self.devices[device] = Consent(self.person, "mail")

    async def _token(self, form: dict[str, str]) -> Response:
        grant = form.get("grant_type", "")
        self.asked[grant] += 1
        self.forms.append(form)
        await asyncio.sleep(self.delay)
        if self.always is not None or self.refuses:
            status, body = self.always or self.refuses.pop(0)
            return Response(status, body.encode())
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != self.client_secret:
            return _error("invalid_client", "The provided client secret is invalid.", "401 Unauthorized")
        answer = self._granted(grant, form)
        self.granted.set()
        if self.after_grant is not None:
            await self.after_grant.wait()
        return answer

    def _granted(self, grant: str, form: dict[str, str]) -> Response:
        if grant == "authorization_code":
            consent = self.codes.pop(form.get("code", ""), None)
            if consent is None:
                return _error("invalid_grant", "Code was already redeemed.")
            if _challenge(form.get("code_verifier", "")) != consent.challenge:
                return _error("invalid_grant", "PKCE verification failed.")
            if form.get("redirect_uri") != consent.redirect:
                return _error("invalid_grant", "redirect_uri does not match.")
        elif grant == "refresh_token":
            consent = self.refresh_tokens.get(form.get("refresh_token", ""))
            if consent is None:
                return _error("invalid_grant", "Token has been expired or revoked.")
            if self.rotates and not self.forgiving:
                del self.refresh_tokens[form["refresh_token"]]
            self.refresh_tokens.pop(self.successors.pop(form["refresh_token"], ""), None)
        elif grant.endswith(":device_code"):
            if form.get("device_code") not in self.devices:
                return _error("expired_token", "")
            consent = self.devices[form["device_code"]]
            if consent is None:
                return _error("authorization_pending", "")
            del self.devices[form["device_code"]]
        elif grant == "client_credentials":
            consent = Consent(self.person, form.get("scope", ""))
            return _json({key: value for key, value in self._tokens(consent).items() if key != "refresh_token"})
        else:
            return _error("unsupported_grant_type", "")
        return _json(self._tokens(consent, rotate=grant != "refresh_token" or self.rotates))

    def _tokens(self, consent: Consent, *, rotate: bool = True, expires_in: int | None = None) -> dict[str, object]:
        lasts = self.expires_in if expires_in is None else expires_in
        access = self._issuer.token(consent.person.partition("@")[0], expires_in=lasts)
        self.access_tokens[access] = consent.person
        answer: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": lasts,
            "scope": consent.scope,
        }
        if rotate and self.gives_refresh_token:
            refresh = secrets.token_urlsafe(24)
            self.refresh_tokens[refresh] = consent
            answer["refresh_token"] = refresh
        if self.refresh_expires_in is not None:
            answer["refresh_token_expires_in"] = self.refresh_expires_in
        if "openid" in consent.scope:
            answer["id_token"] = self._id_token(consent)
        return answer

    def _id_token(self, consent: Consent) -> str:
        now = int(self.now())
        claims = {"iss": self.url, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 3600}
        claims |= {"email": consent.person, "nonce": consent.nonce}
        parts = [json.dumps(one).encode() for one in ({"alg": "none"}, claims)]
        return ".".join([*(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts), "x"])

    def _userinfo(self, authorization: str) -> Response:
        person = self.access_tokens.get(authorization.removeprefix("Bearer "))
        return _json({"sub": "1", "email": person}) if person else Response("401 Unauthorized", b"{}")


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _json(fields: dict[str, object]) -> Response:
    return Response("200 OK", json.dumps(fields).encode(), {"Content-Type": "application/json"})


def _error(error: str, description: str, status: str = "400 Bad Request") -> Response:
    body = json.dumps({"error": error, "error_description": description})
    return Response(status, body.encode(), {"Content-Type": "application/json"})
