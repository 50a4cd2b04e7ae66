"""What people were told of a direction that comes and goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Instant, Json

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    troubles = "When people were told of a trouble lately"
    op.add_column("health", sa.Column("troubles", Json, nullable=True, comment=troubles))
    quiet = "It comes and goes: until when no change is told; null where it does not"
    op.add_column("health", sa.Column("quiet_until", Instant, nullable=True, comment=quiet))
