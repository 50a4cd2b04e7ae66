"""An organisation's consent to our client: whether it is missing, and the address where its admin gives it. It asks
nobody."""

from __future__ import annotations

from urllib.parse import urlencode

from postroom.core.diagnosis.rules import RULES
from postroom.core.diagnosis.verdict import Diagnosis
from postroom.core.oauth.client import OAuthClient

_CAUSES = frozenset({"consent_missing", "oauth_policy"})
_RULES = frozenset(rule.id for rule in RULES if rule.cause in _CAUSES)
_GOOGLE = "https://admin.google.com/ac/owl/list?tab=configuredApps"


def needs_admin(diagnosis: Diagnosis | None) -> bool:
    """Whether somebody who administers the person's organisation has to allow our client first."""
    return diagnosis is not None and diagnosis.matched in _RULES


def admin_address(client: OAuthClient, redirect: str) -> str:
    """Where the admin does it; empty where no such page is known.

    Sources: learn.microsoft.com/entra/identity-platform/v2-admin-consent, support.google.com/a/answer/7281227.
    """
    if client.provider == "google":
        return _GOOGLE
    if client.provider != "microsoft":
        return ""
    asked = {"client_id": client.client_id, "scope": " ".join(client.asked_scopes), "redirect_uri": redirect}
    tenant = client.tenant or "organizations"
    return f"https://login.microsoftonline.com/{tenant}/v2.0/adminconsent?{urlencode(asked)}"
