"""Tables of mailboxes: addresses, credentials, health, workers. It holds no queries."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Text

from postroom.store.columns import Flag, Instant, Json, Number
from postroom.store.schema.base import of_mailbox, table

mailbox = table(
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
    Column("reply_to", Text, comment="Where answers go to, unless a message says otherwise"),
    Column("signature_text", Text, comment="Below each message"),
    Column("signature_html", Text, comment="The same as HTML"),
    Column(
        "aliases",
        Json,
        nullable=False,
        server_default="[]",
        comment="Other addresses it may send as, and refusals",
    ),
    Column("sync_days", Number, comment="How old mail may be that the first reading brings, in days; null for all"),
    Column(
        "read_sent",
        Flag,
        nullable=False,
        server_default="1",
        comment="Whether replies sent from elsewhere are read from its Sent folder",
    ),
    Column("created_at", Instant, nullable=False, comment="When it was connected first"),
    Column("worker_id", Text, index=True, comment="Who works for it: the lease; null for nobody"),
    Column("epoch", Number, nullable=False, comment="Grows with each new owner: the fencing number"),
    comment="The addresses that the team has connected, and their leases",
)

credential = table(
    "credential",
    of_mailbox(),
    Column("secret", LargeBinary, nullable=False, comment="Password or tokens, sealed by the vault"),
    Column(
        "version", Number, nullable=False, server_default="0", comment="Grows with each write: a renewal compares it"
    ),
    Column("client_id", Text, index=True, comment="The OAuth client it belongs to, oac_…; null for a password"),
    Column("ends_at", Instant, comment="When the sign-in is known to end unless it is used or renewed"),
    Column("told_at", Instant, comment="When that end was told; null where it was not"),
    Column("renewed_by", Text, comment="Who renews its token just now"),
    Column("renewed_until", Instant, comment="When that right ends, should its holder have died"),
    comment="What a mailbox signs in with",
    rowid=False,
)

allowance = table(
    "allowance",
    of_mailbox(),
    Column("told_size", Number, comment="SIZE of EHLO, bytes of a message; null where not told"),
    Column("told_recipients", Number, comment="RCPTMAX of EHLO, recipients of a message"),
    Column("told_messages", Number, comment="MAILMAX of EHLO, messages of a session"),
    Column("connections", Number, comment="SMTP connections at once, by a person; null: as the provider grants"),
    Column("messages_a_minute", Number, comment="By a person; null: as the provider grants"),
    Column("messages_a_day", Number, comment="By a person, of any 24 hours; null: as the provider grants"),
    Column("recipients_a_day", Number, comment="By a person, of any 24 hours; null: as the provider grants"),
    comment="What a mailbox may send: as its server said, as a person set",
    rowid=False,
)

health = table(
    "health",
    of_mailbox(),
    Column("direction", Text, primary_key=True, comment="imap or smtp"),
    Column("state", Text, nullable=False, comment="core.health.State"),
    Column("since", Instant, nullable=False, comment="When this state began"),
    Column("diagnosis", Json, comment="Why it is not connected"),
    Column("code", Text, comment="The diagnosis's full code"),
    Column("code_at", Instant, comment="When it was diagnosed so last"),
    Column("failures", Number, nullable=False, comment="Failures in a row"),
    Column("next_probe_at", Instant, comment="When to try again; null for not by itself"),
    Column("heard_at", Instant, comment="When the server last answered"),
    Column(
        "delay_told",
        Number,
        nullable=False,
        server_default="0",
        comment="Hours of waiting that people were told of since sending stopped",
    ),
    Column("troubles", Json, comment="When people were told of a trouble lately"),
    Column("quiet_until", Instant, comment="It comes and goes: until when no change is told; null where it does not"),
    Index("health_probe", "direction", "next_probe_at"),
    Index("health_code", "code", "code_at"),
    comment="How each direction of a mailbox stands",
    rowid=False,
)

worker = table(
    "worker",
    Column("id", Text, primary_key=True, comment="wrk_…, new with each start"),
    Column("host", Text, nullable=False, comment="The machine it runs on"),
    Column("heartbeat_at", Instant, nullable=False, comment="Its last sign of life"),
    Column("expires_at", Instant, nullable=False, comment="From then on its mailboxes are anyone's"),
    comment="The running processes",
    rowid=False,
)
