"""A signed-in IMAP session: what flows ask for, one command at a time. It holds no connection logic of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import date, datetime
from typing import Final

from postroom.core.cursor import Selected, Sized
from postroom.core.diagnosis.evidence import Failure, Stage, TlsFacts
from postroom.core.ports.wire import Fetched, Idled
from postroom.core.uids import Uids
from postroom.wire.imap import append, fetch, folders, idle, listing, search
from postroom.wire.imap.dialogue import Dialogue

FAREWELL: Final = 2
"""Seconds that the server has to say good-bye."""


class Session:
    """Implements core.ports.wire.ImapSession. Two commands at once are a mistake of the caller's: RuntimeError."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._busy = False

    @property
    def capabilities(self) -> frozenset[str]:
        """As announced after sign-in, in capitals."""
        return self._dialogue.capabilities

    @property
    def tls(self) -> TlsFacts | None:
        """What the handshake showed; None without TLS."""
        return self._dialogue.stream.tls

    @property
    def closed(self) -> bool:
        """Whether the connection is over; a server that has gone away is noticed at once."""
        return self._dialogue.stream.closed

    @property
    def news(self) -> bool:
        """Whether the server has announced something since it was last asked about."""
        return self._dialogue.news

    @property
    def transcript(self) -> list[str]:
        """The last lines of the conversation, without secrets and messages."""
        return list(self._dialogue.stream.transcript)

    @contextmanager
    def _alone(self) -> Iterator[Dialogue]:
        if self._busy:
            raise RuntimeError("an IMAP session does one thing at a time, and another command is under way")
        self._busy = True
        try:
            yield self._dialogue
        finally:
            self._busy = False

    async def select(self, folder: str, *, read_only: bool = True) -> Selected:
        """SELECT, or EXAMINE when read_only. Reported as a step where the session was opened with steps."""
        with self._alone() as dialogue:
            if dialogue.stream.on_step is None:
                return await folders.select(dialogue, folder, read_only=read_only)
            async with dialogue.stream.step("select", Stage.SELECT) as report:
                selected = await folders.select(dialogue, folder, read_only=read_only)
                count = "1 message" if selected.exists == 1 else f"{selected.exists} messages"
                limits = ", read-only" if selected.read_only and not read_only else ""
                report.detail = f"{selected.folder}, {count}{limits}"
                return selected

    async def status(self, folder: str) -> Selected | None:
        """What STATUS says of a folder that is not selected (stage select); None where the server will not say."""
        with self._alone() as dialogue:
            return await folders.status(dialogue, folder)

    async def sizes(self, first_uid: int) -> list[Sized]:
        """UIDs from `first_uid` on with their sizes, ascending (stage fetch)."""
        with self._alone() as dialogue:
            return await fetch.sizes(dialogue, first_uid)

    async def sizes_of(self, uids: Uids) -> list[Sized]:
        """Of these UIDs those that are there, with their sizes, ascending (stage fetch)."""
        with self._alone() as dialogue:
            return await fetch.sizes_of(dialogue, uids)

    async def uids(self, among: Uids | None = None, since: date | None = None) -> Uids:
        """UIDs that the selected folder has (stage fetch); `since` by INTERNALDATE, where the server can."""
        with self._alone() as dialogue:
            return await search.search(dialogue, among, since)

    async def fetch(self, uids: Sequence[int]) -> AsyncIterator[Fetched]:
        """Messages as they arrive (stage fetch). Who leaves the loop early closes the connection."""
        with self._alone() as dialogue:
            async with aclosing(fetch.messages(dialogue, uids)) as arriving:
                async for fetched in arriving:
                    yield fetched

    async def part(self, uid: int, begin: int, size: int) -> Fetched | None:
        """Some bytes of a message (stage fetch); None where it is not there."""
        with self._alone() as dialogue:
            return await fetch.part(dialogue, uid, begin, size)

    async def idle(self, seconds: float) -> Idled:
        """Waits for news (stage idle)."""
        with self._alone() as dialogue:
            return await idle.idle(dialogue, seconds)

    async def noop(self) -> Idled:
        """Asks for news (stage idle)."""
        with self._alone() as dialogue:
            return await idle.noop(dialogue)

    async def sent_folder(self) -> str | None:
        """The Sent folder's name (stage select)."""
        with self._alone() as dialogue:
            return folders.sent_among(await listing.listed(dialogue))

    async def junk_folder(self) -> str | None:
        """The Junk folder's name (stage select)."""
        with self._alone() as dialogue:
            return folders.junk_among(await listing.listed(dialogue))

    async def rights(self, folder: str) -> str | None:
        """The letters of MYRIGHTS (RFC 4314; stage select); None where the server does not say."""
        with self._alone() as dialogue:
            return await folders.rights(dialogue, folder)

    async def create(self, folder: str) -> None:
        """CREATE and SUBSCRIBE (stage append)."""
        with self._alone() as dialogue:
            await folders.create(dialogue, folder)

    async def find(self, folder: str, message_id: str) -> list[int]:
        """UIDs with this Message-ID, given without angle brackets (stages select and fetch)."""
        with self._alone() as dialogue:
            return await append.find(dialogue, folder, message_id)

    async def remove(self, folder: str, message_id: str) -> bool:
        """Deletes the messages with this Message-ID, where that can be done to them alone (stage append)."""
        with self._alone() as dialogue:
            return await append.remove(dialogue, folder, message_id)

    async def append(self, folder: str, raw: bytes, flags: Sequence[str], at: datetime) -> None:
        """APPEND (stage append); a missing folder is made where the server suggests it."""
        with self._alone() as dialogue:
            await append.append(dialogue, folder, raw, flags, at)

    async def logout(self) -> None:
        """LOGOUT and close; never raises."""
        dialogue = self._dialogue
        if not self.closed and not self._busy:
            dialogue.begin(Stage.LOGOUT)
            dialogue.leaving = True
            try:
                async with asyncio.timeout(FAREWELL):
                    await dialogue.ask(b"LOGOUT")
            except (Failure, TimeoutError):
                pass
        await dialogue.stream.close()

    def abort(self) -> None:
        """Closes at once; never raises."""
        self._dialogue.stream.abort()
