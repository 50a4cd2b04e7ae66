"""Tables of what goes out: deliveries, their attempts and their story. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, Index, Text

from postroom.core.delivery import OPEN, WAITING, SentCopy, sources
from postroom.core.delivery import Signal as DeliverySignal
from postroom.store.columns import Instant, Json, Number
from postroom.store.schema.base import among, of_mailbox, table

EXPIRING = sources(DeliverySignal.EXPIRED)

delivery = table(
    "delivery",
    of_mailbox(),
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
    Column("author", Text, comment="Who handed it in"),
    Column("resend_of", Text, comment="The delivery whose message it sends anew"),
    Column("warn_at", Instant, comment="When people are told next that it waits"),
    Column("bounces", Json, comment="Recipients at whom it failed after it was taken; written by reports alone"),
    Index("delivery_latest", "accepted_at", "id"),
    Index("delivery_state", "mailbox_id", "state", "id"),
    Index("delivery_message", "message_id"),
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

Index(
    "delivery_waiting",
    delivery.c.warn_at,
    delivery.c.mailbox_id,
    sqlite_where=among(delivery.c.state, WAITING),
    postgresql_where=among(delivery.c.state, WAITING),
)
Index(
    "delivery_bounced",
    delivery.c.mailbox_id,
    delivery.c.id,
    sqlite_where=delivery.c.bounces.is_not(None),
    postgresql_where=delivery.c.bounces.is_not(None),
)

transition = table(
    "transition",
    of_mailbox(),
    Column("delivery_id", Text, primary_key=True, comment="Its delivery"),
    Column("number", Number, primary_key=True, comment="From 1"),
    Column("at", Instant, nullable=False, comment="When it happened"),
    Column("state", Text, nullable=False, comment="The state from then on"),
    Column("cause", Text, nullable=False, comment="Name of a core.delivery.Signal or Report"),
    Column("by", Text, comment="The person who did it; null for Postroom"),
    Column("attempt", Number, comment="The try that led to it"),
    Column("because", Text, comment="Code of the diagnosis, or a word such as paused"),
    Column("note", Text, comment="What a server said"),
    comment="The story of each delivery, never changed once written",
    rowid=False,
)

attempt = table(
    "attempt",
    of_mailbox(),
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

spent = table(
    "spent",
    of_mailbox(),
    Column("at", Instant, primary_key=True, autoincrement=False, comment="When these ten minutes began"),
    Column("messages", Number, nullable=False, comment="Messages that the server took in them"),
    Column("recipients", Number, nullable=False, comment="Recipients whom it accepted in them"),
    comment="What mailboxes with a budget of a day have sent of it",
    rowid=False,
)
