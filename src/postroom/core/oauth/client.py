"""Our own OAuth client at a provider: who we are to it, and what it lets us ask for. It holds no token of a mailbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from postroom.core.diagnosis.rules import RULES
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.oauth.authority import GENERIC_SCOPES, ISSUER, ISSUER_REGISTER, Authority, Endpoints, by_key

SECRET_ENDS_SOON = timedelta(days=14)
"""How long before a client secret's end the admin is told."""
OUR_CAUSES = frozenset({"oauth_client_secret", "oauth_application", "oauth_clock"})
_OUR_RULES = frozenset(rule.id for rule in RULES if rule.cause in OUR_CAUSES)


class ClientKind(StrEnum):
    """What the registration is: an application (RFC 6749 2), or a Google service account (RFC 7523)."""

    APPLICATION = "application"
    SERVICE_ACCOUNT = "service_account"


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A registration of the team's own. `provider` is an Authority's key, or `issuer`.

    `secret` is the client secret, or the service account's private key (PEM). `scopes` replace the provider's usual
    ones where given. `endpoints` are those that an issuer's metadata told. `trouble` is what the provider last held
    against this client itself; it is told once and shown here, and its mailboxes recover when it is mended.
    """

    id: str
    provider: str
    client_id: str
    created_at: datetime
    kind: ClientKind = ClientKind.APPLICATION
    name: str = ""
    secret: str = field(default="", repr=False)
    key_id: str = ""
    tenant: str = ""
    issuer: str = ""
    scopes: tuple[str, ...] = ()
    told_endpoints: Endpoints | None = None
    secret_expires_at: datetime | None = None
    warned_at: datetime | None = None
    trouble: Diagnosis | None = None
    trouble_since: datetime | None = None

    @property
    def authority(self) -> Authority | None:
        return by_key(self.provider)

    @property
    def title(self) -> str:
        """What people call it."""
        known = self.authority
        return self.name or (known.name if known else self.issuer)

    def endpoints(self, tenant: str = "") -> Endpoints:
        """Where it is known, for the tenant or its own. Raises ValueError where nobody has told them."""
        if self.told_endpoints is not None:
            return self.told_endpoints
        known = self.authority
        if known is None:
            raise ValueError(f"the endpoints of {self.issuer} are not known")
        return known.endpoints_of(tenant or self.tenant)

    @property
    def asked_scopes(self) -> tuple[str, ...]:
        """What a person is asked to consent to."""
        known = self.authority
        return self.scopes or (known.scopes if known else GENERIC_SCOPES)

    @property
    def app_scopes(self) -> tuple[str, ...]:
        """What the client asks for in its own name (client credentials, service account)."""
        known = self.authority
        return self.scopes or (known.app_scopes if known else ())


def is_ours(diagnosis: Diagnosis) -> bool:
    """Whether a diagnosis is about our OAuth client, hence nothing that any one mailbox's owner could mend."""
    return diagnosis.matched in _OUR_RULES


@dataclass(frozen=True, slots=True)
class Guide:
    """How to register a client at a provider, with the exact redirect address and scopes."""

    provider: str
    name: str
    console: str
    redirect: str
    scopes: tuple[str, ...]
    app_scopes: tuple[str, ...]
    steps: tuple[str, ...]
    app_steps: tuple[str, ...]
    device: bool


def guide_of(provider: str, redirect: str) -> Guide | None:
    """For an Authority's key or `issuer`; None where the provider is unknown."""
    known = by_key(provider)
    if known is None:
        if provider != ISSUER:
            return None
        steps = _filled(ISSUER_REGISTER, redirect, GENERIC_SCOPES)
        return Guide(ISSUER, "Any OpenID provider", "", redirect, GENERIC_SCOPES, (), steps, (), device=True)
    return Guide(
        provider,
        known.name,
        known.console,
        redirect,
        known.scopes,
        known.app_scopes,
        _filled(known.register, redirect, known.scopes),
        _filled(known.app_register, redirect, known.app_scopes),
        device=bool(known.endpoints.device),
    )


def _filled(steps: tuple[str, ...], redirect: str, scopes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(step.format(redirect=redirect, scopes=" ".join(scopes)) for step in steps)
