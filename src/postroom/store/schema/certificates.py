"""The table of servers' certificates. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, Index, Text

from postroom.store.columns import Instant, Number
from postroom.store.schema.base import of_mailbox, table

certificate = table(
    "certificate",
    of_mailbox(),
    Column("direction", Text, primary_key=True, comment="imap or smtp"),
    Column("fingerprint", Text, nullable=False, comment="SHA-256 of the certificate"),
    Column("issuer", Text, nullable=False, comment="Name of the authority; may be empty"),
    Column("subject", Text, nullable=False, comment="The first name that it is for; may be empty"),
    Column("not_after", Instant, nullable=False, comment="Its end"),
    Column("seen_at", Instant, nullable=False, comment="When it was seen first"),
    Column("told", Number, comment="How many days before its end that was told last"),
    Index("certificate_end", "not_after"),
    comment="What mail servers that teams run themselves showed at sign-in",
    rowid=False,
)
