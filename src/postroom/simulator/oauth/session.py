"""One request to the authorization server and its answer, true or as a fault wants it. What is granted: grants."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

from postroom.simulator.connection import Connection, ConnectionEnded
from postroom.simulator.fault import Fault, Service
from postroom.simulator.oauth import pages
from postroom.simulator.oauth.grants import DEVICE_GRANT, DEVICE_SECONDS, Asked, OAuthError
from postroom.simulator.oauth.http import (
    Answer,
    BadRequest,
    Request,
    html_answer,
    json_answer,
    read_request,
    redirect,
)
from postroom.simulator.sasl import Credentials
from postroom.simulator.session import House, Session

_STATUS = re.compile(r"HTTP(?:/1\.[01])? (\d{3})[^\n]*\n?")
_WRONG_PASSWORD = "This address and this password do not belong together."  # noqa: S105 - words
_Act = Callable[[Request], Answer]


class OAuthSession(Session):
    """One connection, which serves one request. `issuer` is the server's own address."""

    service = Service.OAUTH

    def __init__(self, connection: Connection, house: House, issuer: str) -> None:
        super().__init__(connection, house)
        self._issuer = issuer
        self._server = house.oauth
        self._asked: Asked | None = None
        self._routes: dict[tuple[str, str], tuple[str | None, _Act]] = {
            ("GET", "/.well-known/openid-configuration"): ("discovery", self._metadata),
            ("GET", "/.well-known/oauth-authorization-server"): ("discovery", self._metadata),
            ("GET", "/jwks"): ("discovery", self._keys),
            ("GET", "/authorize"): (None, self._ask),
            ("POST", "/authorize"): ("authorize", self._answered),
            ("POST", "/device"): ("device", self._device),
            ("GET", "/enter"): (None, self._enter),
            ("POST", "/enter"): (None, self._entered),
            ("POST", "/token"): ("token", self._token),
            ("GET", "/userinfo"): ("userinfo", self._userinfo),
            ("POST", "/revoke"): ("revoke", self._revoke),
        }

    async def greet(self) -> None:
        """In HTTP the client speaks first."""

    def end(self) -> None:
        """A request holds nothing that others wait for."""

    def goodbye(self, reason: str) -> bytes:
        return b""

    async def serve_one(self) -> None:
        try:
            request = await read_request(self.connection)
        except BadRequest as error:
            await self.connection.send(Answer(str(error).encode(), 400).written())
            raise ConnectionEnded("no request") from None
        stage, act = self._routes.get((request.method, request.path), (None, _nothing_here))
        if stage is None:
            await self.connection.send(self._carried_out(act, request).written())
        else:
            await self.perform(
                stage,
                partial(self._written, act, request),
                argument=f"{request.path}?{urlencode({name: request.form.get(name, '') for name in _SHOWN})}",
                username=self._whose(request),
            )
        raise ConnectionEnded("answered")

    async def say(self, fault: Fault, stage: str, tag: str) -> None:
        """The answer of a fault: its first line may be a status, `HTTP 503`; without one it is 400. Where a person's
        consent is refused in JSON, the browser is sent back with it."""
        if fault.answer is None:
            return
        match = _STATUS.match(fault.answer)
        status, body = (int(match[1]), fault.answer[match.end() :]) if match else (400, fault.answer)
        if stage == "authorize" and self._asked is not None and (error := _error_in(body)):
            await self.connection.send(self._sent_back(self._asked, error).written())
            return
        kind = "application/json" if body.lstrip().startswith("{") else "text/plain; charset=utf-8"
        kind = "text/html; charset=utf-8" if body.lstrip().startswith("<") else kind
        answer = Answer(body.encode("utf-8", "surrogateescape"), status, {"Content-Type": kind})
        await self.connection.send(answer.written())

    async def _written(self, act: _Act, request: Request) -> bytes:
        return self._carried_out(act, request).written()

    @staticmethod
    def _carried_out(act: _Act, request: Request) -> Answer:
        try:
            return act(request)
        except OAuthError as refused:
            return json_answer(refused.fields, refused.status)

    def _whose(self, request: Request) -> str | None:
        """For faults that are one account's."""
        if request.path == "/authorize":
            self._asked = self._request_in(request)
            return request.form.get("address")
        if request.path == "/userinfo":
            return self._server.owner(request.bearer)
        return self._server.concerns(request.form)

    # What a browser asks for

    def _ask(self, request: Request) -> Answer:
        try:
            asked = self._server.request_of(request.query)
        except OAuthError as refused:
            return html_answer(pages.told(f"Error 400: {refused.error}", refused.description), refused.status)
        return html_answer(
            pages.sign_in(
                self._server.client_id, asked.scope, request=urlencode(dict(request.query)), address=asked.hint
            )
        )

    def _request_in(self, request: Request) -> Asked | None:
        try:
            return self._server.request_of(dict(parse_qsl(request.form.get("request", ""), keep_blank_values=True)))
        except OAuthError:
            return None

    def _answered(self, request: Request) -> Answer:
        asked = self._asked
        if asked is None:
            return html_answer(pages.told("Error 400: invalid_request", "Begin the sign-in again."), 400)
        if request.form.get("do") == "decline":
            return self._sent_back(asked, {"error": "access_denied"})
        address = request.form.get("address", "")
        if (account := self._signed_in(request)) is None:
            page = pages.sign_in(
                self._server.client_id,
                asked.scope,
                request=request.form.get("request", ""),
                address=address,
                wrong=_WRONG_PASSWORD,
            )
            return html_answer(page, 401)
        return self._sent_back(asked, {"code": self._server.consent(asked, account)})

    def _sent_back(self, asked: Asked, fields: Mapping[str, str]) -> Answer:
        told = dict(fields) | ({"state": asked.state} if asked.state else {}) | {"iss": self._issuer}  # RFC 9207
        joint = "&" if urlsplit(asked.redirect).query else "?"
        return redirect(asked.redirect + joint + urlencode(told))

    def _signed_in(self, request: Request) -> str | None:
        """The account whose password was typed."""
        account = self.house.accounts.find(request.form.get("address", "").strip())
        typed = Credentials("PLAIN", "", request.form.get("password", ""))
        return account.address if account is not None and account.accepts(typed) else None

    def _enter(self, request: Request) -> Answer:
        return html_answer(pages.enter_code(code=request.query.get("user_code", "")))

    def _entered(self, request: Request) -> Answer:
        code, address = request.form.get("user_code", ""), request.form.get("address", "")
        declined = request.form.get("do") == "decline"
        account = address if declined else self._signed_in(request)
        if account is None:
            return html_answer(pages.enter_code(code=code, address=address, wrong=_WRONG_PASSWORD), 401)
        if not self._server.enter(code, account, declined=declined):
            return html_answer(
                pages.enter_code(address=address, wrong="No device shows this code, or not any more."), 404
            )
        return html_answer(pages.told("Done", "You can go back to where the code was shown."))

    # What a client asks for

    def _metadata(self, request: Request) -> Answer:
        """OpenID Discovery 3, RFC 8414 2."""
        url = self._issuer
        return json_answer(
            {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "device_authorization_endpoint": f"{url}/device",
                "userinfo_endpoint": f"{url}/userinfo",
                "revocation_endpoint": f"{url}/revoke",
                "jwks_uri": f"{url}/jwks",
                "scopes_supported": ["openid", "email", "offline_access", "mail"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            }
        )

    def _keys(self, request: Request) -> Answer:
        return json_answer(self._server.id_tokens.keys())

    def _device(self, request: Request) -> Answer:
        code, device = self._server.begin_device(request.form)
        return json_answer(
            {
                "device_code": code,
                "user_code": device.user_code,
                "verification_uri": f"{self._issuer}/enter",
                "verification_uri_complete": f"{self._issuer}/enter?{urlencode({'user_code': device.user_code})}",
                "expires_in": DEVICE_SECONDS,
                "interval": 1,
            }
        )

    def _token(self, request: Request) -> Answer:
        self._server.check_client(*request.client)
        return json_answer(self._server.tokens(request.form, self._issuer))

    def _userinfo(self, request: Request) -> Answer:
        owner = self._server.owner(request.bearer)
        if owner is None:
            raise OAuthError("invalid_token", "Invalid Credentials", 401)
        return json_answer({"sub": owner, "email": owner, "email_verified": True})

    def _revoke(self, request: Request) -> Answer:
        self._server.check_client(*request.client)
        self._server.revoke_token(request.form.get("token", ""))
        return json_answer({})


_SHOWN = ("grant_type", "client_id", "scope")
"""What a fault's `argument` is compared with, beside the path."""


def _nothing_here(request: Request) -> Answer:
    return json_answer({"error": "not_found"}, 404)


def _error_in(body: str) -> dict[str, str]:
    """The error of an answer in JSON, as a redirect bears it (RFC 6749 4.1.2.1)."""
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(fields, dict) or not isinstance(fields.get("error"), str):
        return {}
    return {name: str(fields[name]) for name in ("error", "error_description") if name in fields}
