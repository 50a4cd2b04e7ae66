"""The team's OAuth clients as the environment names them. It enters none: flows.clients does."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time

from pydantic import SecretStr

from postroom.core.identity import Kind, identifier
from postroom.core.oauth.authority import ISSUER
from postroom.core.oauth.client import OAuthClient
from postroom.settings import BadSettings, Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def registrations(settings: Settings) -> tuple[OAuthClient, ...]:
    """Raises BadSettings where half of one is given."""
    found: list[OAuthClient] = []
    if _given("GOOGLE", settings.oauth_google_client_id, settings.oauth_google_client_secret):
        found.append(_client("google", settings.oauth_google_client_id, settings.oauth_google_client_secret))
    if _given("MICROSOFT", settings.oauth_microsoft_client_id, settings.oauth_microsoft_client_secret):
        expires = settings.oauth_microsoft_secret_expires
        found.append(
            _client(
                "microsoft",
                settings.oauth_microsoft_client_id,
                settings.oauth_microsoft_client_secret,
                tenant=settings.oauth_microsoft_tenant,
                expires=datetime.combine(expires, time(), UTC) if expires else None,
            )
        )
    if settings.oauth_issuer or settings.oauth_issuer_client_id:
        if not (settings.oauth_issuer and settings.oauth_issuer_client_id):
            raise BadSettings("POSTROOM_OAUTH_ISSUER and POSTROOM_OAUTH_ISSUER_CLIENT_ID are given together.")
        found.append(
            _client(
                ISSUER,
                settings.oauth_issuer_client_id,
                settings.oauth_issuer_client_secret,
                issuer=settings.oauth_issuer,
                scopes=tuple(settings.oauth_issuer_scopes.split()),
            )
        )
    return tuple(found)


def _given(name: str, client_id: str, secret: SecretStr | None) -> bool:
    if bool(client_id) != bool(secret and secret.get_secret_value()):
        raise BadSettings(
            f"POSTROOM_OAUTH_{name}_CLIENT_ID and POSTROOM_OAUTH_{name}_CLIENT_SECRET are given together."
        )
    return bool(client_id)


def _client(
    provider: str,
    client_id: str,
    secret: SecretStr | None,
    *,
    tenant: str = "",
    issuer: str = "",
    scopes: tuple[str, ...] = (),
    expires: datetime | None = None,
) -> OAuthClient:
    # The same for every process, so that those which start together enter it once.
    digest = hashlib.sha256("\0".join((provider, issuer, client_id)).encode()).digest()
    return OAuthClient(
        id=identifier(Kind.OAUTH_CLIENT, _EPOCH, digest[:9]),
        provider=provider,
        client_id=client_id,
        created_at=_EPOCH,
        secret=secret.get_secret_value() if secret else "",
        tenant=tenant,
        issuer=issuer,
        scopes=scopes,
        secret_expires_at=expires,
    )
