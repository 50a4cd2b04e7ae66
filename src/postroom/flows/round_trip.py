"""A message from a mailbox to itself, sent and awaited in its folder, then removed. Nothing else is sent or removed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from postroom.core.compose import Composed, Draft, compose
from postroom.core.diagnosis import Diagnosis, Failure, diagnose
from postroom.core.diagnosis.evidence import Evidence, Unanswered
from postroom.core.mailbox import Direction
from postroom.core.message import Address
from postroom.core.ports.wire import Envelope, ImapSession, ImapWire, SmtpWire, Step
from postroom.core.ports.world import World
from postroom.flows.probe import Connection, OnStep

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 3.0
"""Seconds between two looks into the folder: most mail is there at once."""
PATIENCE = 30.0
"""Seconds that opening a session may take, and the look into Junk with the removal."""
TEXT = (
    "This message was sent by `postroom check --send-test` to see whether mail from this mailbox to itself arrives.\n"
    "You can delete it.\n"
)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What became of the message. `diagnosis` is there where a server refused, `finding` where the message was lost:
    one sentence for a person. `folder` is where it was found, `seconds` from being accepted until then; `removed`
    whether it is gone again."""

    message_id: str
    steps: tuple[Step, ...]
    diagnosis: Diagnosis | None = None
    finding: str | None = None
    folder: str | None = None
    seconds: float | None = None
    removed: bool = False

    @property
    def ok(self) -> bool:
        return self.diagnosis is None and self.finding is None


class Traveller:
    """Makes round trips."""

    def __init__(self, imap: ImapWire, smtp: SmtpWire, world: World) -> None:
        self._imap = imap
        self._smtp = smtp
        self._world = world

    async def round_trip(
        self, connection: Connection, *, wait: float, folder: str = "INBOX", on_step: OnStep | None = None
    ) -> RoundTrip:
        """Sends, and looks for it in `folder` for `wait` seconds. Receiving is opened first: where that fails nothing
        is sent. Raises nothing for what servers do."""
        domain = connection.address.rpartition("@")[2]
        trip = _Trip(f"postroom-test-{self._world.secret(12)}@{domain}", on_step)
        try:
            async with asyncio.timeout(PATIENCE):
                session = await self._imap.open(connection.account(Direction.IMAP))
        except (Failure, TimeoutError) as error:
            trip.failed(Direction.IMAP, "arrive", error)
            return trip.told()
        try:
            if await self._sent(connection, trip):
                async with asyncio.timeout(wait + PATIENCE):
                    await _arrival(session, folder, trip, wait)
                    if trip.folder is not None:
                        await _removal(session, trip)
        except (Failure, TimeoutError) as error:
            trip.failed(Direction.IMAP, "arrive", error)
        finally:
            await session.logout()
        return trip.told()

    async def _sent(self, connection: Connection, trip: _Trip) -> bool:
        """Whether the message may be on its way."""
        composed = self._composed(connection.address, trip.message_id)
        envelope = Envelope(connection.address, composed.envelope_recipients, composed.needs_utf8)
        try:
            async with asyncio.timeout(2 * PATIENCE):
                session = await self._smtp.open(connection.account(Direction.SMTP))
                try:
                    answer = await session.send(envelope, composed.raw, _agreed)
                finally:
                    await session.quit()
        except Unanswered:
            trip.took_step(Direction.SMTP, "send", False, "handed over, and the answer was cut off: it may arrive")
            return True
        except (Failure, TimeoutError) as error:
            trip.failed(Direction.SMTP, "send", error)
            return False
        for reply in (answer.sender, *answer.recipients.values(), *([answer.data] if answer.data else [])):
            if reply.evidence is not None:
                trip.failed(Direction.SMTP, "send", Failure(reply.evidence))
                return False
        trip.took_step(Direction.SMTP, "send", True, f"accepted: {answer.data.text if answer.data else ''}")
        return True

    def _composed(self, address: str, message_id: str) -> Composed:
        draft = Draft(
            mailbox_id="",
            to=(Address(address),),
            subject="Postroom test message",
            text=TEXT,
            headers=(("X-Auto-Response-Suppress", "All"),),  # else an absence note answers it
        )
        return compose(draft, sender=Address(address), message_id=message_id, date=self._world.now())


