"""What an agent sends from elsewhere, the mailbox's own webmail say: its Sent folder is read beside the others, over
the same connection. It judges nothing (recover), and files no copies (sent)."""

from __future__ import annotations

from math import inf

import structlog

from postroom.core.diagnosis import Evidence
from postroom.core.mailbox import Mailbox
from postroom.core.message import Flow
from postroom.core.ports.store import Lease
from postroom.core.ports.wire import ImapSession
from postroom.flows.sync import Brought, Sync

log = structlog.get_logger()

SPREAD = 30.0
"""Seconds within which Sent is first looked into after a sign-in: thousands may sign in at the same time."""
SOON = 2.0
"""Seconds between looks into Sent, however much comes in."""
OFTEN = 60.0
"""Seconds between looks for some time after news: people answer what has come."""
LIVELY = 600.0
"""Seconds for which news makes looks more frequent; at rest, Sent is looked into with the other folders."""
TURN = 2.0
"""Seconds that what was sent may keep what comes in waiting."""
REFUSALS = frozenset({"NO", "BAD"})


class SentFolder:
    """The Sent folder in one session, and when it is looked into next, by a clock that the caller reads."""

    def __init__(self, name: str, due: float) -> None:
        self.name = name
        self._lively = self._looked = -inf
        self._due = due

    def news(self, now: float) -> None:
        """Something came in, or was marked as answered."""
        self._lively = now + LIVELY
        self._due = min(self._due, max(now, self._looked + SOON))

    def looked(self, now: float) -> None:
        self._looked = now
        self._due = now + OFTEN if now < self._lively else inf

    def left(self, now: float) -> float:
        """Seconds until it is due; infinite where nothing happens."""
        return max(0.0, self._due - now)


class Elsewhere:
    """The Sent folders of this worker's mailboxes. A folder that a server shows and does not let us open is passed over
    from then on, in this process: what the mailbox receives must not suffer by it."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._closed: set[tuple[str, str]] = set()

    async def of(self, session: ImapSession, mailbox: Mailbox, now: float, jitter: float) -> SentFolder | None:
        """The Sent folder, where it is to be read and is not among those that are read anyway. `jitter`, from 0 to 1,
        says when within SPREAD it is first due."""
        if not mailbox.read_sent:
            return None
        name = await session.sent_folder()
        if name is None or name in mailbox.folders or (mailbox.id, name) in self._closed:
            return None
        return SentFolder(name, now + jitter * SPREAD)

    async def look(self, lease: Lease, session: ImapSession, mailbox: Mailbox, sent: SentFolder) -> Brought | None:
        """What came of it; None where nothing was to be done, and the folder that was selected is so still.

        Raises Failure as `sync` does.
        """
        shown = await session.status(sent.name)
        if shown is None or not await self._sync.has_news(lease, shown):
            return None
        selected = await session.select(sent.name)
        return await self._sync.folder(lease, session, mailbox, selected, seconds=TURN, flow=Flow.OUTBOUND)

    def given_up(self, mailbox: Mailbox, sent: SentFolder | None, failure: Evidence) -> bool:
        """Whether the session ended because Sent may not be opened: then it is opened anew without it."""
        if sent is None or failure.folder != sent.name or failure.status not in REFUSALS:
            return False
        log.warning("the Sent folder cannot be read", mailbox=mailbox.id, because=failure.response_code)
        self._closed.add((mailbox.id, sent.name))
        return True
