"""Tables of receiving: gaps and comparisons of a folder, runs of UIDs that were passed over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Json, Number

revision = "0005"
down_revision = "0004"

_FOLDER = (
    sa.Column("per_minute", Number, nullable=False, server_default="0", comment="How fast it goes: messages a minute"),
    sa.Column(
        "gaps", Json, nullable=False, server_default="[]", comment="[first, last, order] of UIDs still to be read"
    ),
    sa.Column("began_at", Instant, nullable=True, comment="When it was read first"),
    sa.Column(
        "since", Instant, nullable=True, comment="What the server had before then, when it was read first, is skipped"
    ),
    sa.Column("reconciled_at", Instant, nullable=True, comment="When the ledger was last compared with the server"),
    sa.Column("server_count", Number, nullable=False, server_default="0", comment="Messages the server had then"),
    sa.Column("ledger_count", Number, nullable=False, server_default="0", comment="Those of them that the ledger has"),
    sa.Column("healed", Number, nullable=False, server_default="0", comment="Messages that comparisons found missing"),
    sa.Column("spent_since", Instant, nullable=True, comment="When the day began whose bytes are counted"),
    sa.Column("spent_bytes", Number, nullable=False, server_default="0", comment="Bytes fetched in that day"),
)


def upgrade() -> None:
    for column in _FOLDER:
        op.add_column("folder", column)
    # A mailbox of before has been read whole, and what will be read of it is not cut short.
    op.add_column(
        "mailbox",
        sa.Column(
            "sync_days",
            Number,
            nullable=True,
            comment="How old mail may be that the first reading brings, in days; null for all",
        ),
    )
    where = sa.text("outcome <> 'fetched'")
    op.create_index(
        "ledger_outcome",
        "ledger",
        ["mailbox_id", "folder", "uid_validity", "outcome", "uid"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_table(
        "ledger_range",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("folder", sa.Text, nullable=False, comment="The folder that showed them"),
        sa.Column("uid_validity", Number, nullable=False, comment="UIDVALIDITY under which they were shown"),
        sa.Column("first_uid", Number, nullable=False, comment="The lowest UID"),
        sa.Column("last_uid", Number, nullable=False, comment="The highest UID"),
        sa.Column("outcome", sa.Text, nullable=False, comment="skipped or gone"),
        sa.Column("reason", sa.Text, nullable=False, comment="Why they were not read"),
        sa.Column("messages", Number, nullable=False, comment="How many of these UIDs the server had"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="ledger_range_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "folder", "uid_validity", "first_uid", name="ledger_range_key"),
        comment="Runs of UIDs that were passed over for one reason; a UID with a row in the ledger is not meant",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
