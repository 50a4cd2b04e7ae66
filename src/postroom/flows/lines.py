"""Lines: SMTP sessions in use, and kept warm for some seconds after their last message. It sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from postroom.core.diagnosis import Failure
from postroom.core.mailbox import Mailbox
from postroom.core.ports.store import Store, StoreUnavailable
from postroom.core.ports.wire import SmtpSession
from postroom.core.ports.world import World
from postroom.flows.sessions import Sessions

log = structlog.get_logger()

WARM = 10.0
"""Seconds for which a session is kept: long enough for an agent's next reply, shorter than any server's patience."""
FRESH = 1.0
"""Seconds after its last message in which a session is taken without asking whether the server is still there."""


@dataclass(slots=True, eq=False)
class Line:
    """One session and what it has carried. `settings` are what it was signed in with."""

    session: SmtpSession
    settings: Hashable
    opened_at: datetime
    carried: int = 0
    used_at: float = 0.0

    @property
    def usable(self) -> bool:
        """Whether it takes one more message (MAILMAX, RFC 9422)."""
        most = self.session.told.messages
        return not self.session.closed and (most is None or self.carried < most)


class Lines:
    """The sessions of all mailboxes that nobody uses at the moment."""

    def __init__(self, store: Store, sessions: Sessions, world: World) -> None:
        self._store = store
        self._world = world
        self._sessions = sessions
        self._warm: dict[str, list[Line]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def take(self, mailbox: Mailbox) -> Line:
        """A warm session of these very settings where there is one, else a new one. Raises Failure."""
        settings = mailbox.smtp, mailbox.ca_certificate, replace(await self._store.credential(mailbox.id), tokens=None)
        warm = self._warm.get(mailbox.id, [])
        while warm:
            line = warm.pop()
            if line.settings == settings and await self._alive(line):
                return line
            self.end(line)
        session = await self._sessions.sending(mailbox)
        if session.told != mailbox.told:
            await self._remember(mailbox, session)
        return Line(session, settings, self._world.now())

    def give(self, mailbox_id: str, line: Line) -> None:
        """Keeps it for the next message, or ends it where it can carry none."""
        loop = asyncio.get_running_loop()
        if self._closed or not line.usable:
            self.end(line)
            return
        line.used_at = loop.time()
        self._warm.setdefault(mailbox_id, []).append(line)
        loop.call_later(WARM, self._cool, mailbox_id, line)

    def drop(self, mailbox_id: str) -> None:
        """Ends what this mailbox has: it is refused, or another has it."""
        for line in self._warm.pop(mailbox_id, []):
            self.end(line)

    async def close(self) -> None:
        """Ends all, and whatever is given from now on."""
        self._closed = True
        for mailbox_id in list(self._warm):
            self.drop(mailbox_id)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _alive(self, line: Line) -> bool:
        if not line.usable:
            return False
        if asyncio.get_running_loop().time() - line.used_at < FRESH:
            return True
        with suppress(Failure):
            await line.session.noop()
            return True
        return False

    async def _remember(self, mailbox: Mailbox, session: SmtpSession) -> None:
        try:
            await self._store.set_told(mailbox.id, session.told)
        except StoreUnavailable as unavailable:  # the next sign-in tells it again
            log.warning("limits not remembered", mailbox=mailbox.id, error=str(unavailable))
        except BaseException:
            session.abort()
            raise

    def _cool(self, mailbox_id: str, line: Line) -> None:
        warm = self._warm.get(mailbox_id, [])
        if line not in warm:
            return
        left = line.used_at + WARM - asyncio.get_running_loop().time()
        if left > 0.01:  # it was used meanwhile
            asyncio.get_running_loop().call_later(left, self._cool, mailbox_id, line)
            return
        warm.remove(line)
        if not warm:
            self._warm.pop(mailbox_id, None)
        self.end(line)

    def end(self, line: Line) -> None:
        """QUIT; nobody waits for it."""
        task = asyncio.create_task(line.session.quit(), name="quit")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
