"""Aliases of mailboxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Json

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    comment = "Other addresses it may send as, and refusals"
    op.add_column("mailbox", sa.Column("aliases", Json, nullable=False, server_default="[]", comment=comment))
