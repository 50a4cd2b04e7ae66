"""What grows for ever is removed in time: up to where, and when UIDs were noted as gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Number

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "pruned",
        sa.Column("id", Number, autoincrement=False, nullable=False, comment="Always 1"),
        sa.Column("events", Number, nullable=False, comment="Position of the last event that was removed; 0 for none"),
        sa.Column("stories", Instant, nullable=False, comment="Deliveries accepted up to then have no story any more"),
        sa.PrimaryKeyConstraint("id", name="pruned_key"),
        comment="One row: up to where old rows were removed",
        sqlite_strict=True,
    )
    op.execute("INSERT INTO pruned (id, events, stories) VALUES (1, 0, 0)")
    op.add_column(
        "ledger_range",
        sa.Column("noted_at", Instant, nullable=True, comment="When; null for rows of earlier releases"),
    )
    where = sa.text("outcome = 'gone'")
    op.create_index("ledger_range_gone", "ledger_range", ["noted_at"], sqlite_where=where, postgresql_where=where)
