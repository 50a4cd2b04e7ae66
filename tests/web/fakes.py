"""A store and a clock in memory, for tests of the web room alone, and samples of what stands in it."""

import base64
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from postroom.core.apikey import ApiKey
from postroom.core.events import Recorded
from postroom.core.identity import ENTROPY, Kind, identifier
from postroom.core.mailbox import Credential, Direction
from postroom.core.message import Address, Attachment, Conversation, Flow, Message, Parsed
from postroom.core.ports.store import (
    Counts,
    Held,
    NotOfConversation,
    Page,
    StoreUnavailable,
)

BEGIN = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)


class World:
    def __init__(self):
        self.time = BEGIN
        self._count = itertools.count(1)

    def now(self):
        return self.time

    def jitter(self):
        return 0.5

    def identifier(self, kind, mailbox_id=None):
        return identifier(kind, self.time, next(self._count).to_bytes(ENTROPY, "big"), mailbox_id)

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
    entries: list = field(default_factory=list)
    conversations_by_id: dict = field(default_factory=dict)
    messages_by_id: dict = field(default_factory=dict)
    raws: dict = field(default_factory=dict)
    deliveries_by_id: dict = field(default_factory=dict)
    attempts_by_id: dict = field(default_factory=dict)
    transitions_by_id: dict = field(default_factory=dict)
    webhooks_by_id: dict = field(default_factory=dict)
    clients_by_id: dict = field(default_factory=dict)
    authorizations_by_id: dict = field(default_factory=dict)
    links_by_id: dict = field(default_factory=dict)
    log: list = field(default_factory=list)
    pruned: int = 0
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

    async def oauth_client(self, client_id):
        self._serve("oauth_client")
        return self.clients_by_id.get(client_id)

    async def oauth_clients(self):
        self._serve("oauth_clients")
        return list(self.clients_by_id.values())

    async def authorization_by_state(self, digest):
        self._serve("authorization_by_state")
        return next((one for one in self.authorizations_by_id.values() if one.state == digest), None)

    async def held_credential(self, mailbox_id):
        self._serve("held_credential")
        return Held(Credential(self.views[mailbox_id].mailbox.auth_kind), 1)

    async def add_connect_link(self, link):
        self._serve("add_connect_link")
        self.links_by_id[link.id] = link

    async def connect_link(self, link_id):
        self._serve("connect_link")
        return self.links_by_id.get(link_id)

    async def connect_links(self, *, limit=50, cursor=None, mailbox_id=None):
        self._serve("connect_links")
        newest = list(reversed(self.links_by_id.values()))
        wanted = [one for one in newest if mailbox_id in (None, one.mailbox_id, one.connected_id)]
        return _page(wanted, lambda one: one.id, limit, cursor)

    async def revoke_connect_link(self, link_id, at):
        self._serve("revoke_connect_link")
        link = self.links_by_id[link_id]
        if link.used_at or link.revoked_at:
            return False
        self.links_by_id[link_id] = replace(link, revoked_at=at)
        return True

    async def claim_connect_link(self, link_id, now, until):
        self._serve("claim_connect_link")
        link = self.links_by_id[link_id]
        if link.used_at or link.revoked_at or any(one and one > now for one in (link.busy_until, link.waits_until)):
            return False
        self.links_by_id[link_id] = replace(link, busy_until=until)
        return True

    async def release_connect_link(self, link):
        self.links_by_id[link.id] = replace(link, busy_until=None)

    async def use_connect_link(self, link, event):
        self.links_by_id[link.id] = replace(link, busy_until=None)
        self.log.append(Recorded(len(self.log) + 1, event))
        return True

    async def mailboxes_of_client(self, client_id):
        self._serve("mailboxes_of_client")
        return []

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

    async def ledger(self, mailbox_id, *, outcome=None, folder=None, limit=50, cursor=None):
        self._serve("ledger")
        wanted = [one for one in self.entries if outcome in (None, one.outcome) and folder in (None, one.folder)]
        return _page(wanted, lambda one: str(one.first_uid), limit, cursor)

    async def conversation(self, conversation_id):
        self._serve("conversation")
        return self.conversations_by_id.get(conversation_id)

    async def conversations(self, *, mailbox_id=None, limit=50, cursor=None):
        self._serve("conversations")
        wanted = [one for one in self.conversations_by_id.values() if mailbox_id in (None, one.mailbox_id)]
        return _page(wanted, lambda one: one.id, limit, cursor)

    async def merge(self, conversation_id, into):
        self._serve("merge")
        return self.conversations_by_id.get(into) if conversation_id in self.conversations_by_id else None

    async def split(self, conversation_id, message_ids):
        self._serve("split")
        if conversation_id in self.conversations_by_id and not set(message_ids) <= set(self.messages_by_id):
            raise NotOfConversation
        return self.conversations_by_id.get(conversation_id)

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

    async def deliveries(
        self, *, mailbox_id=None, state=None, conversation_id=None, bounced=None, limit=50, cursor=None
    ):
        self._serve("deliveries")
        wanted = [
            one
            for one in self.deliveries_by_id.values()
            if mailbox_id in (None, one.mailbox_id)
            and state in (None, one.state)
            and conversation_id in (None, one.conversation_id)
            and bounced in (None, one.bounced)
        ]
        return _page(wanted, lambda one: one.id, limit, cursor)

    async def attempts(self, delivery_id):
        self._serve("attempts")
        return self.attempts_by_id.get(delivery_id, [])

    async def transitions(self, delivery_id):
        self._serve("transitions")
        return self.transitions_by_id.get(delivery_id, [])

    async def last_position(self):
        self._serve("last_position")
        return self.log[-1].position if self.log else 0

    async def pruned_position(self):
        self._serve("pruned_position")
        return self.pruned

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
