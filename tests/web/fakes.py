"""A store, flows and a clock in memory, for tests of the web room alone. They keep what they are given; no more."""

import asyncio
import base64
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from postroom.core import delivery as outgoing
from postroom.core import health
from postroom.core.candidates import Candidate
from postroom.core.compose import BadDraft
from postroom.core.cursor import Cursor
from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.events import Event, EventType, Recorded
from postroom.core.identity import ENTROPY, Kind, identifier
from postroom.core.mailbox import AuthKind, Credential, Direction, Endpoint, Mailbox, Security
from postroom.core.message import Address, Attachment, Conversation, Flow, Message, Parsed
from postroom.core.ports.store import (
    Accepted,
    AddressTaken,
    ApiKey,
    Counts,
    IdempotencyConflict,
    MailboxView,
    Page,
    StoreUnavailable,
)
from postroom.core.ports.wire import Step
from postroom.flows.accept import NoSuchConversation, NoSuchDelivery
from postroom.flows.connect import NoSuchMailbox, NotConnected, Probe, Report

BEGIN = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
WRONG_PASSWORD = "wrong"
"""What the fake provider refuses."""


class World:
    def __init__(self):
        self.time = BEGIN
        self._count = itertools.count(1)

    def now(self):
        return self.time

    def jitter(self):
        return 0.5

    def identifier(self, kind, mailbox_id=None):
        return identifier(kind, self.time, next(self._count).to_bytes(ENTROPY, "little"), mailbox_id)

    def secret(self, size=32):
        return (
            base64.urlsafe_b64encode(bytes([251]) * (size - 1) + bytes([next(self._count) % 256])).decode().rstrip("=")
        )

    def advance(self, **by):
        self.time += timedelta(**by)


@dataclass
class Store:
    """Rows in dictionaries. With `broken` set, every method raises StoreUnavailable."""

    keys_by_digest: dict = field(default_factory=dict)
    views: dict = field(default_factory=dict)
    conversations_by_id: dict = field(default_factory=dict)
    messages_by_id: dict = field(default_factory=dict)
    raws: dict = field(default_factory=dict)
    deliveries_by_id: dict = field(default_factory=dict)
    attempts_by_id: dict = field(default_factory=dict)
    webhooks_by_id: dict = field(default_factory=dict)
    log: list = field(default_factory=list)
    asked: Counter = field(default_factory=Counter)
    broken: str | None = None

    def _serve(self, name):
        self.asked[name] += 1
        if self.broken:
            raise StoreUnavailable(self.broken)

    async def ping(self):
        self._serve("ping")

    async def counts(self):
        self._serve("counts")
        directions = Counter()
        for view in self.views.values():
            directions[Direction.IMAP, view.receiving.state] += 1
            directions[Direction.SMTP, view.sending.state] += 1
        return Counts(Counter(one.state for one in self.deliveries_by_id.values()), directions)

    async def key(self, digest):
        self._serve("key")
        key = self.keys_by_digest.get(digest)
        return None if key is None or key.revoked_at else key

    async def key_used(self, key_id, at):
        self._serve("key_used")
        for digest, key in self.keys_by_digest.items():
            if key.id == key_id:
                self.keys_by_digest[digest] = replace(key, last_used_at=at)

    async def mailbox(self, mailbox_id):
        self._serve("mailbox")
        return self.views.get(mailbox_id)

    async def mailbox_by_address(self, address):
        self._serve("mailbox_by_address")
        return next((view for view in self.views.values() if view.mailbox.address == address), None)

    async def mailboxes(self, *, limit=50, cursor=None, reference=None):
        self._serve("mailboxes")
        wanted = [view for view in self.views.values() if reference in (None, view.mailbox.reference)]
        return _page(sorted(wanted, key=lambda view: view.mailbox.id), lambda view: view.mailbox.id, limit, cursor)

    async def conversation(self, conversation_id):
        self._serve("conversation")
        return self.conversations_by_id.get(conversation_id)

    async def conversations(self, *, mailbox_id=None, limit=50, cursor=None):
        self._serve("conversations")
        wanted = [one for one in self.conversations_by_id.values() if mailbox_id in (None, one.mailbox_id)]
        return _page(wanted, lambda one: one.id, limit, cursor)

    async def messages(self, conversation_id, *, limit=50, cursor=None):
        self._serve("messages")
        wanted = [one for one in self.messages_by_id.values() if one.conversation_id == conversation_id]
        return _page(wanted, lambda one: one.id, limit, cursor)

    async def message(self, message_id):
        self._serve("message")
        return self.messages_by_id.get(message_id)

    async def raw(self, message_id):
        self._serve("raw")
        return self.raws.get(message_id)

    async def delivery(self, delivery_id):
        self._serve("delivery")
        return self.deliveries_by_id.get(delivery_id)

    async def deliveries(self, *, mailbox_id=None, state=None, conversation_id=None, limit=50, cursor=None):
        self._serve("deliveries")
        wanted = [
            one
            for one in self.deliveries_by_id.values()
            if mailbox_id in (None, one.mailbox_id)
            and state in (None, one.state)
            and conversation_id in (None, one.conversation_id)
        ]
        return _page(wanted, lambda one: one.id, limit, cursor)

    async def attempts(self, delivery_id):
        self._serve("attempts")
        return self.attempts_by_id.get(delivery_id, [])

    async def last_position(self):
        self._serve("last_position")
        return self.log[-1].position if self.log else 0

    async def webhooks(self):
        self._serve("webhooks")
        return list(self.webhooks_by_id.values())

    async def webhook(self, webhook_id):
        self._serve("webhook")
        return self.webhooks_by_id.get(webhook_id)

    async def add_webhook(self, webhook):
        self._serve("add_webhook")
        self.webhooks_by_id[webhook.id] = webhook

    update_webhook = add_webhook

    async def delete_webhook(self, webhook_id):
        self._serve("delete_webhook")
        return self.webhooks_by_id.pop(webhook_id, None) is not None


