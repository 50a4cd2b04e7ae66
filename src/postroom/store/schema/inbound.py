"""Tables of what arrives: cursors, the ledger, messages, conversations. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Text, text

from postroom.store.columns import Flag, Instant, Json, Number
from postroom.store.schema.base import of_mailbox, table

folder = table(
    "folder",
    of_mailbox(),
    Column("name", Text, primary_key=True, comment="As IMAP calls it, decoded"),
    Column("uid_validity", Number, nullable=False, comment="UIDVALIDITY (RFC 9051 2.3.1.1)"),
    Column("last_uid", Number, nullable=False, comment="Every UID up to it is in the ledger"),
    Column("highest_modseq", Number, comment="HIGHESTMODSEQ (RFC 7162)"),
    Column("synced_at", Instant, comment="When it was last read to its end"),
    Column("total", Number, nullable=False, comment="Messages of the sync under way, else 0"),
    Column("done", Number, nullable=False, comment="How many of them are read"),
    Column("per_minute", Number, nullable=False, server_default="0", comment="How fast it goes: messages a minute"),
    Column("gaps", Json, nullable=False, server_default="[]", comment="[first, last, order] of UIDs still to be read"),
    Column("began_at", Instant, comment="When it was read first"),
    Column("since", Instant, comment="What the server had before then, when it was read first, is skipped"),
    Column("reconciled_at", Instant, comment="When the ledger was last compared with the server"),
    Column("server_count", Number, nullable=False, server_default="0", comment="Messages the server had then"),
    Column("ledger_count", Number, nullable=False, server_default="0", comment="Those of them that the ledger has"),
    Column("healed", Number, nullable=False, server_default="0", comment="Messages that comparisons found missing"),
    Column("spent_since", Instant, comment="When the day began whose bytes are counted"),
    Column("spent_bytes", Number, nullable=False, server_default="0", comment="Bytes fetched in that day"),
    Column("flow", Text, nullable=False, server_default="inbound", comment="outbound for a Sent folder, else inbound"),
    comment="Cursors: how far each folder has been read",
    rowid=False,
)

ledger = table(
    "ledger",
    of_mailbox(),
    Column("folder", Text, primary_key=True, comment="The folder that showed it"),
    Column("uid_validity", Number, primary_key=True, comment="UIDVALIDITY under which it was shown"),
    Column("uid", Number, primary_key=True, comment="The UID"),
    Column("outcome", Text, nullable=False, comment="fetched, quarantined or skipped"),
    Column("message_id", Text, comment="Our message, also where it came before under another UIDVALIDITY"),
    Column("size", Number, nullable=False, comment="Bytes"),
    Column("reason", Text, comment="Why it was skipped or quarantined"),
    Index(
        "ledger_outcome",
        "mailbox_id",
        "folder",
        "uid_validity",
        "outcome",
        "uid",
        postgresql_where=text("outcome <> 'fetched'"),
        sqlite_where=text("outcome <> 'fetched'"),
    ),
    comment="What became of every UID that a server showed us",
    rowid=False,
)

ledger_range = table(
    "ledger_range",
    of_mailbox(),
    Column("folder", Text, primary_key=True, comment="The folder that showed them"),
    Column("uid_validity", Number, primary_key=True, comment="UIDVALIDITY under which they were shown"),
    Column("first_uid", Number, primary_key=True, comment="The lowest UID"),
    Column("last_uid", Number, nullable=False, comment="The highest UID"),
    Column("outcome", Text, nullable=False, comment="skipped or gone"),
    Column("reason", Text, nullable=False, comment="Why they were not read"),
    Column("messages", Number, nullable=False, comment="How many of these UIDs the server had"),
    Column("noted_at", Instant, comment="When; null for rows of earlier releases"),
    Index(
        "ledger_range_gone",
        "noted_at",
        postgresql_where=text("outcome = 'gone'"),
        sqlite_where=text("outcome = 'gone'"),
    ),
    comment="Runs of UIDs that were passed over for one reason; a UID with a row in the ledger is not meant",
    rowid=False,
)

message = table(
    "message",
    of_mailbox(),
    Column("id", Text, primary_key=True, comment="msg_…"),
    Column("conversation_id", Text, nullable=False, comment="Its conversation"),
    Column("flow", Text, nullable=False, comment="inbound or outbound"),
    Column(
        "rfc_message_id", Text, nullable=False, comment="Message-ID without brackets; long ones hashed; may be empty"
    ),
    Column("folder", Text, comment="Where it was found"),
    Column("uid_validity", Number, nullable=False, comment="Under which UIDVALIDITY; 0 for outbound and void ones"),
    Column("size", Number, nullable=False, comment="Bytes"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the raw bytes"),
    Column("received_at", Instant, nullable=False, comment="When it arrived, or was accepted for sending"),
    Column("quarantine", Text, comment="Why it could not be read; null for a readable one"),
    Column("parsed", Json, nullable=False, comment="What the raw bytes say"),
    Column("automatic", Flag, nullable=False, server_default="0", comment="Whether a program wrote it (RFC 3834)"),
    Column("thread", Text, comment="The provider's own name for its conversation"),
    Index("message_rfc", "mailbox_id", "rfc_message_id", "digest"),
    Index("message_conversation", "mailbox_id", "conversation_id", "received_at", "id"),
    comment="The messages that we keep",
)
Index(
    "message_thread",
    message.c.mailbox_id,
    message.c.thread,
    sqlite_where=message.c.thread.is_not(None),
    postgresql_where=message.c.thread.is_not(None),
)

raw = table(
    "raw",
    of_mailbox(),
    Column("message_id", Text, primary_key=True, comment="Its message"),
    Column("body", LargeBinary, nullable=False, comment="The bytes as they came or as we send them"),
    comment="Messages as they are on the wire",
)

conversation = table(
    "conversation",
    of_mailbox(),
    Column("id", Text, primary_key=True, comment="cnv_…"),
    Column("subject", Text, nullable=False, comment="Of its first message"),
    Column("created_at", Instant, nullable=False, comment="Time of its first message"),
    Column("updated_at", Instant, nullable=False, comment="Time of its newest message"),
    Column("message_count", Number, nullable=False, comment="How many messages it has"),
    Column("participants", Json, nullable=False, comment="Who wrote or was written to"),
    Column("topic", Text, comment="Its subject without Re: and the like; null where that is too short to tell one"),
    Column("merged_into", Text, comment="The conversation that has its messages since a person merged the two"),
    Column("looped_at", Instant, comment="When automatic mail in it was stopped"),
    Index("conversation_latest", "updated_at", "id"),
    Index("conversation_of_mailbox", "mailbox_id", "updated_at", "id"),
    comment="The messages that belong together",
)
Index(
    "conversation_topic",
    conversation.c.mailbox_id,
    conversation.c.topic,
    conversation.c.updated_at,
    sqlite_where=conversation.c.topic.is_not(None),
    postgresql_where=conversation.c.topic.is_not(None),
)

conversation_reference = table(
    "conversation_reference",
    of_mailbox(),
    Column("rfc_message_id", Text, primary_key=True, comment="A Message-ID seen in it or referred to from it"),
    Column("conversation_id", Text, nullable=False, comment="The conversation"),
    comment="Which conversation a Message-ID belongs to, also before its message arrives",
    rowid=False,
)
