"""Tables of sign-in with OAuth: our clients, sign-ins under way, and who renews a credential."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Json, Number

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _clients()
    _authorizations()
    _credentials()


def _clients() -> None:
    op.create_table(
        "oauth_client",
        sa.Column("id", sa.Text, nullable=False, comment="oac_…"),
        sa.Column("kind", sa.Text, nullable=False, comment="application or service_account"),
        sa.Column("provider", sa.Text, nullable=False, comment="Key of core.oauth.authority, or issuer"),
        sa.Column("name", sa.Text, nullable=False, comment="What people call it; may be empty"),
        sa.Column("client_id", sa.Text, nullable=False, comment="Its identifier at the provider"),
        sa.Column(
            "secret", sa.LargeBinary, nullable=False, comment="Client secret or private key, sealed by the vault"
        ),
        sa.Column("key_id", sa.Text, nullable=False, comment="Which key of a service account; may be empty"),
        sa.Column("tenant", sa.Text, nullable=False, comment="Directory that it is for; empty for any"),
        sa.Column("issuer", sa.Text, nullable=False, comment="Address of an issuer with metadata; else empty"),
        sa.Column("scopes", Json, nullable=False, comment="Instead of the provider's usual ones; empty for those"),
        sa.Column("endpoints", Json, nullable=True, comment="What the issuer's metadata told"),
        sa.Column("secret_expires_at", Instant, nullable=True, comment="When the secret ends, as the admin said"),
        sa.Column("warned_at", Instant, nullable=True, comment="When that end was told"),
        sa.Column("trouble", Json, nullable=True, comment="What the provider holds against this client itself"),
        sa.Column("trouble_since", Instant, nullable=True, comment="Since when"),
        sa.Column("created_at", Instant, nullable=False, comment="When it was entered"),
        sa.PrimaryKeyConstraint("id", name="oauth_client_key"),
        comment="Our OAuth clients at providers",
        sqlite_strict=True,
    )


def _authorizations() -> None:
    op.create_table(
        "oauth_authorization",
        sa.Column("id", sa.Text, nullable=False, comment="oau_…"),
        sa.Column("state", sa.Text, nullable=True, comment="SHA-256 of the state parameter; null for a device"),
        sa.Column("client_id", sa.Text, nullable=False, comment="Our client, oac_…"),
        sa.Column(
            "mailbox_id", sa.Text, nullable=True, comment="The mailbox that is signed in to again; null for a new one"
        ),
        sa.Column("flow", sa.Text, nullable=False, comment="code or device"),
        sa.Column("address", sa.Text, nullable=False, comment="The mailbox's address"),
        sa.Column("username", sa.Text, nullable=False, comment="Who else may sign in for it; may be empty"),
        sa.Column("redirect", sa.Text, nullable=False, comment="Where the browser comes back to; may be empty"),
        sa.Column("settings", Json, nullable=False, comment="What is wanted of a new mailbox"),
        sa.Column(
            "sealed",
            sa.LargeBinary,
            nullable=False,
            comment="Verifier, nonce, device code, tokens, sealed by the vault",
        ),
        sa.Column("user_code", sa.Text, nullable=False, comment="What a person enters on a device; may be empty"),
        sa.Column("verification_uri", sa.Text, nullable=False, comment="Where it is entered; may be empty"),
        sa.Column("interval", Number, nullable=False, comment="Seconds between polls"),
        sa.Column("progress", sa.Text, nullable=False, comment="pending, signed_in, connected or refused"),
        sa.Column("identity", sa.Text, nullable=False, comment="Who signed in; may be empty"),
        sa.Column("explanation", sa.Text, nullable=False, comment="Why it was refused; may be empty"),
        sa.Column("diagnosis", Json, nullable=True, comment="The same, judged, where there was evidence"),
        sa.Column("created_at", Instant, nullable=False, comment="When it was begun"),
        sa.Column("expires_at", Instant, nullable=False, comment="When it is too late"),
        sa.Column("used_at", Instant, nullable=True, comment="When its one answer came"),
        sa.PrimaryKeyConstraint("id", name="oauth_authorization_key"),
        sa.UniqueConstraint("state", name="oauth_authorization_state"),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_client.id"], name="oauth_authorization_oauth_client", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="oauth_authorization_mailbox", ondelete="CASCADE"),
        comment="Sign-ins with OAuth that were begun",
        sqlite_strict=True,
    )
    op.create_index("oauth_authorization_client_id", "oauth_authorization", ["client_id"])
    op.create_index("oauth_authorization_mailbox_id", "oauth_authorization", ["mailbox_id"])
    op.create_index("oauth_authorization_expiry", "oauth_authorization", ["expires_at"])


def _credentials() -> None:
    columns = (
        sa.Column(
            "version",
            Number,
            nullable=False,
            server_default="0",
            comment="Grows with each write: a renewal compares it",
        ),
        sa.Column(
            "client_id", sa.Text, nullable=True, comment="The OAuth client it belongs to, oac_…; null for a password"
        ),
        sa.Column(
            "ends_at", Instant, nullable=True, comment="When the sign-in is known to end unless it is used or renewed"
        ),
        sa.Column("told_at", Instant, nullable=True, comment="When that end was told; null where it was not"),
        sa.Column("renewed_by", sa.Text, nullable=True, comment="Who renews its token just now"),
        sa.Column("renewed_until", Instant, nullable=True, comment="When that right ends, should its holder have died"),
    )
    for column in columns:
        op.add_column("credential", column)
    op.create_index("credential_client_id", "credential", ["client_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "credential",
            "secret",
            existing_type=sa.LargeBinary(),
            existing_nullable=False,
            comment="Password or tokens, sealed by the vault",
        )
