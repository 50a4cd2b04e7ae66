"""The tables, every column with its meaning. It holds no queries, and migrations bring a database to it.

The key of every table that grows with mail begins with its mailbox, so that PostgreSQL can partition it. Every row of a
mailbox goes with the mailbox (ON DELETE CASCADE), and none can be written for one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
)

from postroom.core.delivery import OPEN, SentCopy, sources
from postroom.core.delivery import Signal as DeliverySignal
from postroom.store.columns import Flag, Instant, Json, Number

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s",
        "pk": "%(table_name)s_key",
        "fk": "%(table_name)s_%(referred_table_name)s",
    }
)


def _table(name: str, *parts: Column[Any] | Index, comment: str, rowid: bool = True) -> Table:
    # Without rowid (SQLite) the key is the table: for small rows that are found by their key alone.
    return Table(name, metadata, *parts, comment=comment, sqlite_strict=True, sqlite_with_rowid=rowid)


def _of_mailbox() -> Column[Any]:
    return Column(
        "mailbox_id", Text, ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True, comment="Its mailbox"
    )


def among(column: ColumnElement[Any], states: Iterable[str]) -> ColumnElement[bool]:
    """`column IN (…)` written out, not bound: only so do both databases see that a partial index serves the query."""
    return column.in_(bindparam(None, sorted(str(one) for one in states), expanding=True, literal_execute=True))


EXPIRING = sources(DeliverySignal.EXPIRED)

mailbox = _table(
    "mailbox",
    Column("id", Text, primary_key=True, comment="mbx_…"),
    Column("address", Text, nullable=False, comment="As the person wrote it"),
    Column("address_key", Text, nullable=False, unique=True, comment="The address case-folded: connected only once"),
    Column("name", Text, nullable=False, comment="Display name of From"),
    Column("provider", Text, nullable=False, index=True, comment="Key of the provider table, or generic"),
    Column("imap_host", Text, nullable=False, comment="Where mail is read"),
    Column("imap_port", Number, nullable=False, comment="TCP port"),
    Column("imap_security", Text, nullable=False, comment="tls, starttls or none"),
    Column("imap_username", Text, nullable=False, comment="What IMAP is signed in with"),
    Column("smtp_host", Text, nullable=False, comment="Where mail is handed over"),
    Column("smtp_port", Number, nullable=False, comment="TCP port"),
    Column("smtp_security", Text, nullable=False, comment="tls, starttls or none"),
    Column("smtp_username", Text, nullable=False, comment="What SMTP is signed in with"),
    Column("auth_kind", Text, nullable=False, comment="How it signs in"),
    Column("ca_certificate", Text, comment="PEM trusted beside the system's"),
    Column("hold_hours", Number, nullable=False, comment="Hours from acceptance until a delivery expires"),
    Column("folders", Json, nullable=False, comment="Names of the folders that are read"),
    Column("reference", Text, index=True, comment="The builder's own name for it"),
    Column("unconfirmed", Text, nullable=False, comment="resend or ask"),
    Column("created_at", Instant, nullable=False, comment="When it was connected first"),
    Column("worker_id", Text, index=True, comment="Who works for it: the lease; null for nobody"),
    Column("epoch", Number, nullable=False, comment="Grows with each new owner: the fencing number"),
    comment="The addresses that the team has connected, and their leases",
)

credential = _table(
    "credential",
    _of_mailbox(),
    Column("secret", LargeBinary, nullable=False, comment="Kind and password, sealed by the vault"),
    comment="What a mailbox signs in with",
    rowid=False,
)

health = _table(
    "health",
    _of_mailbox(),
    Column("direction", Text, primary_key=True, comment="imap or smtp"),
    Column("state", Text, nullable=False, comment="core.health.State"),
    Column("since", Instant, nullable=False, comment="When this state began"),
    Column("diagnosis", Json, comment="Why it is not connected"),
    Column("code", Text, comment="The diagnosis's full code"),
    Column("code_at", Instant, comment="When it was diagnosed so last"),
    Column("failures", Number, nullable=False, comment="Failures in a row"),
    Column("next_probe_at", Instant, comment="When to try again; null for not by itself"),
    Column("heard_at", Instant, comment="When the server last answered"),
    Index("health_probe", "direction", "next_probe_at"),
    Index("health_code", "code", "code_at"),
    comment="How each direction of a mailbox stands",
    rowid=False,
)

worker = _table(
    "worker",
    Column("id", Text, primary_key=True, comment="wrk_…, new with each start"),
    Column("host", Text, nullable=False, comment="The machine it runs on"),
    Column("heartbeat_at", Instant, nullable=False, comment="Its last sign of life"),
    Column("expires_at", Instant, nullable=False, comment="From then on its mailboxes are anyone's"),
    comment="The running processes",
    rowid=False,
)

folder = _table(
    "folder",
    _of_mailbox(),
    Column("name", Text, primary_key=True, comment="As IMAP calls it, decoded"),
    Column("uid_validity", Number, nullable=False, comment="UIDVALIDITY (RFC 9051 2.3.1.1)"),
    Column("last_uid", Number, nullable=False, comment="Every UID up to it is in the ledger"),
    Column("highest_modseq", Number, comment="HIGHESTMODSEQ (RFC 7162)"),
    Column("synced_at", Instant, comment="When it was last read to its end"),
    Column("total", Number, nullable=False, comment="Messages of the sync under way, else 0"),
    Column("done", Number, nullable=False, comment="How many of them are read"),
    comment="Cursors: how far each folder has been read",
    rowid=False,
)

ledger = _table(
    "ledger",
    _of_mailbox(),
    Column("folder", Text, primary_key=True, comment="The folder that showed it"),
    Column("uid_validity", Number, primary_key=True, comment="UIDVALIDITY under which it was shown"),
    Column("uid", Number, primary_key=True, comment="The UID"),
    Column("outcome", Text, nullable=False, comment="fetched, quarantined or skipped"),
    Column("message_id", Text, comment="Our message, also where it came before under another UIDVALIDITY"),
    Column("size", Number, nullable=False, comment="Bytes"),
    Column("reason", Text, comment="Why it was skipped or quarantined"),
    comment="What became of every UID that a server showed us",
    rowid=False,
)

message = _table(
    "message",
    _of_mailbox(),
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
    Index("message_rfc", "mailbox_id", "rfc_message_id", "digest"),
    Index("message_conversation", "mailbox_id", "conversation_id", "received_at", "id"),
    comment="The messages that we keep",
)

raw = _table(
    "raw",
    _of_mailbox(),
    Column("message_id", Text, primary_key=True, comment="Its message"),
    Column("body", LargeBinary, nullable=False, comment="The bytes as they came or as we send them"),
    comment="Messages as they are on the wire",
)

conversation = _table(
    "conversation",
    _of_mailbox(),
    Column("id", Text, primary_key=True, comment="cnv_…"),
    Column("subject", Text, nullable=False, comment="Of its first message"),
    Column("created_at", Instant, nullable=False, comment="Time of its first message"),
    Column("updated_at", Instant, nullable=False, comment="Time of its newest message"),
    Column("message_count", Number, nullable=False, comment="How many messages it has"),
    Column("participants", Json, nullable=False, comment="Who wrote or was written to"),
    Index("conversation_latest", "updated_at", "id"),
    Index("conversation_of_mailbox", "mailbox_id", "updated_at", "id"),
    comment="The messages that belong together",
)

conversation_reference = _table(
    "conversation_reference",
    _of_mailbox(),
    Column("rfc_message_id", Text, primary_key=True, comment="A Message-ID seen in it or referred to from it"),
    Column("conversation_id", Text, nullable=False, comment="The conversation"),
    comment="Which conversation a Message-ID belongs to, also before its message arrives",
    rowid=False,
)

delivery = _table(
    "delivery",
    _of_mailbox(),
    Column("id", Text, primary_key=True, comment="dlv_…; sorts by acceptance"),
    Column("message_id", Text, nullable=False, comment="Our message"),
    Column("rfc_message_id", Text, nullable=False, comment="Its Message-ID, fixed"),
    Column("conversation_id", Text, nullable=False, comment="Its conversation"),
    Column("state", Text, nullable=False, comment="core.delivery.State"),
    Column("sender", Text, nullable=False, comment="Envelope sender"),
    Column("recipients", Json, nullable=False, comment="Envelope recipients, each with its state"),
    Column("size", Number, nullable=False, comment="Bytes"),
    Column("attempts", Number, nullable=False, comment="Tries so far"),
    Column("accepted_at", Instant, nullable=False, comment="When it was taken"),
    Column("send_at", Instant, comment="Not before then, by the sender's wish"),
    Column("next_attempt_at", Instant, nullable=False, comment="When it is due"),
    Column("expires_at", Instant, nullable=False, comment="When waiting ends; never moves"),
    Column("updated_at", Instant, nullable=False, comment="Its last change"),
    Column("diagnosis", Json, comment="Why it waits or failed"),
    Column("sent_copy", Text, nullable=False, comment="Whether the Sent folder has it"),
    Column("idempotency_key", Text, comment="The client's key"),
    Column("idempotency_digest", Text, comment="Digest of the client's request"),
    Index("delivery_latest", "accepted_at", "id"),
    Index("delivery_state", "mailbox_id", "state", "id"),
    Index("delivery_conversation", "mailbox_id", "conversation_id", "id"),
    comment="The outbox",
)
Index(
    "delivery_open",
    delivery.c.mailbox_id,
    delivery.c.state,
    delivery.c.next_attempt_at,
    delivery.c.id,
    sqlite_where=among(delivery.c.state, OPEN),
    postgresql_where=among(delivery.c.state, OPEN),
)
Index(
    "delivery_expiring",
    delivery.c.expires_at,
    delivery.c.mailbox_id,
    sqlite_where=among(delivery.c.state, EXPIRING),
    postgresql_where=among(delivery.c.state, EXPIRING),
)
Index(
    "delivery_copy",
    delivery.c.mailbox_id,
    delivery.c.id,
    sqlite_where=among(delivery.c.sent_copy, [SentCopy.DUE]),
    postgresql_where=among(delivery.c.sent_copy, [SentCopy.DUE]),
)
Index(
    "delivery_idempotency",
    delivery.c.mailbox_id,
    delivery.c.idempotency_key,
    unique=True,
    sqlite_where=delivery.c.idempotency_key.is_not(None),
    postgresql_where=delivery.c.idempotency_key.is_not(None),
)

attempt = _table(
    "attempt",
    _of_mailbox(),
    Column("delivery_id", Text, primary_key=True, comment="Its delivery"),
    Column("number", Number, primary_key=True, comment="From 1"),
    Column("started_at", Instant, nullable=False, comment="When it began"),
    Column("ended_at", Instant, nullable=False, comment="When its outcome was known"),
    Column("outcome", Text, nullable=False, comment="core.delivery.Signal"),
    Column("stage", Text, comment="Where it failed"),
    Column("reply", Text, comment="The server's words"),
    Column("diagnosis", Json, comment="What they mean"),
    Column("recipients", Json, nullable=False, comment="The recipients of this try and their replies"),
    comment="Tries of deliveries, never changed once written",
    rowid=False,
)

event_position = _table(
    "event_position",
    Column("id", Number, primary_key=True, autoincrement=False, comment="Always 1"),
    Column("last", Number, nullable=False, comment="The position given out last; never goes back"),
    comment="One row, locked by whoever writes events until the commit: positions grow in the order of commits",
)

event = _table(
    "event",
    _of_mailbox(),
    Column("position", Number, primary_key=True, autoincrement=False, comment="Its place in the log of all events"),
    Column("id", Text, nullable=False, comment="evt_…; webhook-id"),
    Column("type", Text, nullable=False, comment="core.events.EventType"),
    Column("at", Instant, nullable=False, comment="When it happened"),
    Column("data", Json, nullable=False, comment="What is announced"),
    Index("event_log", "position"),
    comment="Facts that we announce",
)

webhook = _table(
    "webhook",
    Column("id", Text, primary_key=True, comment="whk_…"),
    Column("url", Text, nullable=False, comment="Where events are posted to"),
    Column("secret", LargeBinary, nullable=False, comment="Signing secret, sealed by the vault"),
    Column("types", Json, nullable=False, comment="Event types it wants; empty for all"),
    Column("created_at", Instant, nullable=False, comment="Since when"),
    Column("enabled", Flag, nullable=False, comment="Whether events are posted"),
    Column("failing_since", Instant, comment="Since when its receiver fails; null where it does not"),
    Column("last_error", Text, comment="What its receiver answered last when it failed"),
    Column("position", Number, nullable=False, comment="Events up to it have their calls"),
    comment="Receivers of events",
)

webhook_call = _table(
    "webhook_call",
    _of_mailbox(),
    Column("position", Number, primary_key=True, autoincrement=False, comment="Position of its event"),
    Column(
        "webhook_id",
        Text,
        ForeignKey("webhook.id", ondelete="CASCADE"),
        primary_key=True,
        comment="Its webhook",
    ),
    Column("attempts", Number, nullable=False, comment="Tries so far"),
    Column("next_attempt_at", Instant, comment="When it is due, or its claim ends; null when given up"),
    Column("last_error", Text, comment="Why the last try failed"),
    Index("webhook_call_due", "webhook_id", "next_attempt_at", "position"),
    comment="Events on their way to webhooks; a call that was answered is removed",
    rowid=False,
)

api_key = _table(
    "api_key",
    Column("id", Text, primary_key=True, comment="key_…"),
    Column("name", Text, nullable=False, comment="What people call it"),
    Column("digest", Text, nullable=False, unique=True, comment="SHA-256 of its token"),
    Column("created_at", Instant, nullable=False, comment="When it was made"),
    Column("last_used_at", Instant, comment="When it was used last"),
    Column("revoked_at", Instant, comment="Since when it is void"),
    comment="Keys of the API",
)

secret_key = _table(
    "secret_key",
    Column("id", Text, primary_key=True, comment="Fingerprint of the key that secrets here are sealed with"),
    Column("created_at", Instant, nullable=False, comment="When it was used first"),
    comment="Which secret key this database belongs to",
)
