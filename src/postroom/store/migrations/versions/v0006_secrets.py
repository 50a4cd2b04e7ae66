"""Aliases of mailboxes, and the certificates of their servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Json, Number

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    comment = "Other addresses it may send as, and refusals"
    op.add_column("mailbox", sa.Column("aliases", Json, nullable=False, server_default="[]", comment=comment))
    op.create_table(
        "certificate",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("direction", sa.Text, nullable=False, comment="imap or smtp"),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="SHA-256 of the certificate"),
        sa.Column("issuer", sa.Text, nullable=False, comment="Name of the authority; may be empty"),
        sa.Column("subject", sa.Text, nullable=False, comment="The first name that it is for; may be empty"),
        sa.Column("not_after", Instant, nullable=False, comment="Its end"),
        sa.Column("seen_at", Instant, nullable=False, comment="When it was seen first"),
        sa.Column("told", Number, nullable=True, comment="How many days before its end that was told last"),
        sa.PrimaryKeyConstraint("mailbox_id", "direction", name="certificate_key"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="certificate_mailbox", ondelete="CASCADE"),
        comment="What mail servers that teams run themselves showed at sign-in",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("certificate_end", "certificate", ["not_after"])
