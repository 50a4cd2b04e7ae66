"""Conversations found by their topic, and merged ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for column in (
        sa.Column(
            "topic", sa.Text, comment="Its subject without Re: and the like; null where that is too short to tell one"
        ),
        sa.Column(
            "merged_into", sa.Text, comment="The conversation that has its messages since a person merged the two"
        ),
    ):
        op.add_column("conversation", column)
    named = sa.text("topic IS NOT NULL")
    op.create_index(
        "conversation_topic",
        "conversation",
        ["mailbox_id", "topic", "updated_at"],
        sqlite_where=named,
        postgresql_where=named,
    )
