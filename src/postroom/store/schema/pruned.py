"""The table that says up to where old rows were removed. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column

from postroom.store.columns import Instant, Number
from postroom.store.schema.base import table

pruned = table(
    "pruned",
    Column("id", Number, primary_key=True, autoincrement=False, comment="Always 1"),
    Column("events", Number, nullable=False, comment="Position of the last event that was removed; 0 for none"),
    Column("stories", Instant, nullable=False, comment="Deliveries accepted up to then have no story any more"),
    comment="One row: up to where old rows were removed",
)
