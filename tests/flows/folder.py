"""A server with one folder, as a session of the port sees it: what it has, and where it lies, breaks or refuses."""

from datetime import UTC, datetime, timedelta

from postroom.core.cursor import Selected, Sized
from postroom.core.diagnosis import Evidence, Failure, Stage
from postroom.core.mailbox import Direction
from postroom.core.ports.wire import Fetched, Idled
from postroom.core.uids import Uids
from tests.walks.letters import letter

NOW = datetime(2026, 7, 6, tzinfo=UTC)


def letters(first, last):
    """Messages by UID; their names say it too."""
    return {uid: letter(f"uid-{uid}") for uid in range(first, last + 1)}


class Folder:
    """A session with one folder: `raws` by UID, `dates` of taking in where they are not NOW. `breaks_at` is the UID
    whose fetch loses the connection, `refuses` the one at which the server says BYE. `gone` are shown with their sizes
    and removed before they are fetched; `withheld` are shown and never given."""

    capabilities = frozenset()
    closed = False

    def __init__(self, raws, uid_validity=1, exists=None, uid_next=None, modseq=None):
        self.raws = dict(raws)
        self.dates = {}
        self.uid_validity = uid_validity
        self.exists, self.uid_next, self.modseq = exists, uid_next, modseq
        self.breaks_at = self.refuses = None
        self.gone, self.withheld = set(), set()
        self.fetched, self.asked = [], []
        self.news = False
        self.on_fetch = None  # called with each UID that is fetched

    def selected(self, folder="INBOX"):
        uid_next = max(self.raws, default=0) + 1 if self.uid_next is None else self.uid_next
        exists = len(self.raws) if self.exists is None else self.exists
        return Selected(folder, self.uid_validity, uid_next, exists, self.modseq)

    def arrive(self, uid, raw=None):
        """What comes while we are there."""
        self.raws[uid] = raw if raw is not None else letter(f"uid-{uid}")
        self.news = True

    async def noop(self):
        news, self.news = self.news, False
        return Idled.NEWS if news else Idled.RENEW

    async def uids(self, among=None, since=None):
        self.asked.append("uids")
        there = Uids.of(uid for uid in self.raws if since is None or self.dates.get(uid, NOW).date() >= since)
        there -= Uids.of(self.gone)
        return there if among is None else there & among

    async def sizes(self, first_uid):
        self.asked.append("sizes")
        self.news = False
        return [Sized(uid, len(raw)) for uid, raw in sorted(self.raws.items()) if uid >= first_uid]

    async def sizes_of(self, uids):
        return [Sized(uid, len(raw)) for uid, raw in sorted(self.raws.items()) if uid in uids]

    async def fetch(self, uids):
        for uid in sorted(uids):
            if uid == self.breaks_at:
                raise Failure(Evidence(Direction.IMAP, Stage.FETCH, exception="ConnectionLost: of the test"))
            if uid == self.refuses:
                raise Failure(Evidence(Direction.IMAP, Stage.FETCH, raw="* BYE FETCH failed", status="BYE"))
            if uid in self.raws and uid not in self.gone | self.withheld:
                self.fetched.append(uid)
                if self.on_fetch is not None:
                    self.on_fetch(uid)
                yield Fetched(uid, self.raws[uid], self.dates.get(uid, NOW))

    async def part(self, uid, begin, size):
        self.asked.append("part")
        if uid == self.breaks_at:
            raise Failure(Evidence(Direction.IMAP, Stage.FETCH, exception="ConnectionLost: of the test"))
        if uid in self.gone | self.withheld or uid not in self.raws:
            return None
        return Fetched(uid, self.raws[uid][begin : begin + size], self.dates.get(uid, NOW))


def days_ago(days, now=NOW):
    return now - timedelta(days=days)
