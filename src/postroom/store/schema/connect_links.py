"""The table of connect links. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Text

from postroom.store.columns import Instant, Number
from postroom.store.schema.base import table

connect_link = table(
    "connect_link",
    Column("id", Text, primary_key=True, comment="cnl_…"),
    Column("secret", LargeBinary, nullable=False, comment="What signs its address, sealed by the vault"),
    Column("address", Text, nullable=False, comment="The mailbox's address, or one that is suggested; may be empty"),
    Column(
        "mailbox_id",
        Text,
        ForeignKey("mailbox.id", ondelete="CASCADE"),
        index=True,
        comment="The mailbox that is signed in to again; null for a new one",
    ),
    Column(
        "connected_id",
        Text,
        ForeignKey("mailbox.id", name="connect_link_connected", ondelete="CASCADE"),
        index=True,
        comment="The mailbox that came of it",
    ),
    Column("client_id", Text, comment="The OAuth client to sign in with, oac_…; null: the provider's"),
    Column("reference", Text, comment="The builder's own identifier for the mailbox"),
    Column("name", Text, nullable=False, comment="How people see the sender of a new mailbox; may be empty"),
    Column("brand", Text, nullable=False, comment="The builder's name on the page; may be empty"),
    Column("return_url", Text, nullable=False, comment="Where the person goes afterwards; may be empty"),
    Column("return_state", Text, nullable=False, comment="What the builder wants to have back there; may be empty"),
    Column("failures", Number, nullable=False, comment="Sum of the tries in vain since the last pause"),
    Column("created_at", Instant, nullable=False, comment="When it was made"),
    Column("expires_at", Instant, nullable=False, comment="When it is too late"),
    Column("used_at", Instant, comment="When it connected a mailbox"),
    Column("revoked_at", Instant, comment="Since when it is void"),
    Column("busy_until", Instant, comment="Until when one try has it to itself"),
    Column("waits_until", Instant, comment="Until when no try is taken, after too many in vain"),
    Index("connect_link_expiry", "expires_at"),
    comment="Links by which people without an account connect a mailbox",
)
