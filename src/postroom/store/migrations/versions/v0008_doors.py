"""Tables of connect links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Number

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "connect_link",
        sa.Column("id", sa.Text, nullable=False, comment="cnl_…"),
        sa.Column("secret", sa.LargeBinary, nullable=False, comment="What signs its address, sealed by the vault"),
        sa.Column(
            "address", sa.Text, nullable=False, comment="The mailbox's address, or one that is suggested; may be empty"
        ),
        sa.Column(
            "mailbox_id", sa.Text, nullable=True, comment="The mailbox that is signed in to again; null for a new one"
        ),
        sa.Column("connected_id", sa.Text, nullable=True, comment="The mailbox that came of it"),
        sa.Column(
            "client_id", sa.Text, nullable=True, comment="The OAuth client to sign in with, oac_…; null: the provider's"
        ),
        sa.Column("reference", sa.Text, nullable=True, comment="The builder's own identifier for the mailbox"),
        sa.Column("name", sa.Text, nullable=False, comment="How people see the sender of a new mailbox; may be empty"),
        sa.Column("brand", sa.Text, nullable=False, comment="The builder's name on the page; may be empty"),
        sa.Column("return_url", sa.Text, nullable=False, comment="Where the person goes afterwards; may be empty"),
        sa.Column(
            "return_state", sa.Text, nullable=False, comment="What the builder wants to have back there; may be empty"
        ),
        sa.Column("failures", Number, nullable=False, comment="Sum of the tries in vain since the last pause"),
        sa.Column("created_at", Instant, nullable=False, comment="When it was made"),
        sa.Column("expires_at", Instant, nullable=False, comment="When it is too late"),
        sa.Column("used_at", Instant, nullable=True, comment="When it connected a mailbox"),
        sa.Column("revoked_at", Instant, nullable=True, comment="Since when it is void"),
        sa.Column("busy_until", Instant, nullable=True, comment="Until when one try has it to itself"),
        sa.Column("waits_until", Instant, nullable=True, comment="Until when no try is taken, after too many in vain"),
        sa.PrimaryKeyConstraint("id", name="connect_link_key"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="connect_link_mailbox", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["connected_id"], ["mailbox.id"], name="connect_link_connected", ondelete="CASCADE"),
        comment="Links by which people without an account connect a mailbox",
        sqlite_strict=True,
    )
    op.create_index("connect_link_mailbox_id", "connect_link", ["mailbox_id"])
    op.create_index("connect_link_connected_id", "connect_link", ["connected_id"])
    op.create_index("connect_link_expiry", "connect_link", ["expires_at"])
