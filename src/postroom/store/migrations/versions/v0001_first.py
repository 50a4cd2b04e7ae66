"""The first tables, of Postroom 0.1.0."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from postroom.store.columns import Flag, Instant, Json, Number

revision = "0001"
down_revision = None


def upgrade() -> None:
    _mailboxes()
    _messages()
    _conversations()
    _outbox()
    _events()
    _keys()
    op.execute("INSERT INTO event_position (id, last) VALUES (1, 0)")
    _compress()


def _partial_index(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "delivery", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _compress() -> None:
    """lz4 writes mail four times as fast as pglz; a server may be built without it."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    known = connection.scalar(
        sa.text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
    )
    if known:
        op.execute("ALTER TABLE raw ALTER COLUMN body SET COMPRESSION lz4")
        op.execute("ALTER TABLE message ALTER COLUMN parsed SET COMPRESSION lz4")


def _mailboxes() -> None:
    op.create_table(
        "mailbox",
        sa.Column("id", sa.Text, nullable=False, comment="mbx_…"),
        sa.Column("address", sa.Text, nullable=False, comment="As the person wrote it"),
        sa.Column("address_key", sa.Text, nullable=False, comment="The address case-folded: connected only once"),
        sa.Column("name", sa.Text, nullable=False, comment="Display name of From"),
        sa.Column("provider", sa.Text, nullable=False, comment="Key of the provider table, or generic"),
        sa.Column("imap_host", sa.Text, nullable=False, comment="Where mail is read"),
        sa.Column("imap_port", Number, nullable=False, comment="TCP port"),
        sa.Column("imap_security", sa.Text, nullable=False, comment="tls, starttls or none"),
        sa.Column("imap_username", sa.Text, nullable=False, comment="What IMAP is signed in with"),
        sa.Column("smtp_host", sa.Text, nullable=False, comment="Where mail is handed over"),
        sa.Column("smtp_port", Number, nullable=False, comment="TCP port"),
        sa.Column("smtp_security", sa.Text, nullable=False, comment="tls, starttls or none"),
        sa.Column("smtp_username", sa.Text, nullable=False, comment="What SMTP is signed in with"),
        sa.Column("auth_kind", sa.Text, nullable=False, comment="How it signs in"),
        sa.Column("ca_certificate", sa.Text, nullable=True, comment="PEM trusted beside the system's"),
        sa.Column("hold_hours", Number, nullable=False, comment="Hours from acceptance until a delivery expires"),
        sa.Column("folders", Json, nullable=False, comment="Names of the folders that are read"),
        sa.Column("reference", sa.Text, nullable=True, comment="The builder's own name for it"),
        sa.Column("unconfirmed", sa.Text, nullable=False, comment="resend or ask"),
        sa.Column("created_at", Instant, nullable=False, comment="When it was connected first"),
        sa.Column("worker_id", sa.Text, nullable=True, comment="Who works for it: the lease; null for nobody"),
        sa.Column("epoch", Number, nullable=False, comment="Grows with each new owner: the fencing number"),
        sa.PrimaryKeyConstraint("id", name="mailbox_key"),
        sa.UniqueConstraint("address_key", name="mailbox_address_key"),
        comment="The addresses that the team has connected, and their leases",
        sqlite_strict=True,
    )
    op.create_index("mailbox_provider", "mailbox", ["provider"])
    op.create_index("mailbox_reference", "mailbox", ["reference"])
    op.create_index("mailbox_worker_id", "mailbox", ["worker_id"])
    op.create_table(
        "worker",
        sa.Column("id", sa.Text, nullable=False, comment="wrk_…, new with each start"),
        sa.Column("host", sa.Text, nullable=False, comment="The machine it runs on"),
        sa.Column("heartbeat_at", Instant, nullable=False, comment="Its last sign of life"),
        sa.Column("expires_at", Instant, nullable=False, comment="From then on its mailboxes are anyone's"),
        sa.PrimaryKeyConstraint("id", name="worker_key"),
        comment="The running processes",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credential",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="Kind and password, sealed by the vault"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="credential_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", name="credential_key"),
        comment="What a mailbox signs in with",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "health",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("direction", sa.Text, nullable=False, comment="imap or smtp"),
        sa.Column("state", sa.Text, nullable=False, comment="core.health.State"),
        sa.Column("since", Instant, nullable=False, comment="When this state began"),
        sa.Column("diagnosis", Json, nullable=True, comment="Why it is not connected"),
        sa.Column("code", sa.Text, nullable=True, comment="The diagnosis's full code"),
        sa.Column("code_at", Instant, nullable=True, comment="When it was diagnosed so last"),
        sa.Column("failures", Number, nullable=False, comment="Failures in a row"),
        sa.Column("next_probe_at", Instant, nullable=True, comment="When to try again; null for not by itself"),
        sa.Column("heard_at", Instant, nullable=True, comment="When the server last answered"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="health_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "direction", name="health_key"),
        comment="How each direction of a mailbox stands",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("health_code", "health", ["code", "code_at"])
    op.create_index("health_probe", "health", ["direction", "next_probe_at"])


def _messages() -> None:
    op.create_table(
        "folder",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("name", sa.Text, nullable=False, comment="As IMAP calls it, decoded"),
        sa.Column("uid_validity", Number, nullable=False, comment="UIDVALIDITY (RFC 9051 2.3.1.1)"),
        sa.Column("last_uid", Number, nullable=False, comment="Every UID up to it is in the ledger"),
        sa.Column("highest_modseq", Number, nullable=True, comment="HIGHESTMODSEQ (RFC 7162)"),
        sa.Column("synced_at", Instant, nullable=True, comment="When it was last read to its end"),
        sa.Column("total", Number, nullable=False, comment="Messages of the sync under way, else 0"),
        sa.Column("done", Number, nullable=False, comment="How many of them are read"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="folder_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "name", name="folder_key"),
        comment="Cursors: how far each folder has been read",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("folder", sa.Text, nullable=False, comment="The folder that showed it"),
        sa.Column("uid_validity", Number, nullable=False, comment="UIDVALIDITY under which it was shown"),
        sa.Column("uid", Number, nullable=False, comment="The UID"),
        sa.Column("outcome", sa.Text, nullable=False, comment="fetched, quarantined or skipped"),
        sa.Column(
            "message_id",
            sa.Text,
            nullable=True,
            comment="Our message, also where it came before under another UIDVALIDITY",
        ),
        sa.Column("size", Number, nullable=False, comment="Bytes"),
        sa.Column("reason", sa.Text, nullable=True, comment="Why it was skipped or quarantined"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="ledger_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "folder", "uid_validity", "uid", name="ledger_key"),
        comment="What became of every UID that a server showed us",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("id", sa.Text, nullable=False, comment="msg_…"),
        sa.Column("conversation_id", sa.Text, nullable=False, comment="Its conversation"),
        sa.Column("flow", sa.Text, nullable=False, comment="inbound or outbound"),
        sa.Column(
            "rfc_message_id",
            sa.Text,
            nullable=False,
            comment="Message-ID without brackets; long ones hashed; may be empty",
        ),
        sa.Column("folder", sa.Text, nullable=True, comment="Where it was found"),
        sa.Column(
            "uid_validity", Number, nullable=False, comment="Under which UIDVALIDITY; 0 for outbound and void ones"
        ),
        sa.Column("size", Number, nullable=False, comment="Bytes"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the raw bytes"),
        sa.Column("received_at", Instant, nullable=False, comment="When it arrived, or was accepted for sending"),
        sa.Column("quarantine", sa.Text, nullable=True, comment="Why it could not be read; null for a readable one"),
        sa.Column("parsed", Json, nullable=False, comment="What the raw bytes say"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="message_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "id", name="message_key"),
        comment="The messages that we keep",
        sqlite_strict=True,
    )
    op.create_index("message_conversation", "message", ["mailbox_id", "conversation_id", "received_at", "id"])
    op.create_index("message_rfc", "message", ["mailbox_id", "rfc_message_id", "digest"])
    op.create_table(
        "raw",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("message_id", sa.Text, nullable=False, comment="Its message"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="The bytes as they came or as we send them"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="raw_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "message_id", name="raw_key"),
        comment="Messages as they are on the wire",
        sqlite_strict=True,
    )


def _conversations() -> None:
    op.create_table(
        "conversation",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("id", sa.Text, nullable=False, comment="cnv_…"),
        sa.Column("subject", sa.Text, nullable=False, comment="Of its first message"),
        sa.Column("created_at", Instant, nullable=False, comment="Time of its first message"),
        sa.Column("updated_at", Instant, nullable=False, comment="Time of its newest message"),
        sa.Column("message_count", Number, nullable=False, comment="How many messages it has"),
        sa.Column("participants", Json, nullable=False, comment="Who wrote or was written to"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="conversation_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "id", name="conversation_key"),
        comment="The messages that belong together",
        sqlite_strict=True,
    )
    op.create_index("conversation_latest", "conversation", ["updated_at", "id"])
    op.create_index("conversation_of_mailbox", "conversation", ["mailbox_id", "updated_at", "id"])
    op.create_table(
        "conversation_reference",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("rfc_message_id", sa.Text, nullable=False, comment="A Message-ID seen in it or referred to from it"),
        sa.Column("conversation_id", sa.Text, nullable=False, comment="The conversation"),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["mailbox.id"], name="conversation_reference_mailbox", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mailbox_id", "rfc_message_id", name="conversation_reference_key"),
        comment="Which conversation a Message-ID belongs to, also before its message arrives",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _outbox() -> None:
    op.create_table(
        "attempt",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("delivery_id", sa.Text, nullable=False, comment="Its delivery"),
        sa.Column("number", Number, nullable=False, comment="From 1"),
        sa.Column("started_at", Instant, nullable=False, comment="When it began"),
        sa.Column("ended_at", Instant, nullable=False, comment="When its outcome was known"),
        sa.Column("outcome", sa.Text, nullable=False, comment="core.delivery.Signal"),
        sa.Column("stage", sa.Text, nullable=True, comment="Where it failed"),
        sa.Column("reply", sa.Text, nullable=True, comment="The server's words"),
        sa.Column("diagnosis", Json, nullable=True, comment="What they mean"),
        sa.Column("recipients", Json, nullable=False, comment="The recipients of this try and their replies"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="attempt_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "delivery_id", "number", name="attempt_key"),
        comment="Tries of deliveries, never changed once written",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("id", sa.Text, nullable=False, comment="dlv_…; sorts by acceptance"),
        sa.Column("message_id", sa.Text, nullable=False, comment="Our message"),
        sa.Column("rfc_message_id", sa.Text, nullable=False, comment="Its Message-ID, fixed"),
        sa.Column("conversation_id", sa.Text, nullable=False, comment="Its conversation"),
        sa.Column("state", sa.Text, nullable=False, comment="core.delivery.State"),
        sa.Column("sender", sa.Text, nullable=False, comment="Envelope sender"),
        sa.Column("recipients", Json, nullable=False, comment="Envelope recipients, each with its state"),
        sa.Column("size", Number, nullable=False, comment="Bytes"),
        sa.Column("attempts", Number, nullable=False, comment="Tries so far"),
        sa.Column("accepted_at", Instant, nullable=False, comment="When it was taken"),
        sa.Column("send_at", Instant, nullable=True, comment="Not before then, by the sender's wish"),
        sa.Column("next_attempt_at", Instant, nullable=False, comment="When it is due"),
        sa.Column("expires_at", Instant, nullable=False, comment="When waiting ends; never moves"),
        sa.Column("updated_at", Instant, nullable=False, comment="Its last change"),
        sa.Column("diagnosis", Json, nullable=True, comment="Why it waits or failed"),
        sa.Column("sent_copy", sa.Text, nullable=False, comment="Whether the Sent folder has it"),
        sa.Column("idempotency_key", sa.Text, nullable=True, comment="The client's key"),
        sa.Column("idempotency_digest", sa.Text, nullable=True, comment="Digest of the client's request"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="delivery_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "id", name="delivery_key"),
        comment="The outbox",
        sqlite_strict=True,
    )
    op.create_index("delivery_conversation", "delivery", ["mailbox_id", "conversation_id", "id"])
    _partial_index("delivery_copy", ["mailbox_id", "id"], "sent_copy IN ('due')")
    _partial_index(
        "delivery_expiring", ["expires_at", "mailbox_id"], "state IN ('deferred', 'held', 'queued', 'unconfirmed')"
    )
    _partial_index(
        "delivery_idempotency", ["mailbox_id", "idempotency_key"], "idempotency_key IS NOT NULL", unique=True
    )
    op.create_index("delivery_latest", "delivery", ["accepted_at", "id"])
    _partial_index(
        "delivery_open",
        ["mailbox_id", "state", "next_attempt_at", "id"],
        "state IN ('deferred', 'held', 'queued', 'sending', 'unconfirmed')",
    )
    op.create_index("delivery_state", "delivery", ["mailbox_id", "state", "id"])


def _events() -> None:
    op.create_table(
        "event_position",
        sa.Column("id", Number, autoincrement=False, nullable=False, comment="Always 1"),
        sa.Column("last", Number, nullable=False, comment="The position given out last; never goes back"),
        sa.PrimaryKeyConstraint("id", name="event_position_key"),
        comment="One row, locked by whoever writes events until the commit: positions grow in the order of commits",
        sqlite_strict=True,
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.Text, nullable=False, comment="whk_…"),
        sa.Column("url", sa.Text, nullable=False, comment="Where events are posted to"),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="Signing secret, sealed by the vault"),
        sa.Column("types", Json, nullable=False, comment="Event types it wants; empty for all"),
        sa.Column("created_at", Instant, nullable=False, comment="Since when"),
        sa.Column("enabled", Flag, nullable=False, comment="Whether events are posted"),
        sa.Column(
            "failing_since", Instant, nullable=True, comment="Since when its receiver fails; null where it does not"
        ),
        sa.Column("last_error", sa.Text, nullable=True, comment="What its receiver answered last when it failed"),
        sa.Column("position", Number, nullable=False, comment="Events up to it have their calls"),
        sa.PrimaryKeyConstraint("id", name="webhook_key"),
        comment="Receivers of events",
        sqlite_strict=True,
    )
    op.create_table(
        "event",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column(
            "position", Number, autoincrement=False, nullable=False, comment="Its place in the log of all events"
        ),
        sa.Column("id", sa.Text, nullable=False, comment="evt_…; webhook-id"),
        sa.Column("type", sa.Text, nullable=False, comment="core.events.EventType"),
        sa.Column("at", Instant, nullable=False, comment="When it happened"),
        sa.Column("data", Json, nullable=False, comment="What is announced"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="event_mailbox", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "position", name="event_key"),
        comment="Facts that we announce",
        sqlite_strict=True,
    )
    op.create_index("event_log", "event", ["position"])
    op.create_table(
        "webhook_call",
        sa.Column("mailbox_id", sa.Text, nullable=False, comment="Its mailbox"),
        sa.Column("position", Number, autoincrement=False, nullable=False, comment="Position of its event"),
        sa.Column("webhook_id", sa.Text, nullable=False, comment="Its webhook"),
        sa.Column("attempts", Number, nullable=False, comment="Tries so far"),
        sa.Column(
            "next_attempt_at", Instant, nullable=True, comment="When it is due, or its claim ends; null when given up"
        ),
        sa.Column("last_error", sa.Text, nullable=True, comment="Why the last try failed"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], name="webhook_call_mailbox", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="webhook_call_webhook", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "position", "webhook_id", name="webhook_call_key"),
        comment="Events on their way to webhooks; a call that was answered is removed",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("webhook_call_due", "webhook_call", ["webhook_id", "next_attempt_at", "position"])


def _keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text, nullable=False, comment="key_…"),
        sa.Column("name", sa.Text, nullable=False, comment="What people call it"),
        sa.Column("digest", sa.Text, nullable=False, comment="SHA-256 of its token"),
        sa.Column("created_at", Instant, nullable=False, comment="When it was made"),
        sa.Column("last_used_at", Instant, nullable=True, comment="When it was used last"),
        sa.Column("revoked_at", Instant, nullable=True, comment="Since when it is void"),
        sa.PrimaryKeyConstraint("id", name="api_key_key"),
        sa.UniqueConstraint("digest", name="api_key_digest"),
        comment="Keys of the API",
        sqlite_strict=True,
    )
    op.create_table(
        "secret_key",
        sa.Column("id", sa.Text, nullable=False, comment="Fingerprint of the key that secrets here are sealed with"),
        sa.Column("created_at", Instant, nullable=False, comment="When it was used first"),
        sa.PrimaryKeyConstraint("id", name="secret_key_key"),
        comment="Which secret key this database belongs to",
        sqlite_strict=True,
    )
