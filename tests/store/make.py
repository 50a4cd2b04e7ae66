"""Makes mailboxes, messages and deliveries for the store's tests. It stores nothing itself."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from postroom.core.cursor import Outcome
from postroom.core.delivery import Delivery, Recipient
from postroom.core.delivery import State as DeliveryState
from postroom.core.diagnosis.verdict import Action, Diagnosis
from postroom.core.health import Health
from postroom.core.health import State as HealthState
from postroom.core.identity import ENTROPY, Kind, identifier
from postroom.core.mailbox import AuthKind, Credential, Direction, Endpoint, Mailbox, Security
from postroom.core.message import Address, Attachment, Flow, Message, Parsed
from postroom.core.ports.store import Acceptance, Arrival, HealthChange, Lease, Store

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
KEY = bytes(range(32))
TTL = timedelta(seconds=30)


class World:
    """A clock that stands until it is moved, and identifiers that count."""

    def __init__(self, start: int = 0) -> None:
        self.at = NOON
        self._number = start

    def now(self) -> datetime:
        return self.at

    def jitter(self) -> float:
        return 0.5

    def identifier(self, kind: Kind, mailbox_id: str | None = None) -> str:
        self._number += 1
        entropy = hashlib.sha256(str(self._number).encode()).digest()[:ENTROPY]
        # A millisecond each, so that identifiers sort as they are made.
        return identifier(kind, self.at + timedelta(milliseconds=self._number), entropy, mailbox_id)

    def secret(self, size: int = 32) -> str:
        self._number += 1
        return f"{self._number:0{size}d}"


def diagnosis(code: str = "invalid_credentials", direction: Direction = Direction.SMTP) -> Diagnosis:
    return Diagnosis(
        direction=direction,
        code=code,
        message="The password was refused.",
        reason="It was changed.",
        steps=("Give the new one.",),
        action=Action.REAUTHENTICATE,
        matched="a rule",
        raw="535 5.7.8 no – wrong",
        retry_after=60,
    )


def mailbox(world: World, address: str = "help@example.org", **changes: object) -> Mailbox:
    made = Mailbox(
        id=world.identifier(Kind.MAILBOX),
        address=address,
        name="Hilfe & Rat",
        provider="generic",
        imap=Endpoint("imap.example.org", 993, Security.TLS, address),
        smtp=Endpoint("smtp.example.org", 587, Security.STARTTLS, address),
        auth_kind=AuthKind.PASSWORD,
        created_at=world.now(),
    )
    return replace(made, **changes)


def health(mailbox_id: str, direction: Direction, state: HealthState, **changes: object) -> Health:
    return replace(Health(mailbox_id, direction, state, NOON), **changes)


async def add_mailbox(
    store: Store,
    world: World,
    address: str = "help@example.org",
    *,
    sending: HealthState = HealthState.CONNECTED,
    receiving: HealthState = HealthState.CONNECTED,
    **changes: object,
) -> Mailbox:
    new = mailbox(world, address, **changes)
    states = {Direction.IMAP: receiving, Direction.SMTP: sending}
    await store.add_mailbox(
        new,
        Credential(password="correct horse"),
        [HealthChange(health(new.id, direction, state)) for direction, state in states.items()],
    )
    return new


async def own(store: Store, world: World, worker_id: str = "wrk_one") -> dict[str, Lease]:
    """Every free mailbox, by its identifier."""
    await store.heartbeat(worker_id, "host", world.now(), TTL)
    await store.claim(worker_id, world.now())
    return {lease.mailbox_id: lease for lease in await store.leases(worker_id)}


def parsed(message_id: str | None = "one@example.com", **changes: object) -> Parsed:
    made = Parsed(
        message_id=message_id,
        subject="Der Drucker – wieder",
        sender=Address("ann@example.com", "Ann Ä"),
        to=(Address("help@example.org"),),
        cc=(),
        bcc=(),
        reply_to=(),
        date=NOON - timedelta(minutes=1),
        in_reply_to=None,
        references=(),
        text="Er druckt nicht. 🖨",
        html="<p>Er druckt nicht.</p>",
        attachments=(Attachment(0, "bild.png", "image/png", 77, "cid1", True),),
        automatic=False,
        faults=("no date",),
    )
    return replace(made, **changes)


def arrival(world: World, mailbox_id: str, uid: int, content: Parsed | None = None, **changes: object) -> Arrival:
    content = content or parsed(f"{uid}@example.com")
    made = Arrival(
        uid=uid,
        outcome=Outcome.FETCHED,
        received_at=world.now(),
        message_id=world.identifier(Kind.MESSAGE, mailbox_id),
        conversation_id=world.identifier(Kind.CONVERSATION, mailbox_id),
        event_id=world.identifier(Kind.EVENT),
        raw=b"Message-ID: <%s>\r\n\r\nraw \xff\x00 bytes" % str(content.message_id).encode("utf-8", "replace"),
        parsed=content,
    )
    return replace(made, **changes)


def acceptance(
    world: World,
    mailbox_id: str,
    *,
    conversation_id: str | None = None,
    idempotency: tuple[str, str] | None = None,
    content: Parsed | None = None,
    **changes: object,
) -> Acceptance:
    message_id = world.identifier(Kind.MESSAGE, mailbox_id)
    rfc_message_id = f"{message_id}@example.org"
    conversation_id = conversation_id or world.identifier(Kind.CONVERSATION, mailbox_id)
    raw = b"Message-ID: <%s>\r\n\r\nHello" % rfc_message_id.encode()
    message = Message(
        id=message_id,
        mailbox_id=mailbox_id,
        conversation_id=conversation_id,
        flow=Flow.OUTBOUND,
        parsed=replace(content or parsed(), message_id=rfc_message_id, sender=Address("help@example.org")),
        size=len(raw),
        received_at=world.now(),
    )
    delivery = Delivery(
        id=world.identifier(Kind.DELIVERY, mailbox_id),
        mailbox_id=mailbox_id,
        message_id=message_id,
        rfc_message_id=rfc_message_id,
        conversation_id=conversation_id,
        state=DeliveryState.QUEUED,
        sender="help@example.org",
        recipients=(Recipient("ann@example.com"), Recipient("ben@example.com")),
        size=len(raw),
        accepted_at=world.now(),
        expires_at=world.now() + timedelta(hours=72),
        next_attempt_at=world.now(),
        updated_at=world.now(),
    )
    return Acceptance(message, raw, replace(delivery, **changes), idempotency)
