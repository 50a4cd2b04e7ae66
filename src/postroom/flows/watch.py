"""One mailbox's receiving session: sign in, catch up, idle, until it breaks. It judges nothing (recover)."""

from __future__ import annotations

import asyncio

import structlog

from postroom.core import provider
from postroom.core.diagnosis import Evidence, Failure, Stage, diagnose
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.ports.store import Lease, LeaseLost, MailboxGone, Store, StoreUnavailable
from postroom.core.ports.wire import Idled, ImapSession
from postroom.core.ports.world import World
from postroom.flows.elsewhere import Elsewhere, SentFolder
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
        self._elsewhere = Elsewhere(sync)
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
        has died after it had worked, and there is a fresh one; or its settings were changed while it was opened; or
        the server does not let us into Sent."""
        session = await self._sessions.receiving(mailbox)
        worked = False
        sent: SentFolder | None = None
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
            now = asyncio.get_running_loop().time()
            sent = await self._elsewhere.of(session, mailbox, now, self._world.jitter())
            while True:
                await self._until_checked(lease, session, mailbox, sent)
                await self._all_folders(lease, session, mailbox)
                await self._look_elsewhere(lease, session, mailbox, sent)
        except* Failure as failures:
            evidence = _first(failures).evidence
            without_sent = self._elsewhere.given_up(mailbox, sent, evidence)
            refused = diagnose(evidence)
            if not without_sent and not (worked and await self._sessions.renewed(mailbox, Direction.IMAP, refused)):
                raise
            if not without_sent:
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

    async def _look_elsewhere(
        self, lease: Lease, session: ImapSession, mailbox: Mailbox, sent: SentFolder | None
    ) -> None:
        """What others have sent; while there is much of it, taking turns with what comes in."""
        while sent is not None:
            brought = await self._elsewhere.look(lease, session, mailbox, sent)
            sent.looked(asyncio.get_running_loop().time())
            if brought is not None:
                await self._all_folders(lease, session, mailbox)
            if brought is None or not brought.more:
                return

    async def _until_checked(
        self, lease: Lease, session: ImapSession, mailbox: Mailbox, sent: SentFolder | None
    ) -> None:
        """Waits for news of the first folder, until all are to be looked into. An answer that is sent from elsewhere
        mostly shows there first: the message that it answers is marked."""
        loop = asyncio.get_running_loop()
        others = OTHER_FOLDERS if "IDLE" in session.capabilities else self._poll_seconds
        ends = loop.time() + (others if len(mailbox.folders) > 1 else self._check_seconds)
        while (left := ends - loop.time()) > 0:
            news = await self._wait(session, mailbox, min(left, sent.left(loop.time())) if sent is not None else left)
            await self._store.heard(mailbox.id, Direction.IMAP, self._world.now())
            if news is Idled.NEWS:
                await self._sync.news(lease, session, mailbox, mailbox.folders[0])
                if sent is not None:
                    sent.news(loop.time())
            if sent is not None and sent.left(loop.time()) <= 0:
                await self._look_elsewhere(lease, session, mailbox, sent)

    async def _wait(self, session: ImapSession, mailbox: Mailbox, seconds: float) -> Idled:
        if "IDLE" in session.capabilities:
            return await session.idle(min(seconds, float(provider.by_key(mailbox.provider).idle_seconds)))
        await asyncio.sleep(min(seconds, self._poll_seconds))
        return await session.noop()


def _read(mailbox: Mailbox) -> tuple[object, ...]:
    """What a session follows."""
    which = (mailbox.folders, mailbox.sync_days, mailbox.read_sent)
    return mailbox.imap, mailbox.ca_certificate, mailbox.auth_kind, which


def _first(group: BaseExceptionGroup[Failure]) -> Failure:
    for one in group.exceptions:
        return _first(one) if isinstance(one, BaseExceptionGroup) else one
    raise AssertionError("an exception group is never empty")