def _page(items, key, limit, cursor):
    rest = list(items)
    if cursor is not None:
        names = [key(one) for one in rest]
        rest = rest[names.index(cursor) + 1 :] if cursor in names else []
    part = tuple(rest[:limit])
    return Page(part, key(part[-1]) if len(rest) > limit else None)


def report_of(password):
    """What a provider that takes any password but one shows; the judgement is the real one."""
    fine = (Step("resolve", True, "127.0.0.1", 0.4), Step("sign_in", True, "signed in", 12.34))
    if password != WRONG_PASSWORD:
        return Report(Probe(Direction.IMAP, fine, None), Probe(Direction.SMTP, fine, None))
    refusals = {
        Direction.IMAP: Evidence(
            Direction.IMAP,
            Stage.AUTH,
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            status="NO",
            response_code="AUTHENTICATIONFAILED",
        ),
        Direction.SMTP: Evidence(
            Direction.SMTP, Stage.AUTH, "535 5.7.8 Error: authentication failed", smtp_code=535, enhanced="5.7.8"
        ),
    }
    return Report(
        *(
            Probe(direction, (fine[0], Step("sign_in", False, evidence.raw, 9.9, evidence)), diagnose(evidence))
            for direction, evidence in refusals.items()
        )
    )


class Connect:
    """Probes a provider that is not there, and saves into the fake store."""

    def __init__(self, store, world):
        self.store, self.world = store, world
        self.probed = []
        self.credentials = {}

    async def probe(self, connection):
        self.probed.append(connection)
        return report_of(connection.credential.password)

    async def add(self, new):
        report = await self.probe(new.connection)
        if not report.ok:
            raise NotConnected(report)
        given = new.connection
        if any(view.mailbox.address == given.address for view in self.store.views.values()):
            raise AddressTaken
        mailbox = Mailbox(
            id=self.world.identifier(Kind.MAILBOX),
            address=given.address,
            name=given.name,
            provider="generic",
            imap=given.imap,
            smtp=given.smtp,
            auth_kind=AuthKind.PASSWORD,
            created_at=self.world.now(),
            ca_certificate=given.ca_certificate,
            hold_hours=new.hold_hours,
            folders=new.folders,
            reference=new.reference,
            unconfirmed=new.unconfirmed,
        )
        self.credentials[mailbox.id] = given.credential
        return self._save(mailbox, health.State.CONNECTED)

    def keep(self, address, password):
        """A mailbox that is connected from the start."""
        endpoint = Endpoint("mail.example.com", 993, Security.TLS, address)
        mailbox = Mailbox(
            self.world.identifier(Kind.MAILBOX),
            address,
            "",
            "generic",
            endpoint,
            endpoint,
            AuthKind.PASSWORD,
            self.world.now(),
        )
        self.credentials[mailbox.id] = Credential(password=password)
        self._save(mailbox, health.State.CONNECTED)
        return mailbox

    async def change(self, changed, credential=None):
        view = self._view(changed.id)
        if credential is not None and not (report := report_of(credential.password)).ok:
            raise NotConnected(report)
        return self._save(changed, view.receiving.state)

    async def reauthenticate(self, mailbox_id, credential):
        view = self._view(mailbox_id)
        if not (report := report_of(credential.password)).ok:
            raise NotConnected(report)
        self.credentials[mailbox_id] = credential
        return self._save(view.mailbox, health.State.CONNECTED)

    async def pause(self, mailbox_id):
        return self._save(self._view(mailbox_id).mailbox, health.State.PAUSED)

    async def resume(self, mailbox_id):
        return self._save(self._view(mailbox_id).mailbox, health.State.CONNECTING)

    async def check(self, mailbox_id):
        self._view(mailbox_id)
        return report_of(self.credentials[mailbox_id].password)

    async def remove(self, mailbox_id):
        self._view(mailbox_id)
        del self.store.views[mailbox_id]

    def _view(self, mailbox_id):
        self.store._serve("mailbox")
        if mailbox_id not in self.store.views:
            raise NoSuchMailbox
        return self.store.views[mailbox_id]

    def _save(self, mailbox, state):
        now = self.world.now()
        both = [health.Health(mailbox.id, direction, state, now, heard_at=now) for direction in Direction]
        cursors = (Cursor(mailbox.id, "INBOX", 7, last_uid=40, synced_at=now, total=12, done=3),)
        self.store.views[mailbox.id] = MailboxView(mailbox, *both, cursors=cursors)
        return self.store.views[mailbox.id]


