"""Tables of OAuth: our clients at providers, and sign-ins under way. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Text

from postroom.store.columns import Instant, Json, Number
from postroom.store.schema.base import table

oauth_client = table(
    "oauth_client",
    Column("id", Text, primary_key=True, comment="oac_…"),
    Column("kind", Text, nullable=False, comment="application or service_account"),
    Column("provider", Text, nullable=False, comment="Key of core.oauth.authority, or issuer"),
    Column("name", Text, nullable=False, comment="What people call it; may be empty"),
    Column("client_id", Text, nullable=False, comment="Its identifier at the provider"),
    Column("secret", LargeBinary, nullable=False, comment="Client secret or private key, sealed by the vault"),
    Column("key_id", Text, nullable=False, comment="Which key of a service account; may be empty"),
    Column("tenant", Text, nullable=False, comment="Directory that it is for; empty for any"),
    Column("issuer", Text, nullable=False, comment="Address of an issuer with metadata; else empty"),
    Column("scopes", Json, nullable=False, comment="Instead of the provider's usual ones; empty for those"),
    Column("endpoints", Json, comment="What the issuer's metadata told"),
    Column("secret_expires_at", Instant, comment="When the secret ends, as the admin said"),
    Column("warned_at", Instant, comment="When that end was told"),
    Column("trouble", Json, comment="What the provider holds against this client itself"),
    Column("trouble_since", Instant, comment="Since when"),
    Column("created_at", Instant, nullable=False, comment="When it was entered"),
    comment="Our OAuth clients at providers",
)

oauth_authorization = table(
    "oauth_authorization",
    Column("id", Text, primary_key=True, comment="oau_…"),
    Column("state", Text, unique=True, comment="SHA-256 of the state parameter; null for a device"),
    Column(
        "client_id",
        Text,
        ForeignKey("oauth_client.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
        comment="Our client, oac_…",
    ),
    Column(
        "mailbox_id",
        Text,
        ForeignKey("mailbox.id", ondelete="CASCADE"),
        index=True,
        comment="The mailbox that is signed in to again; null for a new one",
    ),
    Column("flow", Text, nullable=False, comment="code or device"),
    Column("address", Text, nullable=False, comment="The mailbox's address"),
    Column("username", Text, nullable=False, comment="Who else may sign in for it; may be empty"),
    Column("redirect", Text, nullable=False, comment="Where the browser comes back to; may be empty"),
    Column("settings", Json, nullable=False, comment="What is wanted of a new mailbox"),
    Column("sealed", LargeBinary, nullable=False, comment="Verifier, nonce, device code, tokens, sealed by the vault"),
    Column("user_code", Text, nullable=False, comment="What a person enters on a device; may be empty"),
    Column("verification_uri", Text, nullable=False, comment="Where it is entered; may be empty"),
    Column("interval", Number, nullable=False, comment="Seconds between polls"),
    Column("progress", Text, nullable=False, comment="pending, signed_in, connected or refused"),
    Column("identity", Text, nullable=False, comment="Who signed in; may be empty"),
    Column("explanation", Text, nullable=False, comment="Why it was refused; may be empty"),
    Column("diagnosis", Json, comment="The same, judged, where there was evidence"),
    Column("created_at", Instant, nullable=False, comment="When it was begun"),
    Column("expires_at", Instant, nullable=False, comment="When it is too late"),
    Column("used_at", Instant, comment="When its one answer came"),
    Index("oauth_authorization_expiry", "expires_at"),
    comment="Sign-ins with OAuth that were begun",
)
