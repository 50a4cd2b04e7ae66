"""What many mailboxes of one server share: told as the provider's trouble, not as theirs. It changes no health."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from postroom.core import retry
from postroom.core.diagnosis import Diagnosis
from postroom.core.diagnosis.incident import as_incident, as_shared, may_be_shared
from postroom.core.health import ASKED_FOR, INCIDENT_LASTS, Health, has_lasted, is_common, may_be_common
from postroom.core.mailbox import Mailbox
from postroom.core.ports.store import Store
from postroom.core.ports.world import World

log = structlog.get_logger()

WINDOW = timedelta(minutes=15)
GLANCE = timedelta(seconds=10)
"""For which a count serves: in an outage each of thousands of mailboxes asks every half minute."""


class Incidents:
    """Compares a mailbox's failure with those of the others at its server."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._counted: dict[tuple[str, str, str], tuple[datetime, tuple[int, int]]] = {}

    async def refusal(self, mailbox: Mailbox, health: Health, diagnosis: Diagnosis) -> Diagnosis | None:
        """The refusal of a sign-in told as the provider's trouble, None where it is this mailbox's own."""
        host, now = mailbox.endpoint(health.direction).host, self._world.now()
        alike, of_provider = await self._store.refused_alike(mailbox.provider, host, diagnosis.name, now - WINDOW)
        if not is_common(alike, of_provider):
            return None
        if has_lasted(health, now):
            found = await self._store.asked_and_working(
                mailbox.provider,
                host,
                diagnosis.name,
                asked_since=max(health.since + INCIDENT_LASTS, now - ASKED_FOR),
                began=health.since,
                until=now - WINDOW,
            )
            if not may_be_common(*found):
                return None
        log.warning("many mailboxes are refused alike", provider=mailbox.provider, code=diagnosis.name, mailboxes=alike)
        # Every try is still a refused sign-in at the provider: few, and no person is called.
        wait = int(max(retry.SLOW.total_seconds(), diagnosis.retry_after or 0))
        return as_incident(diagnosis, alike=alike, of_provider=of_provider, host=host, wait=wait)

    async def passing(self, mailbox: Mailbox, diagnosis: Diagnosis) -> Diagnosis:
        """The same trouble, told as many mailboxes' where it is."""
        if not may_be_shared(diagnosis):
            return diagnosis
        host = mailbox.endpoint(diagnosis.direction).host
        alike, of_provider = await self._count(mailbox.provider, host, diagnosis.name)
        if not is_common(alike, of_provider):
            return diagnosis
        return as_shared(diagnosis, alike=alike, of_provider=of_provider, host=host)

    async def _count(self, provider: str, host: str, code: str) -> tuple[int, int]:
        key, now = (provider, host, code), self._world.now()
        self._counted = {each: one for each, one in self._counted.items() if timedelta(0) <= now - one[0] < GLANCE}
        if key not in self._counted:
            self._counted[key] = now, await self._store.refused_alike(provider, host, code, now - WINDOW)
        return self._counted[key][1]
