"""What was sent from elsewhere: Sent folders that are read, and the threads that providers name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Flag

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column(
        "mailbox",
        sa.Column(
            "read_sent",
            Flag,
            nullable=False,
            server_default="1",
            comment="Whether replies sent from elsewhere are read from its Sent folder",
        ),
    )
    op.add_column(
        "folder",
        sa.Column(
            "flow",
            sa.Text,
            nullable=False,
            server_default="inbound",
            comment="outbound for a Sent folder, else inbound",
        ),
    )
    op.add_column(
        "message", sa.Column("thread", sa.Text, nullable=True, comment="The provider's own name for its conversation")
    )
    where = sa.text("thread IS NOT NULL")
    op.create_index("message_thread", "message", ["mailbox_id", "thread"], sqlite_where=where, postgresql_where=where)
