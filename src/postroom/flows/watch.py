"""One mailbox's receiving session: sign in, catch up, idle, until it breaks. It judges nothing (recover)."""

from __future__ import annotations

import asyncio

import structlog

from postroom.core import provider
from postroom.core.diagnosis import Evidence, Failure, Stage
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import Lease, LeaseLost, MailboxGone, Store, StoreUnavailable
from postroom.core.ports.wire import Idled, ImapSession
from postroom.core.ports.world import World
from postroom.flows.recover import Recover
from postroom.flows.sessions import Sessions
from postroom.flows.sync import Sync

log = structlog.get_logger()

OTHER_FOLDERS = 60.0
"""Seconds between looks into folders that are not idled on."""
CHECK = 240.0
"""Seconds after which a folder is opened anew, whatever IDLE and NOOP say: some servers take IDLE and never tell, and
no mailbox may be silent for more than five minutes while its server has mail."""
TURN = 2.0
"""Seconds that one folder's old mail may keep another folder's new mail waiting."""
STORE_PAUSE = 2.0
"""Seconds before a session goes on after the database could not serve."""


class Watch:
    """Runs receiving sessions."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        sync: Sync,
        recover: Recover,
        world: World,
        *,
        poll_seconds: float = 60.0,
        check_seconds: float = CHECK,
    ) -> None:
        self._store = store
        self._world = world
        self._sessions = sessions
        self._sync = sync
        self._recover = recover
        self._poll_seconds = poll_seconds
        self._check_seconds = check_seconds

    async def run(self, lease: Lease) -> None:
        """One session, from sign-in to its end. Returns when it broke, its health being written; never raises."""
        view = await self._store.mailbox(lease.mailbox_id)
        if view is None:
            return
        mailbox = view.mailbox
        failure: Failure | None = None
        try:
            while await self._session(lease, mailbox):
                if (view := await self._store.mailbox(lease.mailbox_id)) is None:
                    return
                mailbox = view.mailbox
        except* Failure as failures:
            failure = _first(failures)
        except* LeaseLost:
            log.info("another worker has the mailbox", mailbox=mailbox.id)
        except* MailboxGone:
            log.info("the mailbox was removed", mailbox=mailbox.id)
        except* StoreUnavailable as unavailable:
            log.warning("store unavailable", mailbox=mailbox.id, error=str(unavailable.exceptions[0]))
            await asyncio.sleep(STORE_PAUSE)
        except* Exception as faults:
            # A fault of ours must not be silent, nor spin: it shows as a diagnosis and is tried again with backoff.
            log.exception("receiving broke by a fault of ours", mailbox=mailbox.id)
            fault = f"{type(faults.exceptions[0]).__name__}"
            evidence = Evidence(Direction.IMAP, Stage.FETCH, provider=mailbox.provider, exception=fault)
            failure = Failure(evidence)
        if failure is not None:
            await self._broke(mailbox, failure)

    async def _broke(self, mailbox: Mailbox, failure: Failure) -> None:
        try:
            await self._recover.failed(mailbox, Direction.IMAP, failure)
        except MailboxGone:
            log.info("the mailbox was removed", mailbox=mailbox.id)
        except StoreUnavailable as unavailable:
            log.warning("store unavailable", mailbox=mailbox.id, error=str(unavailable))
            await asyncio.sleep(STORE_PAUSE)

    async def _session(self, lease: Lease, mailbox: Mailbox) -> bool:
        """Until it breaks. True where another is to follow at once, which is no trouble and nobody's health: its token
        has died after it had worked, and there is a fresh one; or its settings were changed while it was opened."""
        session = await self._sessions.receiving(mailbox)
        worked = False
        try:
            for folder in mailbox.folders:
                await session.select(folder)
            await self._recover.works(mailbox, Direction.IMAP)
            # A change before that was taken for tried by it; one that comes later ends this session (own).
            view = await self._store.mailbox(mailbox.id)
            if view is None or _read(view.mailbox) != _read(mailbox):
                log.info("the settings were changed meanwhile", mailbox=mailbox.id)
                return True
            worked = True
            await self._all_folders(lease, session, mailbox, reconnected=True)
            while True:
                await self._until_checked(lease, session, mailbox)
                await self._all_folders(lease, session, mailbox)
        except* Failure as failures:
            evidence = _first(failures).evidence
            if not worked or not await self._sessions.renewed(mailbox, Direction.IMAP, evidence):
                raise
            log.info("a session ended with its token", mailbox=mailbox.id)
        finally:
            session.abort()
        return True

    async def _all_folders(
        self, lease: Lease, session: ImapSession, mailbox: Mailbox, *, reconnected: bool = False
    ) -> None:
        """Looks into each folder; while there is much to read they take turns."""
        seconds = TURN if len(mailbox.folders) > 1 else None
        left = list(mailbox.folders)
        while left:
            # The first folder comes last: it stays selected, and is the one to idle on.
            for folder in reversed(mailbox.folders):
                selected = await session.select(folder)
                is_new = reconnected and folder in left
                brought = await self._sync.folder(
                    lease, session, mailbox, selected, seconds=seconds, reconnected=is_new
                )
                if not brought.more and folder in left:
                    left.remove(folder)
            await self._store.heard(mailbox.id, Direction.IMAP, self._world.now())

    async def _until_checked(self, lease: Lease, session: ImapSession, mailbox: Mailbox) -> None:
        """Waits for news of the first folder, until all are to be looked into."""
        loop = asyncio.get_running_loop()
        others = OTHER_FOLDERS if "IDLE" in session.capabilities else self._poll_seconds
        ends = loop.time() + (others if len(mailbox.folders) > 1 else self._check_seconds)
        while (left := ends - loop.time()) > 0:
            news = await self._wait(session, mailbox, left)
            await self._store.heard(mailbox.id, Direction.IMAP, self._world.now())
            if news is Idled.NEWS:
                await self._sync.news(lease, session, mailbox, mailbox.folders[0])

    async def _wait(self, session: ImapSession, mailbox: Mailbox, seconds: float) -> Idled:
        if "IDLE" in session.capabilities:
            return await session.idle(min(seconds, float(provider.by_key(mailbox.provider).idle_seconds)))
        await asyncio.sleep(min(seconds, self._poll_seconds))
        return await session.noop()


def _read(mailbox: Mailbox) -> tuple[object, ...]:
    """What a session follows."""
    return mailbox.imap, mailbox.ca_certificate, mailbox.auth_kind, mailbox.folders, mailbox.sync_days


def _first(group: BaseExceptionGroup[Failure]) -> Failure:
    for one in group.exceptions:
        return _first(one) if isinstance(one, BaseExceptionGroup) else one
    raise AssertionError("an exception group is never empty")