class Accept:
    """Writes deliveries into the fake store, by the real table of their states."""

    def __init__(self, store, world):
        self.store, self.world = store, world
        self.drafts = []
        self.by_key = {}

    async def accept(self, draft, idempotency=None):
        self.store._serve("accept")
        if draft.mailbox_id not in self.store.views:
            raise NoSuchMailbox
        if idempotency and (known := self.by_key.get(idempotency[0])):
            if known[0] != idempotency[1]:
                raise IdempotencyConflict
            return Accepted(known[1], repeated=True)
        if not (draft.to or draft.cc or draft.bcc):
            raise BadDraft("to", "Name at least one recipient.")
        delivery = self.delivery(draft)
        self.drafts.append(draft)
        if idempotency:
            self.by_key[idempotency[0]] = (idempotency[1], delivery)
        return Accepted(delivery)

    async def reply(self, conversation_id, draft, idempotency=None):
        if conversation_id not in self.store.conversations_by_id:
            raise NoSuchConversation
        to = draft.to or (Address("anna@example.net", "Anna"),)
        return await self.accept(replace(draft, to=to, conversation_id=conversation_id), idempotency)

    async def cancel(self, delivery_id):
        return self._signal(delivery_id, outgoing.Signal.CANCELLED)

    async def retry(self, delivery_id):
        return self._signal(delivery_id, outgoing.Signal.RETRIED)

    def delivery(self, draft, state=outgoing.State.QUEUED):
        now, mailbox_id = self.world.now(), draft.mailbox_id
        conversation_id = draft.conversation_id or self.world.identifier(Kind.CONVERSATION, mailbox_id)
        message_id = self.world.identifier(Kind.MESSAGE, mailbox_id)
        delivery = outgoing.Delivery(
            id=self.world.identifier(Kind.DELIVERY, mailbox_id),
            mailbox_id=mailbox_id,
            message_id=message_id,
            rfc_message_id=f"{message_id}@example.com",
            conversation_id=conversation_id,
            state=state,
            sender="support@example.com",
            recipients=tuple(outgoing.Recipient(one.email) for one in draft.to),
            size=1234,
            accepted_at=now,
            expires_at=now + timedelta(hours=72),
            next_attempt_at=now,
            updated_at=now,
        )
        self.store.deliveries_by_id[delivery.id] = delivery
        return delivery

    def _signal(self, delivery_id, signal):
        self.store._serve("settle")
        if delivery_id not in self.store.deliveries_by_id:
            raise NoSuchDelivery
        delivery = self.store.deliveries_by_id[delivery_id]
        state, _ = outgoing.step(delivery.state, signal)
        self.store.deliveries_by_id[delivery_id] = replace(delivery, state=state)
        return self.store.deliveries_by_id[delivery_id]


