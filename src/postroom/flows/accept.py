"""Takes a message for sending: composed and on disk before the answer. It sends nothing (outbox)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from postroom.core import delivery as table
from postroom.core import limits, provider
from postroom.core.compose import BadDraft, Draft, compose, reply_recipients, reply_subject
from postroom.core.compose.anew import anew
from postroom.core.compose.signature import signed
from postroom.core.delivery import Delivery, Recipient, SentCopy, Signal, step
from postroom.core.identity import Kind
from postroom.core.mailbox import Mailbox
from postroom.core.message import Address, Flow, Message
from postroom.core.ports.store import Acceptance, Accepted, MailboxGone, SettingsChanged, Settlement, Store
from postroom.core.ports.world import World
from postroom.flows.announce import delivery_events
from postroom.flows.automatic import PER_HOUR, Automatic
from postroom.flows.connect import NoSuchMailbox

MOST_KNOWN = 1000
"""Mailboxes whose settings are known."""


class NoSuchConversation(Exception):
    """There is no conversation with this identifier in this mailbox."""


class NoSuchDelivery(Exception):
    """There is no delivery with this identifier."""


class Accept:
    """The way into the outbox."""

    def __init__(self, store: Store, world: World, *, automatic_per_hour: int = PER_HOUR) -> None:
        self._automatic = Automatic(store, world, per_hour=automatic_per_hour)
        self._store = store
        self._world = world
        self._known: dict[str, Mailbox] = {}

    async def accept(self, draft: Draft, idempotency: tuple[str, str] | None = None, by: str | None = None) -> Accepted:
        """`by` is who hands it in, unless the draft names its author.

        Raises BadDraft (names the field), NoSuchMailbox, IdempotencyConflict, AutomaticLoop.
        """
        if draft.in_reply_to is not None:
            draft = replace(draft, in_reply_to=draft.in_reply_to.strip().strip("<>"))
        known = self._known.get(draft.mailbox_id)
        if known is not None and not draft.automatic:
            with suppress(BadDraft, SettingsChanged, MailboxGone):  # they may be others now
                return await self._take(known, draft, idempotency, by)
        while True:
            mailbox = await self._settings(draft.mailbox_id)
            if idempotency is not None and (before := await self._store.repeated(mailbox.id, *idempotency)):
                return Accepted(before, repeated=True)
            with suppress(SettingsChanged, MailboxGone):
                return await self._take(mailbox, draft, idempotency, by)

    async def _settings(self, mailbox_id: str) -> Mailbox:
        """As they are, to be known for the next message: whether they still hold is seen as it is written."""
        self._known.pop(mailbox_id, None)
        mailbox = await self._store.settings(mailbox_id)
        if mailbox is None:
            raise NoSuchMailbox
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[mailbox_id] = mailbox
        return mailbox

    async def _take(
        self, mailbox: Mailbox, draft: Draft, idempotency: tuple[str, str] | None, by: str | None
    ) -> Accepted:
        conversation_id, parent = await self._context(mailbox, draft)
        if draft.automatic:
            named = parent if draft.in_reply_to is not None else None
            await self._automatic.check(draft, conversation_id, named)
        draft = replace(draft, author=draft.author or by, reply_to=draft.reply_to or _reply_to(mailbox))
        draft = signed(draft, mailbox.signature)
        return await self._write(mailbox, draft, conversation_id, parent, idempotency)

    async def reply(
        self,
        conversation_id: str,
        draft: Draft,
        idempotency: tuple[str, str] | None = None,
        by: str | None = None,
    ) -> Accepted:
        """Answers the newest message that a person wrote: no bounce that came meanwhile. Recipients and subject default
        to its own. Raises as accept does, and NoSuchConversation."""
        conversation = await self._store.conversation(conversation_id)
        if conversation is None:
            raise NoSuchConversation
        draft = replace(draft, mailbox_id=conversation.mailbox_id, conversation_id=conversation.id)
        mailbox = await self._settings(conversation.mailbox_id)
        latest = await self._newest(conversation.id)
        if latest is not None and not draft.to:
            to, cc = self._other_side(mailbox, latest)
            draft = replace(draft, to=to, cc=draft.cc or cc)
        if draft.sender is None and latest is not None:
            draft = replace(draft, sender=_asked(mailbox, latest))
        if not draft.subject:
            draft = replace(draft, subject=reply_subject(latest.parsed.subject if latest else conversation.subject))
        return await self.accept(draft, idempotency, by)

    def _other_side(self, mailbox: Mailbox, latest: Message) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        if latest.flow is Flow.OUTBOUND:
            return latest.parsed.to, latest.parsed.cc
        others = reply_recipients(latest.parsed, mailbox.address, *(one.address for one in mailbox.aliases))
        return others.to, others.cc

    async def cancel(self, delivery_id: str, by: str | None = None) -> Delivery:
        """`by` is the person, for the story. Raises NoSuchDelivery, and NotPossible where it is sent or on its way."""
        return await self._person(delivery_id, Signal.CANCELLED, by)

    async def retry(self, delivery_id: str, by: str | None = None) -> Delivery:
        """Sends it now, within its hold time. Raises NoSuchDelivery, NotPossible."""
        return await self._person(delivery_id, Signal.RETRIED, by)

    async def confirm(self, delivery_id: str, by: str | None = None) -> Delivery:
        """Marks an unconfirmed one as sent: the person knows that it arrived. Raises NoSuchDelivery, NotPossible."""
        return await self._person(delivery_id, Signal.CONFIRMED, by)

    async def resend(self, delivery_id: str, by: str | None = None) -> Accepted:
        """Sends the message of a delivery that expired, failed, was cancelled or bounced anew, to those who have not
        got it: a delivery of its own, with a clock of its own. Once: whoever asks again gets the same.

        Raises NoSuchDelivery, NoSuchMailbox, NotPossible.
        """
        delivery = await self._store.delivery(delivery_id)
        if delivery is None:
            raise NoSuchDelivery
        once = (f"resend {delivery_id}", "")  # no key of a client has a blank
        if known := await self._store.repeated(delivery.mailbox_id, *once):
            return Accepted(known, repeated=True)
        recipients = table.left_out(delivery)
        view = await self._store.mailbox(delivery.mailbox_id)
        message, raw = await self._store.message(delivery.message_id), await self._store.raw(delivery.message_id)
        if view is None or message is None or raw is None:
            raise NoSuchMailbox
        mailbox, now = view.mailbox, self._world.now()
        identifier = self._world.identifier(Kind.MESSAGE, mailbox.id)
        rfc_message_id = f"{identifier}@{delivery.rfc_message_id.rpartition('@')[2]}"
        raw = anew(raw, message_id=rfc_message_id, date=now)
        parsed = replace(message.parsed, message_id=rfc_message_id, date=now.replace(microsecond=0))
        again = replace(
            delivery,
            id=self._world.identifier(Kind.DELIVERY, mailbox.id),
            message_id=identifier,
            rfc_message_id=rfc_message_id,
            conversation_id=message.conversation_id,
            state=table.State.QUEUED,
            recipients=recipients,
            size=len(raw),
            accepted_at=now,
            expires_at=now + timedelta(hours=mailbox.hold_hours),
            next_attempt_at=now,
            updated_at=now,
            attempts=0,
            send_at=None,
            diagnosis=None,
            sent_copy=SentCopy.NONE,
            author=by,
            resend_of=delivery.id,
        )
        sent = replace(message, id=identifier, parsed=parsed, size=len(raw), received_at=now)
        return await self._store.accept(Acceptance(sent, raw, again, once))

    async def _person(self, delivery_id: str, signal: Signal, by: str | None) -> Delivery:
        while True:
            delivery = await self._store.delivery(delivery_id)
            if delivery is None:
                raise NoSuchDelivery
            state, effects = step(delivery.state, signal)
            now = self._world.now()
            changed = replace(delivery, state=state, updated_at=now)
            if signal is Signal.RETRIED:
                if delivery.expires_at <= now:
                    raise table.NotPossible(table.State.EXPIRED, signal)
                changed = replace(changed, next_attempt_at=now, recipients=_again(delivery.recipients))
            elif signal is Signal.CONFIRMED:
                copy = await self._copy_of_confirmed(delivery)
                changed = replace(changed, recipients=table.all_accepted(delivery), sent_copy=copy, diagnosis=None)
            events = delivery_events(self._world, changed, effects)
            done = Settlement(changed, delivery.state, events=events, signal=signal, by=by)
            if await self._store.settle(None, done):
                return changed

    async def _copy_of_confirmed(self, delivery: Delivery) -> SentCopy:
        mailbox = await self._store.settings(delivery.mailbox_id)
        if mailbox is None or delivery.sent_copy is not SentCopy.NONE:
            return delivery.sent_copy
        return SentCopy.BY_PROVIDER if provider.by_key(mailbox.provider).saves_sent else SentCopy.DUE

    async def _context(self, mailbox: Mailbox, draft: Draft) -> tuple[str | None, Message | None]:
        """The conversation that a draft continues, and the message that it answers."""
        mailbox_id = mailbox.id
        conversation_id = draft.conversation_id
        if conversation_id is not None:
            conversation = await self._store.conversation(conversation_id)
            if conversation is None or conversation.mailbox_id != mailbox_id:
                raise BadDraft("conversation_id", "There is no such conversation in this mailbox: it may be gone.")
            conversation_id = conversation.id
        if draft.in_reply_to is not None:
            parent = await self._store.message_by_rfc_id(mailbox_id, draft.in_reply_to)
            return conversation_id or (parent.conversation_id if parent else None), parent
        return conversation_id, await self._newest(conversation_id) if conversation_id else None

    async def _newest(self, conversation_id: str) -> Message | None:
        by_people = await self._store.latest(conversation_id, by_people=True)
        return by_people or await self._store.latest(conversation_id)

    async def _write(
        self,
        mailbox: Mailbox,
        draft: Draft,
        conversation_id: str | None,
        parent: Message | None,
        idempotency: tuple[str, str] | None,
    ) -> Accepted:
        now = self._world.now()
        expires_at = now + timedelta(hours=mailbox.hold_hours)
        if draft.send_at is not None and draft.send_at >= expires_at:
            hours = mailbox.hold_hours
            raise BadDraft("send_at", f"The time to send must be within {hours} hours, the hold time of this mailbox.")
        message_id = self._world.identifier(Kind.MESSAGE, mailbox.id)
        in_reply_to, references = _thread(draft, parent)
        composed = compose(
            draft,
            sender=_sender(mailbox, draft),
            message_id=f"{message_id}@{mailbox.address.rpartition('@')[2]}",
            date=now,
            in_reply_to=in_reply_to,
            references=references,
        )
        limits.check(mailbox, draft, composed)
        message = Message(
            id=message_id,
            mailbox_id=mailbox.id,
            conversation_id=conversation_id or self._world.identifier(Kind.CONVERSATION, mailbox.id),
            flow=Flow.OUTBOUND,
            parsed=composed.parsed,
            size=len(composed.raw),
            received_at=now,
        )
        delivery = Delivery(
            id=self._world.identifier(Kind.DELIVERY, mailbox.id),
            mailbox_id=mailbox.id,
            message_id=message.id,
            rfc_message_id=composed.parsed.message_id or message_id,
            conversation_id=message.conversation_id,
            state=table.State.QUEUED,
            sender=composed.parsed.sender.email if composed.parsed.sender else mailbox.address,
            recipients=tuple(Recipient(address) for address in composed.envelope_recipients),
            size=message.size,
            accepted_at=now,
            expires_at=expires_at,
            next_attempt_at=_not_before(draft.send_at, now),
            updated_at=now,
            send_at=draft.send_at,
            author=draft.author,
        )
        return await self._store.accept(Acceptance(message, composed.raw, delivery, idempotency, mailbox))


def _reply_to(mailbox: Mailbox) -> tuple[Address, ...]:
    return (Address(mailbox.reply_to),) if mailbox.reply_to else ()


def _thread(draft: Draft, parent: Message | None) -> tuple[str | None, tuple[str, ...]]:
    """In-Reply-To and References of an answer (RFC 5322 3.6.4)."""
    if parent is None or parent.parsed.message_id is None:
        return draft.in_reply_to, (draft.in_reply_to,) if draft.in_reply_to else ()
    before = parent.parsed.references or ((parent.parsed.in_reply_to,) if parent.parsed.in_reply_to else ())
    return parent.parsed.message_id, (*before, parent.parsed.message_id)


def _not_before(send_at: datetime | None, now: datetime) -> datetime:
    return now if send_at is None else max(send_at, now)


def _again(recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    """Those who refused are tried again, those who accepted are not."""
    return tuple(
        one if one.state is table.RecipientState.ACCEPTED else replace(one, state=table.RecipientState.PENDING)
        for one in recipients
    )


def _sender(mailbox: Mailbox, draft: Draft) -> Address:
    """Who the message is from. Raises BadDraft where that is neither the mailbox nor an alias it may send as."""
    given = draft.sender
    if given is None or given.email.strip().casefold() == mailbox.address.casefold():
        return Address(mailbox.address, (given.name if given else "") or mailbox.name)
    alias = mailbox.alias(given.email)
    if alias is None:
        raise BadDraft(
            "from",
            f"{given.email} is neither the address of this mailbox nor one of its aliases. Add it to the aliases, or "
            f"send from {mailbox.address}.",
        )
    if alias.refused is not None:
        raise BadDraft(
            "from",
            f"The mail server does not let this mailbox send as {alias.address}: {alias.refused} Have the right given, "
            "then check the mailbox.",
        )
    return Address(alias.address, given.name or alias.name or mailbox.name)


def _asked(mailbox: Mailbox, latest: Message) -> Address | None:
    """The alias that was written to, or from: the answer comes from there, unless the server refuses that."""
    parsed = latest.parsed
    told = (parsed.sender,) if latest.flow is Flow.OUTBOUND else (*parsed.to, *parsed.cc)
    addresses = [one.email for one in told if one is not None]
    if any(one.casefold() == mailbox.address.casefold() for one in addresses):
        return None
    found = next((alias for one in addresses if (alias := mailbox.alias(one)) is not None), None)
    return Address(found.address) if found is not None and found.refused is None else None
