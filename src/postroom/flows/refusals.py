"""Messages at which a server ended our reading, or which it does not give: how often, and its words. It is a memory of
this process; it fetches nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from postroom.core.cursor import Cursor
from postroom.core.diagnosis import Failure

TIMES = 3
"""Times that a server refuses one message, the last two of them alone, before it is set apart without its bytes."""
LONGEST_WORDS = 300
"""Characters of a server's words that are kept."""
WITHHELD = "it shows the message and does not give it"


@dataclass(frozen=True, slots=True)
class Refused:
    """How often a message was refused, and the server's last words to it."""

    times: int = 0
    words: str = ""


class Refusals:
    """What servers refused, by folder."""

    def __init__(self) -> None:
        self._by_folder: dict[tuple[str, str, int], dict[int, Refused]] = defaultdict(dict)

    def of(self, cursor: Cursor) -> frozenset[int]:
        """UIDs of the folder that were refused."""
        return frozenset(self._by_folder.get(_key(cursor), ()))

    def note(self, cursor: Cursor, uid: int, broken: Failure) -> None:
        """A line that was lost says nothing about a message; a server that says NO or BYE at one, again and again,
        cannot give it, and would keep us from all the others. `uid` is the one that was to come; 0 for none."""
        if broken.evidence.status is not None and uid:
            self._add(cursor, uid, broken.evidence.raw.strip()[-LONGEST_WORDS:])

    def withheld(self, cursor: Cursor, uid: int) -> None:
        """The server answered the fetch without this message, and has it all the same."""
        self._add(cursor, uid, WITHHELD)

    def _add(self, cursor: Cursor, uid: int, words: str) -> None:
        of_folder = self._by_folder[_key(cursor)]
        of_folder[uid] = Refused(of_folder.get(uid, Refused()).times + 1, words)

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
        of_folder = self._by_folder.get(_key(cursor))
        if of_folder is not None and of_folder.pop(uid, None) is not None and not of_folder:
            del self._by_folder[_key(cursor)]


def _key(cursor: Cursor) -> tuple[str, str, int]:
    return cursor.mailbox_id, cursor.folder, cursor.uid_validity
