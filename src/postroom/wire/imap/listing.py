"""Folders as LIST shows them, with their special uses (RFC 6154). It does not say which of them is meant, or Sent."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.core.diagnosis.evidence import Stage
from postroom.wire.imap.dialogue import Dialogue
from postroom.wire.imap.grammar import Data, Status
from postroom.wire.imap.names import folder_of
from postroom.wire.imap.tokens import Unparsable


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as LIST shows it: attributes in lower case, the character between levels, the name in Unicode."""

    attributes: frozenset[str]
    delimiter: str | None
    name: str

    @property
    def selectable(self) -> bool:
        return not self.attributes & {"\\noselect", "\\nonexistent"}


async def listed(dialogue: Dialogue) -> list[Folder]:
    """All folders (stage select). Raises Failure."""
    dialogue.begin(Stage.SELECT)
    status, found = await ask_for_folders(dialogue)
    dialogue.accepted(status)
    return found


async def ask_for_folders(dialogue: Dialogue) -> tuple[Status, list[Folder]]:
    """All folders and what the server says to that."""
    found: list[Folder] = []

    def keep(data: Data) -> None:
        if data.name in ("LIST", "XLIST"):
            found.append(_folder(data, utf8=dialogue.utf8))

    # A server may keep special uses to itself unless asked for them (RFC 6154 2).
    if {"LIST-EXTENDED", "SPECIAL-USE"} <= dialogue.capabilities or "IMAP4REV2" in dialogue.capabilities:
        status = await dialogue.ask(b'LIST "" "*" RETURN (SPECIAL-USE)', keep)
        if status.word == "OK":
            return status, found
        found.clear()
    return await dialogue.ask(b'LIST "" "*"', keep), found


def _folder(data: Data, *, utf8: bool) -> Folder:
    tokens = data.tokens()
    if len(tokens) < 3 or not isinstance(tokens[0], list):
        raise Unparsable("a LIST response without attributes, delimiter and name")
    attributes, delimiter = tokens[0], tokens[1]
    name = folder_of(tokens[2], utf8=utf8)
    if name is None:
        raise Unparsable("a LIST response whose name is a list")
    return Folder(
        attributes=frozenset(str(attribute).lower() for attribute in attributes),
        delimiter=delimiter.decode(errors="replace") or None if isinstance(delimiter, bytes) else None,
        name=name,
    )
