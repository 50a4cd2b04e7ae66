"""Tells ahead of the certificates of servers that teams run themselves: their end, and that they changed. It trusts and
refuses none: TLS does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from postroom.core import provider
from postroom.core.certificate import TOLD_BEFORE, Certificate, is_another, of_facts, to_tell
from postroom.core.diagnosis.evidence import TlsFacts
from postroom.core.events import Event, EventType, rfc3339
from postroom.core.identity import Kind
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import Store, StoreUnavailable
from postroom.core.ports.world import World

log = structlog.get_logger()


class Certificates:
    """What servers show, kept and told."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._seen: dict[tuple[str, Direction], str] = {}

    async def seen(self, mailbox: Mailbox, direction: Direction, facts: TlsFacts | None) -> None:
        """Keeps what a sign-in showed. A large provider renews its certificates without us. Never raises: that mail
        goes on matters more."""
        certificate = of_facts(mailbox.id, direction, facts, self._world.now())
        key = (mailbox.id, direction)
        if certificate is None or mailbox.provider != provider.GENERIC.key:
            return
        if self._seen.get(key) == certificate.fingerprint:
            return
        try:
            await self._note(mailbox, certificate)
        except StoreUnavailable as unavailable:
            log.warning("a certificate is noted later", mailbox=mailbox.id, error=str(unavailable))
        else:
            self._seen[key] = certificate.fingerprint

    async def ahead(self) -> None:
        """Tells of those that end soon, each at 14 and at 3 days, whichever process has the mailbox."""
        now = self._world.now()
        for one in await self._store.certificates_ending(now + timedelta(days=max(TOLD_BEFORE))):
            days = to_tell(one, now)
            view = await self._store.mailbox(one.mailbox_id)
            if days is None or view is None:
                continue
            event = self._event(EventType.MAILBOX_CERTIFICATE_ENDING, view.mailbox, one, now)
            if await self._store.note_certificate_told(one, days, event):
                ends = rfc3339(one.not_after)
                log.warning("a certificate ends soon", mailbox=one.mailbox_id, direction=one.direction.word, ends=ends)

    async def _note(self, mailbox: Mailbox, seen: Certificate) -> None:
        both = await self._store.certificates(mailbox.id)
        known = next((one for one in both if one.direction is seen.direction), None)
        if known is not None and known.fingerprint == seen.fingerprint:
            return
        event = None
        if known is not None and is_another(known, seen, own_authority=mailbox.ca_certificate is not None):
            changed = {"before": {"issuer": known.issuer, "ends_at": rfc3339(known.not_after)}}
            kind = EventType.MAILBOX_CERTIFICATE_CHANGED
            event = self._event(kind, mailbox, seen, seen.seen_at, changed)
            log.warning("a server shows another certificate", mailbox=mailbox.id, direction=seen.direction.word)
        await self._store.note_certificate(replace(seen, told=None), event)

    def _event(
        self, kind: EventType, mailbox: Mailbox, one: Certificate, now: datetime, more: dict[str, Any] | None = None
    ) -> Event:
        data = {
            "id": mailbox.id,
            "address": mailbox.address,
            "reference": mailbox.reference,
            "direction": one.direction.word,
            "host": mailbox.endpoint(one.direction).host,
            "issuer": one.issuer,
            "subject": one.subject,
            "ends_at": rfc3339(one.not_after),
        }
        return Event(self._world.identifier(Kind.EVENT), kind, now, mailbox.id, data | (more or {}))
