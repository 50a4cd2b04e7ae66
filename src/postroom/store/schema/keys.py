"""Tables of keys: those of the API, and which key seals the secrets. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, Text

from postroom.store.columns import Instant
from postroom.store.schema.base import table

api_key = table(
    "api_key",
    Column("id", Text, primary_key=True, comment="key_…"),
    Column("name", Text, nullable=False, comment="What people call it"),
    Column("digest", Text, nullable=False, unique=True, comment="SHA-256 of its token"),
    Column("created_at", Instant, nullable=False, comment="When it was made"),
    Column("last_used_at", Instant, comment="When it was used last"),
    Column("revoked_at", Instant, comment="Since when it is void"),
    comment="Keys of the API",
)

secret_key = table(
    "secret_key",
    Column("id", Text, primary_key=True, comment="Fingerprint of the key that secrets here are sealed with"),
    Column("created_at", Instant, nullable=False, comment="When it was used first"),
    comment="Which secret key this database belongs to",
)
