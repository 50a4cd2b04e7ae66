"""Messages at which a server ended our reading, which it does not give, or which a line does not carry: how often, the
server's words, and what has come so far. It is a memory of this process; it fetches nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from postroom.core.cursor import Cursor
from postroom.core.diagnosis import Failure

TIMES = 3
"""Times that a server refuses one message, the last two of them alone, before it is set apart without its bytes."""
LONGEST_WORDS = 300
"""Characters of a server's words that are kept."""
LOST = 2
"""Times that the line was lost at one message, after which it is read last, alone and by parts."""
WITHHELD = "it shows the message and does not give it"


@dataclass(frozen=True, slots=True)
class Refused:
    """How often a message was refused, and the server's last words to it; how often the line was lost while it came."""

    times: int = 0
    words: str = ""
    lost: int = 0


class Refusals:
    """What servers refused, by folder."""

    def __init__(self) -> None:
        self._by_folder: dict[tuple[str, str, int], dict[int, Refused]] = defaultdict(dict)
        self._begun: dict[tuple[str, str, int], tuple[int, bytearray]] = {}

    def of(self, cursor: Cursor) -> frozenset[int]:
        """UIDs of the folder that were refused, or that the line did not carry: they wait for the others."""
        known = self._by_folder.get(_key(cursor), {})
        return frozenset(uid for uid, one in known.items() if one.times or one.lost >= LOST)

    def turn(self, cursor: Cursor, uid: int) -> tuple[bool, int]:
        """Sorts them: the one of which something has come first, then those that were asked for least often."""
        refused = self._by_folder.get(_key(cursor), {}).get(uid, Refused())
        return self._begun.get(_key(cursor), (0,))[0] != uid, refused.times + refused.lost

    def by_parts(self, cursor: Cursor, uid: int) -> bool:
        """Whether the line is lost each time that it comes whole."""
        return self._by_folder.get(_key(cursor), {}).get(uid, Refused()).lost >= LOST

    def begun(self, cursor: Cursor, uid: int) -> bytearray:
        """The bytes of it that have come so far; of one message in each folder."""
        of, came = self._begun.get(_key(cursor), (uid, bytearray()))
        if of != uid:
            came = bytearray()
        self._begun[_key(cursor)] = (uid, came)
        return came

    def note(self, cursor: Cursor, uid: int, broken: Failure) -> None:
        """A line that was lost says little about a message: it only waits for the others; a server that says NO or BYE
        at one, again and again, cannot give it, and would keep us from all the others. `uid` is the one that was to
        come; 0 for none."""
        if broken.evidence.status is not None and uid:
            self._add(cursor, uid, broken.evidence.raw.strip()[-LONGEST_WORDS:])
        elif uid:
            of_folder = self._by_folder[_key(cursor)]
            before = of_folder.get(uid, Refused())
            of_folder[uid] = replace(before, lost=before.lost + 1)

    def withheld(self, cursor: Cursor, uid: int) -> None:
        """The server answered the fetch without this message, and has it all the same."""
        self._add(cursor, uid, WITHHELD)

    def _add(self, cursor: Cursor, uid: int, words: str) -> None:
        of_folder = self._by_folder[_key(cursor)]
        before = of_folder.get(uid, Refused())
        of_folder[uid] = replace(before, times=before.times + 1, words=words)

    def given_up(self, cursor: Cursor, uid: int) -> bool:
        """Whether it is not asked for any more."""
        refused = self._by_folder.get(_key(cursor), {}).get(uid)
        return refused is not None and refused.times >= TIMES

    def reason(self, cursor: Cursor, uid: int) -> str:
        """Why it stands in the ledger without its bytes."""
        refused = self._by_folder.get(_key(cursor), {}).get(uid, Refused())
        return f"the mail server could not give this message, in {refused.times} tries: {refused.words}"

    def settled(self, cursor: Cursor, uid: int) -> None:
        """It is in the ledger."""
        if self._begun.get(_key(cursor), (0,))[0] == uid:
            del self._begun[_key(cursor)]
        of_folder = self._by_folder.get(_key(cursor))
        if of_folder is not None and of_folder.pop(uid, None) is not None and not of_folder:
            del self._by_folder[_key(cursor)]


def _key(cursor: Cursor) -> tuple[str, str, int]:
    return cursor.mailbox_id, cursor.folder, cursor.uid_validity