class Announce:
    """Follows the fake store's log; `tick` makes silent streams give their sign of life."""

    def __init__(self, store, world):
        self.store, self.world = store, world
        self.news = asyncio.Condition()
        self.open = 0
        self.closing = False

    async def follow(self, after, *, types=(), mailbox_id=None):
        self.open += 1
        try:
            while not self.closing:
                for recorded in [one for one in self.store.log if one.position > after]:
                    after = recorded.position
                    if types and recorded.event.type not in types:
                        continue
                    if mailbox_id in (None, recorded.event.mailbox_id):
                        yield recorded
                async with self.news:
                    if self.store.log and self.store.log[-1].position > after:
                        continue
                    await self.news.wait()
                yield None
        finally:
            self.open -= 1

    async def tell(self, kind=EventType.MESSAGE_RECEIVED, mailbox_id="mbx_0000000000000", **data):
        event = Event(self.world.identifier(Kind.EVENT), kind, self.world.now(), mailbox_id, data)
        async with self.news:
            self.store.log.append(Recorded(len(self.store.log) + 1, event))
            self.news.notify_all()

    async def tick(self):
        async with self.news:
            self.news.notify_all()

    async def stop(self):
        self.closing = True
        await self.tick()


class Discovery:
    """Knows example.com and the domain of the international test, and nothing else."""

    def __init__(self):
        self.asked = []

    async def discover(self, address):
        self.asked.append(address)
        domain = address.rpartition("@")[2]
        if domain not in ("example.com", "xn--bcher-kva.example"):
            return []
        return [
            Candidate(
                Endpoint(f"imap.{domain}", 993, Security.TLS, address),
                Endpoint(f"smtp.{domain}", 465, Security.TLS, address),
                "generic",
                "srv",
            )
        ]


def key(world, name="test"):
    return ApiKey(world.identifier(Kind.KEY), name, world.now())


def message(world, mailbox_id, conversation_id, *, html="", attachments=(), subject="Where is my parcel?", **changes):
    parsed = Parsed(
        message_id="1@example.net",
        subject=subject,
        sender=Address("anna@example.net", "Anna"),
        to=(Address("support@example.com"),),
        cc=(),
        bcc=(),
        reply_to=(),
        date=BEGIN,
        in_reply_to=None,
        references=(),
        text="Hello",
        html=html,
        attachments=tuple(attachments),
    )
    return replace(
        Message(
            world.identifier(Kind.MESSAGE, mailbox_id),
            mailbox_id,
            conversation_id,
            Flow.INBOUND,
            parsed,
            512,
            world.now(),
            "INBOX",
        ),
        **changes,
    )


def conversation(world, mailbox_id, count=1):
    return Conversation(
        world.identifier(Kind.CONVERSATION, mailbox_id),
        mailbox_id,
        "Where is my parcel?",
        world.now(),
        world.now(),
        count,
        (Address("anna@example.net", "Anna"),),
    )


def attachment(number, filename, content_type, size):
    return Attachment(number, filename, content_type, size)
