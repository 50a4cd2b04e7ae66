"""Tables of limits and budgets of sending, and an index of what is due in its order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Number

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "allowance",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("told_size", Number, comment="SIZE of EHLO, bytes of a message; null where not told"),
        sa.Column("told_recipients", Number, comment="RCPTMAX of EHLO, recipients of a message"),
        sa.Column("told_messages", Number, comment="MAILMAX of EHLO, messages of a session"),
        sa.Column("connections", Number, comment="SMTP connections at once, by a person; null: as the provider grants"),
        sa.Column("messages_a_minute", Number, comment="By a person; null: as the provider grants"),
        sa.Column("messages_a_day", Number, comment="By a person, of any 24 hours; null: as the provider grants"),
        sa.Column("recipients_a_day", Number, comment="By a person, of any 24 hours; null: as the provider grants"),
        *_of_mailbox("allowance", "mailbox_id"),
        comment="What a mailbox may send: as its server said, as a person set",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spent",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("at", Instant, nullable=False, comment="When these ten minutes began"),
        sa.Column("messages", Number, nullable=False, comment="Messages that the server took in them"),
        sa.Column("recipients", Number, nullable=False, comment="Recipients whom it accepted in them"),
        *_of_mailbox("spent", "mailbox_id", "at"),
        comment="What mailboxes with a budget of a day have sent of it",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _of_mailbox(name: str, *key: str) -> tuple[sa.Constraint, sa.Constraint]:
    mailbox = sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], f"{name}_mailbox", ondelete="CASCADE")
    return sa.PrimaryKeyConstraint(*key, name=f"{name}_key"), mailbox