async def _arrival(session: ImapSession, folder: str, trip: _Trip, wait: float) -> None:
    junk = await session.junk_folder()
    pause = FIRST_PAUSE
    while not await session.find(folder, trip.message_id):
        if junk is not None and junk != folder and await session.find(junk, trip.message_id):
            trip.found(junk, f"in {junk}, not in {folder}", ok=False)
            trip.finding = (
                f"The message arrived in {junk}, not in {folder}: the provider takes it for spam. Mark it as no spam "
                "there, and look at SPF, DKIM and DMARC of the domain."
            )
            return
        left = wait - trip.elapsed
        if left <= 0:
            _lost(folder if junk is None else f"{folder} and {junk}", trip, wait)
            return
        await asyncio.sleep(min(left, pause))
        pause = min(LONGEST_PAUSE, pause * 1.5)
    trip.found(folder, f"in {folder}")


def _lost(looked: str, trip: _Trip, wait: float) -> None:
    trip.took_step(Direction.IMAP, "arrive", False, f"not in {looked} after {wait:g} s")
    trip.finding = (
        f"SMTP took the message, and {wait:g} seconds later it is not in {looked}. It is on its way still, or was "
        "lost between the two: look whether a filter or a forwarding rule moves it, whether both servers serve the "
        "same mailbox, and whether a report of non-delivery arrives; then try again with a longer --wait."
    )


async def _removal(session: ImapSession, trip: _Trip) -> None:
    """Only the message itself is deleted, and where that cannot be done it stays."""
    try:
        trip.removed = await session.remove(trip.folder or "", trip.message_id)
    except Failure as failure:
        words = f"left in {trip.folder}: {failure.evidence.raw}"
    else:
        words = f"deleted from {trip.folder}" if trip.removed else f"left in {trip.folder}: this server has no UIDPLUS"
    trip.took_step(Direction.IMAP, "remove", True, words)


async def _agreed() -> bool:
    return True


class _Trip:
    """What is known so far."""

    def __init__(self, message_id: str, on_step: OnStep | None) -> None:
        self.message_id = message_id
        self.folder: str | None = None
        self.removed = False
        self.finding: str | None = None
        self._on_step = on_step
        self._steps: list[Step] = []
        self._diagnosis: Diagnosis | None = None
        self._seconds: float | None = None
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    @property
    def elapsed(self) -> float:
        """Seconds since the last step ended."""
        return self._loop.time() - self._began

    def took_step(
        self, direction: Direction, name: str, ok: bool, detail: str, evidence: Evidence | None = None
    ) -> None:
        step = Step(name, ok, detail, self.elapsed * 1000, evidence)
        self._began = self._loop.time()
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(direction, step)

    def found(self, folder: str, detail: str, *, ok: bool = True) -> None:
        self.folder, self._seconds = folder, self.elapsed
        self.took_step(Direction.IMAP, "arrive", ok, detail)

    def failed(self, direction: Direction, name: str, error: Failure | TimeoutError) -> None:
        if isinstance(error, Failure):
            self._diagnosis = diagnose(error.evidence)
            self.took_step(direction, name, False, error.evidence.raw, error.evidence)
            return
        self.finding = f"The {direction.upper()} server stopped answering during the round trip."
        self.took_step(direction, name, False, "no answer in time")

    def told(self) -> RoundTrip:
        return RoundTrip(
            self.message_id,
            tuple(self._steps),
            self._diagnosis,
            self.finding,
            self.folder,
            self._seconds,
            self.removed,
        )
