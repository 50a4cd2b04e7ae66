"""Tables of transitions, warnings and bounces of deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Flag, Instant, Json, Number

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "transition",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("delivery_id", sa.Text, nullable=False, comment="Its delivery"),
        sa.Column("number", Number, nullable=False, comment="From 1"),
        sa.Column("at", Instant, nullable=False, comment="When it happened"),
        sa.Column("state", sa.Text, nullable=False, comment="The state from then on"),
        sa.Column("cause", sa.Text, nullable=False, comment="Name of a core.delivery.Signal or Report"),
        sa.Column("by", sa.Text, nullable=True, comment="The person who did it; null for Postroom"),
        sa.Column("attempt", Number, nullable=True, comment="The try that led to it"),
        sa.Column("because", sa.Text, nullable=True, comment="Code of the diagnosis, or a word such as paused"),
        sa.Column("note", sa.Text, nullable=True, comment="What a server said"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="transition_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "delivery_id", "number", name="transition_key"),
        comment="The story of each delivery, never changed once written",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _deliveries()
    _mailboxes()
    _conversations()


def _deliveries() -> None:
    for column in (
        sa.Column("author", sa.Text, nullable=True, comment="Who handed it in"),
        sa.Column("resend_of", sa.Text, nullable=True, comment="The delivery whose message it sends anew"),
        sa.Column("warn_at", Instant, nullable=True, comment="When people are told next that it waits"),
        sa.Column(
            "bounces",
            Json,
            nullable=True,
            comment="Recipients at whom it failed after it was taken; written by reports alone",
        ),
    ):
        op.add_column("delivery", column)
    waiting = "state IN ('deferred', 'held', 'queued')"
    # What waits already is told of as what comes: four hours after it was to go.
    op.execute(f"UPDATE delivery SET warn_at = coalesce(send_at, accepted_at) + 14400000000 WHERE {waiting}")  # noqa: S608 - constants
    _index("delivery_waiting", ["warn_at", "mailbox_id"], waiting)
    op.create_index("delivery_message", "delivery", ["message_id"])
    _index("delivery_bounced", ["mailbox_id", "id"], "bounces IS NOT NULL")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "delivery", columns, sqlite_where=where, postgresql_where=where)


def _mailboxes() -> None:
    told = sa.Column(
        "delay_told",
        Number,
        nullable=False,
        server_default="0",
        comment="Hours of waiting that people were told of since sending stopped",
    )
    op.add_column("health", told)
    for column in (
        sa.Column("reply_to", sa.Text, nullable=True, comment="Where answers go to, unless a message says otherwise"),
        sa.Column("signature_text", sa.Text, nullable=True, comment="Below each message"),
        sa.Column("signature_html", sa.Text, nullable=True, comment="The same as HTML"),
    ):
        op.add_column("mailbox", column)


def _conversations() -> None:
    told = "Whether a program wrote it (RFC 3834)"
    op.add_column("message", sa.Column("automatic", Flag, nullable=False, server_default="0", comment=told))
    op.add_column(
        "conversation", sa.Column("looped_at", Instant, nullable=True, comment="When automatic mail in it was stopped")
    )
