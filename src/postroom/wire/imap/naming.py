"""Which folder people mean by a name: as the server has it, below its prefix ("INBOX.", RFC 2342), in other case, with
"/" between levels. It selects and makes nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Data, Status
from postroom.wire.imap.listing import Folder, ask_for_folders
from postroom.wire.imap.names import folder_argument, folder_of
from postroom.wire.imap.tokens import Token

MAY_BE_ANOTHER_NAME: Final = frozenset({None, "NONEXISTENT", "TRYCREATE", "CANNOT", "NOPERM"})
"""Codes of a NO that says nothing else than that there is no such folder here: not that the server is in trouble."""


def argument(dialogue: Dialogue, folder: str) -> bytes:
    """The folder's name as a command's argument: the name that it was found to have on this server, else as written."""
    return folder_argument(dialogue.names.get(folder, folder), utf8=dialogue.utf8)


async def found_by_another_name(dialogue: Dialogue, folder: str, refusal: Status) -> bool:
    """Whether the server refused `folder` for its name and has one folder that people mean by it; from then on that is
    asked for."""
    if refusal.word != "NO" or refusal.code not in MAY_BE_ANOTHER_NAME or folder in dialogue.names or _is_inbox(folder):
        return False
    status, folders = await ask_for_folders(dialogue)
    meant = meant_by(folder, folders) if status.word == "OK" else None
    if meant is None:
        return False
    dialogue.names[folder] = meant
    return True


def meant_by(folder: str, folders: Iterable[Folder]) -> str | None:
    """The one folder whose levels are those of the name; where none has exactly those, whatever the case. None where
    none or several have, and where one has this very name: then it was refused for something else."""
    usable = [one for one in folders if one.selectable]
    if any(one.name == folder for one in usable):
        return None
    for fold in (_exactly, str.casefold):
        found = {one.name for one in usable if fold(_levels(one)) in {fold(each) for each in _readings(folder, one)}}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _exactly(text: str) -> str:
    return text


def _levels(folder: Folder) -> str:
    """Its levels without INBOX above them, as one text."""
    return _joined(folder.name.split(folder.delimiter) if folder.delimiter else [folder.name])


def _readings(name: str, folder: Folder) -> set[str]:
    """What a name may say: with the server's delimiter between levels, or with the one that people know from paths."""
    return {_joined(name.split(delimiter)) for delimiter in (folder.delimiter, "/") if delimiter} | {_joined([name])}


def _joined(levels: Sequence[str]) -> str:
    below = levels[1:] if len(levels) > 1 and _is_inbox(levels[0]) else levels
    return unicodedata.normalize("NFC", "\0".join(below))


def _is_inbox(name: str) -> bool:
    return name.upper() == "INBOX"


async def to_be_made(dialogue: Dialogue, folder: str) -> bytes:
    """As a command's argument, the name under which a new folder is made: below the personal namespace's prefix
    (RFC 2342), unless it begins with a namespace's prefix already."""
    if folder not in dialogue.names and not _is_inbox(folder):
        prefixes = await _prefixes(dialogue)
        if prefixes and prefixes[0] and not any(folder.startswith(one) for one in prefixes if one):
            dialogue.names[folder] = prefixes[0] + folder
    return argument(dialogue, folder)


async def _prefixes(dialogue: Dialogue) -> list[str]:
    """Of all namespaces, the personal first; nothing where the server does not say."""
    found: list[str] = []

    def keep(data: Data) -> None:
        if data.name == "NAMESPACE":
            found.extend(_prefixes_among(data.tokens(), utf8=dialogue.utf8))

    if dialogue.capabilities & {"NAMESPACE", "IMAP4REV2"}:
        await dialogue.ask(b"NAMESPACE", keep)
    return found


def _prefixes_among(kinds: Sequence[Token], *, utf8: bool) -> list[str]:
    """Of `(("INBOX." ".")) NIL (("" "."))`: personal, other users', shared; an empty first one where there is none."""
    found: list[str] = []
    for kind in kinds:
        spaces = [one for one in kind if isinstance(one, list) and one] if isinstance(kind, list) else []
        named = [folder_of(one[0], utf8=utf8) or "" for one in spaces]
        found += named or [""]
    return found
