"""Flows in memory, for tests of the web room alone: they keep what they are given in the fake store; no more."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from postroom.core import delivery as outgoing
from postroom.core import health
from postroom.core.candidates import Candidate
from postroom.core.compose import BadDraft
from postroom.core.cursor import Cursor, Reconciled
from postroom.core.cursor import Outcome as Read
from postroom.core.diagnosis import Evidence, Stage, diagnose
from postroom.core.discovered import Discovered, Lookup, Outcome
from postroom.core.events import Event, EventType, Recorded
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Direction, Endpoint, Mailbox, Security
from postroom.core.message import Address
from postroom.core.oauth.authorization import Authorization
from postroom.core.oauth.request import digest
from postroom.core.ports.store import Accepted, AddressTaken, IdempotencyConflict, MailboxView
from postroom.core.ports.wire import Step
from postroom.flows.accept import NoSuchConversation, NoSuchDelivery
from postroom.flows.clients import BadClient, NoSuchClient
from postroom.flows.connect import NoSuchMailbox, NotConnected
from postroom.flows.probe import Probe, Report
from postroom.flows.sign_in import Begun, NoClient, SignInFailed, Why

WRONG_PASSWORD = "wrong"
"""What the fake provider refuses."""


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


def _show(report, on_step):
    for probe in (report.imap, report.smtp):
        for step in probe.steps if on_step else ():
            on_step(probe.direction, step)


class Connect:
    """Probes a provider that is not there, and saves into the fake store."""

    def __init__(self, store, world):
        self.store, self.world = store, world
        self.probed = []
        self.credentials = {}

    async def probe(self, connection, ways=None):
        self.probed.append(connection)
        return report_of(connection.credential.password)

    async def add(self, new, on_step=None, ways=None):
        report = await self.probe(new.connection)
        _show(report, on_step)
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
            reply_to=new.reply_to,
            signature=new.signature,
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

    async def reauthenticate(self, mailbox_id, credential, on_step=None):
        view = self._view(mailbox_id)
        report = report_of(credential.password)
        _show(report, on_step)
        if not report.ok:
            raise NotConnected(report)
        self.credentials[mailbox_id] = credential
        return self._save(view.mailbox, health.State.CONNECTED)

    async def pause(self, mailbox_id, by=None):
        return self._save(self._view(mailbox_id).mailbox, health.State.PAUSED)

    async def resume(self, mailbox_id, by=None):
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
        cursor = Cursor(mailbox.id, "INBOX", 7, last_uid=40, synced_at=now, total=12, done=3, per_minute=60, since=now)
        cursor = replace(cursor, reconciled=Reconciled(now, 40, 40, 2))
        passed = {("INBOX", Read.SKIPPED): 9, ("INBOX", Read.QUARANTINED): 1}
        self.store.views[mailbox.id] = MailboxView(mailbox, *both, cursors=(cursor,), passed=passed)
        return self.store.views[mailbox.id]


class Accept:
    """Writes deliveries into the fake store, by the real table of their states."""

    def __init__(self, store, world):
        self.store, self.world = store, world
        self.drafts = []
        self.by_key = {}

    async def accept(self, draft, idempotency=None, by=None):
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

    async def reply(self, conversation_id, draft, idempotency=None, by=None):
        if conversation_id not in self.store.conversations_by_id:
            raise NoSuchConversation
        to = draft.to or (Address("anna@example.net", "Anna"),)
        return await self.accept(replace(draft, to=to, conversation_id=conversation_id), idempotency)

    async def cancel(self, delivery_id, by=None):
        return self._signal(delivery_id, outgoing.Signal.CANCELLED, by)

    async def retry(self, delivery_id, by=None):
        return self._signal(delivery_id, outgoing.Signal.RETRIED, by)

    async def resend(self, delivery_id, by=None):
        self.store._serve("accept")
        if delivery_id not in self.store.deliveries_by_id:
            raise NoSuchDelivery
        ended = self.store.deliveries_by_id[delivery_id]
        known = [one for one in self.store.deliveries_by_id.values() if one.resend_of == delivery_id]
        if known:
            return Accepted(known[0], repeated=True)
        identifier = self.world.identifier(Kind.DELIVERY, ended.mailbox_id)
        again = replace(
            ended,
            id=identifier,
            recipients=outgoing.left_out(ended),
            state=outgoing.State.QUEUED,
            resend_of=delivery_id,
            author=by,
        )
        self.store.deliveries_by_id[identifier] = again
        return Accepted(again)

    async def confirm(self, delivery_id, by=None):
        return self._signal(delivery_id, outgoing.Signal.CONFIRMED, by)

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

    def _signal(self, delivery_id, signal, by):
        self.store._serve("settle")
        if delivery_id not in self.store.deliveries_by_id:
            raise NoSuchDelivery
        delivery = self.store.deliveries_by_id[delivery_id]
        state, _ = outgoing.step(delivery.state, signal)
        self.store.deliveries_by_id[delivery_id] = replace(delivery, state=state)
        told = self.store.transitions_by_id.setdefault(delivery_id, [])
        told.append(outgoing.Transition(delivery_id, len(told) + 1, self.world.now(), state, signal, by))
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
            return Discovered((), (Lookup("mx", f"{domain} MX", Outcome.ABSENT, "there is no such name", 3.14),))
        found = [
            Candidate(
                Endpoint(f"imap.{domain}", 993, Security.TLS, address),
                Endpoint(f"smtp.{domain}", 465, Security.TLS, address),
                "generic",
                "srv",
            )
        ]
        return Discovered(tuple(found), (Lookup("srv", f"_imaps._tcp.{domain} SRV", Outcome.FOUND, "found", 3.14),))


class Clients:
    """Keeps clients in the fake store; an issuer is taken as it is."""

    def __init__(self, store, world):
        self.store, self.world = store, world

    async def add(self, client):
        if client.authority is None and client.provider != "issuer":
            raise BadClient("provider", "it is not known")
        named = replace(client, id=self.world.identifier(Kind.OAUTH_CLIENT))
        self.store.clients_by_id[named.id] = named
        return named

    async def change(self, client):
        self.store.clients_by_id[client.id] = client
        return client

    async def remove(self, client_id):
        if self.store.clients_by_id.pop(client_id, None) is None:
            raise NoSuchClient


class Authorize:
    """Begins sign-ins that nobody carries out."""

    redirect = "http://localhost:8025/oauth/callback"

    def __init__(self, store, world):
        self.store, self.world = store, world
        self.answers = {}

    async def begin(self, wanted):
        if wanted.mailbox_id is not None and wanted.mailbox_id not in self.store.views:
            raise NoSuchMailbox
        client = next(iter(self.store.clients_by_id.values()), None)
        if client is None:
            raise NoClient("no OAuth client for Google is entered yet", "google")
        now = self.world.now()
        identifier = self.world.identifier(Kind.AUTHORIZATION)
        begun = Authorization(
            identifier,
            client.id,
            wanted.flow,
            wanted.address,
            now,
            now + timedelta(minutes=20),
            mailbox_id=wanted.mailbox_id,
        )
        state = f"state-{len(self.store.authorizations_by_id)}"
        begun = replace(begun, state=digest(state), settings=wanted.wishes.as_dict())
        self.store.authorizations_by_id[identifier] = begun
        return Begun(begun, f"https://accounts.example.com/authorize?state={state}")

    async def look(self, authorization_id):
        return self.store.authorizations_by_id.get(authorization_id)

    async def finish(self, state, *, code="", error="", description="", issuer=""):
        answer = self.answers.get(state)
        if answer is None:
            raise SignInFailed(Why.UNKNOWN, "This sign-in was not begun here.")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def credential(self, authorization_id, address):
        raise SignInFailed(Why.UNKNOWN, "There is no finished sign-in with this identifier.")

    async def served(self, authorization_id, mailbox_id):
        pass
