"""APPEND of one message, the search for one by its Message-ID, its removal. It does not know what is sent or why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from postroom.core.diagnosis.evidence import Stage
from postroom.wire.imap.dates import date_time
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.fetch import message_ids
from postroom.wire.imap.folders import create, select
from postroom.wire.imap.grammar import Data, Status
from postroom.wire.imap.names import quotable, quoted
from postroom.wire.imap.naming import argument, found_by_another_name
from postroom.wire.imap.tokens import number
from postroom.wire.imap.uids import uid_sets

LOOKED_THROUGH: Final = 50
"""Messages at the end of a folder whose headers are read where the server's search finds nothing."""

_FLAG: Final = re.compile(r"\\?[A-Za-z0-9$_.-]+")


async def append(dialogue: Dialogue, folder: str, raw: bytes, flags: Sequence[str], at: datetime) -> None:
    """APPEND (RFC 9051 6.3.12), stage append; where the folder is missing and may be made ([TRYCREATE]), it is made.

    Raises ValueError for a flag that is no flag.
    """
    if wrong := [flag for flag in flags if not _FLAG.fullmatch(flag)]:
        raise ValueError(f"not IMAP flags: {wrong}")
    status = await _append(dialogue, folder, raw, flags, at)
    if await found_by_another_name(dialogue, folder, status):
        status = await _append(dialogue, folder, raw, flags, at)
    elif status.word == "NO" and status.code == "TRYCREATE":
        await create(dialogue, folder)
        status = await _append(dialogue, folder, raw, flags, at)
    elif status.word == "NO" and status.code is None and dialogue.examined == folder:
        # Courier puts nothing into a folder that this session has open for reading only. CLOSE expunges nothing then.
        await dialogue.ask(b"CLOSE")
        dialogue.examined = None
        status = await _append(dialogue, folder, raw, flags, at)
    dialogue.accepted(status)


async def _append(dialogue: Dialogue, folder: str, raw: bytes, flags: Sequence[str], at: datetime) -> Status:
    dialogue.begin(Stage.APPEND, folder)
    words = b"APPEND %s (%s) %s " % (argument(dialogue, folder), " ".join(flags).encode(), date_time(at))
    section, _, _ = raw.partition(b"\r\n\r\n")
    announced = dialogue.utf8 and not section.isascii()  # a header in UTF-8 has to be (RFC 6855 4)
    tag = await dialogue.send_literals((words + b"UTF8 (~", raw, b")") if announced else (words, raw, b""))
    return await dialogue.result(tag) if isinstance(tag, str) else tag


async def find(dialogue: Dialogue, folder: str, message_id: str, *, read_only: bool = True) -> list[int]:
    """UIDs of the messages with exactly this Message-ID, ascending. Selects the folder.

    A search that finds nothing proves nothing (servers index headers late, in part or not at all): the headers of the
    folder's last messages are read then.
    """
    await select(dialogue, folder, read_only=read_only)
    dialogue.begin(Stage.FETCH, folder)
    if not dialogue.exists:
        return []
    candidates = await _searched(dialogue, message_id.encode())
    found: list[int] = []
    for uids in uid_sets(candidates):
        found += await _matching(dialogue, b"UID FETCH " + uids, message_id)
    if found or not dialogue.exists:
        return found
    return await _matching(dialogue, b"FETCH %d:*" % max(1, dialogue.exists - LOOKED_THROUGH + 1), message_id)


async def remove(dialogue: Dialogue, folder: str, message_id: str) -> bool:
    """Deletes the messages with exactly this Message-ID and nothing else; whether there was one.

    By UID EXPUNGE (RFC 4315): EXPUNGE would take what others marked as well. False, with nothing changed, where the
    server has no UIDPLUS.
    """
    if not dialogue.capabilities & {"UIDPLUS", "IMAP4REV2"}:
        return False
    removed = False
    for uids in uid_sets(await find(dialogue, folder, message_id, read_only=False)):
        dialogue.begin(Stage.APPEND, folder)
        await dialogue.must(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % uids)
        await dialogue.must(b"UID EXPUNGE " + uids)
        removed = True
    return removed


async def _searched(dialogue: Dialogue, message_id: bytes) -> list[int]:
    if not quotable(message_id):
        return []
    found: list[int] = []

    def keep(data: Data) -> None:
        if data.name == "SEARCH":
            # A CONDSTORE server may put (MODSEQ n) behind the numbers (RFC 7162 3.1.5).
            found.extend(number(token) for token in data.tokens() if not isinstance(token, list))

    status = await dialogue.ask(b"UID SEARCH HEADER Message-ID " + quoted(message_id), keep)
    return found if status.word == "OK" else []


async def _matching(dialogue: Dialogue, command: bytes, message_id: str) -> list[int]:
    known = await message_ids(dialogue, command)
    return sorted(uid for uid, found in known.items() if found == message_id)
