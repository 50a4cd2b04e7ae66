"""What one session has been told of its folder: numbers, and what changed since. It sends nothing by itself."""

from __future__ import annotations

from postroom.simulator.folder import Folder, StoredMessage
from postroom.simulator.imap.command import SequenceSet
from postroom.simulator.imap.encoding import flag_list


class View:
    """A folder as a session sees it. Message n is `uids[n - 1]`, until the session is told otherwise."""

    def __init__(self, folder: Folder, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self.recent_from = folder.recent_from
        self.uids = list(folder.messages)
        self._version = folder.version
        if not read_only:
            folder.recent_from = folder.uid_next

    @property
    def numbers(self) -> list[int]:
        return list(range(1, len(self.uids) + 1))

    @property
    def recent(self) -> int:
        return sum(uid >= self.recent_from for uid in self.uids)

    def select(self, chosen: SequenceSet, *, by_uid: bool) -> list[tuple[int, StoredMessage]]:
        """Number and message of what a sequence set names; what is gone meanwhile is left out."""
        named = chosen.of(self.uids) if by_uid else [self.uids[number - 1] for number in chosen.of(self.numbers)]
        wanted = set(named)
        messages = self.folder.messages
        return [(n, messages[uid]) for n, uid in enumerate(self.uids, 1) if uid in wanted and uid in messages]

    def is_recent(self, message: StoredMessage) -> bool:
        return message.uid >= self.recent_from

    def updates(self, *, expunges: bool = True, silent: frozenset[int] = frozenset()) -> bytes:
        """The untagged responses that bring the session up to date; it is taken as told of them.

        Without `expunges` numbers stay as they are (RFC 3501 7.4.1 forbids EXPUNGE during FETCH, STORE and SEARCH).
        `silent` are UIDs whose flags the session knows, having set them.
        """
        folder = self.folder
        if self._version == folder.version:
            return b""
        out: list[bytes] = []
        gone = [n for n, uid in enumerate(self.uids, 1) if uid not in folder.messages]
        if expunges:
            for number in reversed(gone):
                del self.uids[number - 1]
                out.append(b"* %d EXPUNGE\r\n" % number)
        last = self.uids[-1] if self.uids else 0
        for number, uid in enumerate(self.uids, 1):
            message = folder.messages.get(uid)
            if message is not None and message.changed > self._version and uid not in silent:
                out.append(b"* %d FETCH (UID %d FLAGS %b)\r\n" % (number, uid, flag_list(message.flags)))
        new = [uid for uid in folder.messages if uid > last]
        if new:
            self.uids += new
            out.append(b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.uids), self.recent))
            if not self.read_only:
                folder.recent_from = folder.uid_next
        if expunges or not gone:
            self._version = folder.version
        return b"".join(out)
