"""Breaks and mends: what a success or a failure means for a direction, its deliveries and people. It opens no mail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import structlog

from postroom.core import delivery, retry
from postroom.core.diagnosis import Action, Diagnosis, Failure, diagnose
from postroom.core.diagnosis.lasting import for_a_person, person_after
from postroom.core.events import Event, EventType, mailbox_data
from postroom.core.flapping import damped
from postroom.core.health import Effect, Health, Signal, State, signal_of, step
from postroom.core.identity import Kind
from postroom.core.mailbox import Direction, Mailbox
from postroom.core.oauth.client import is_ours
from postroom.core.ports.store import HealthChange, Store
from postroom.core.ports.world import World
from postroom.flows.incident import Incidents

log = structlog.get_logger()

CHECK_UP = timedelta(minutes=30)
"""How often a sending direction that nobody uses is signed in to, so that its failure is known before a reply waits."""

_TOLD = {
    Effect.TELL_CONNECTED: EventType.MAILBOX_CONNECTED,
    Effect.TELL_DEGRADED: EventType.MAILBOX_DEGRADED,
    Effect.TELL_NEEDS_REAUTH: EventType.MAILBOX_NEEDS_REAUTH,
    Effect.TELL_NEEDS_ATTENTION: EventType.MAILBOX_NEEDS_ATTENTION,
}


class Recover:
    """Keeps each direction's health true."""

    def __init__(self, store: Store, world: World, *, confirm: timedelta = retry.CONFIRM) -> None:
        self._store = store
        self._world = world
        self._confirm = confirm
        self._incidents = Incidents(store, world)
        self._refusals = asyncio.Lock()

    async def works(self, mailbox: Mailbox, direction: Direction) -> Health:
        """The direction was signed in to just now."""
        return await self._apply(mailbox, direction, Signal.SIGNED_IN, None)

    async def failed(self, mailbox: Mailbox, direction: Direction, failure: Failure) -> Health:
        """A session could not be opened, or broke."""
        return await self.judged(mailbox, direction, diagnose(failure.evidence))

    async def judged(self, mailbox: Mailbox, direction: Direction, diagnosis: Diagnosis) -> Health:
        """The direction failed with this diagnosis."""
        signal = signal_of(diagnosis)
        if is_ours(diagnosis):
            # No owner of a mailbox can mend our own OAuth client: the admin is told of that, once (tokens).
            diagnosis = replace(diagnosis, action=Action.RETRY, retry_after=int(retry.SLOW.total_seconds()))
            signal = Signal.FAILED
        elif signal is Signal.SIGN_IN_REFUSED:
            return await self._refused(mailbox, direction, diagnosis)
        elif person_after(diagnosis) and self._lasted(await self._store.health(mailbox.id, direction), diagnosis):
            diagnosis = for_a_person(diagnosis)
            signal = signal_of(diagnosis)
        elif signal is Signal.FAILED:
            diagnosis = await self._incidents.passing(mailbox, diagnosis)
        return await self._apply(mailbox, direction, signal, diagnosis)

    async def _refused(self, mailbox: Mailbox, direction: Direction, diagnosis: Diagnosis) -> Health:
        """One after the other: where many are refused alike for long, one is asked, and the next one sees that."""
        async with self._refusals:
            health = await self._store.health(mailbox.id, direction)
            if told := await self._incidents.refusal(mailbox, health, diagnosis):
                return await self._apply(mailbox, direction, Signal.FAILED, told)
            return await self._apply(mailbox, direction, Signal.SIGN_IN_REFUSED, diagnosis)

    async def unknown_credential(self, mailbox: Mailbox, direction: Direction, diagnosis: Diagnosis) -> Health:
        """We have nothing to sign in with any more: nothing is tried to confirm that, and no provider is to blame."""
        health = await self._apply(mailbox, direction, Signal.SIGN_IN_REFUSED, diagnosis)
        if health.state in (State.SUSPECTED, State.DOUBTED):
            health = await self._apply(mailbox, direction, Signal.SIGN_IN_REFUSED, diagnosis)
        return health

    async def signal(
        self,
        mailbox: Mailbox,
        signal: Signal,
        by: str | None = None,
        directions: Iterable[Direction] = tuple(Direction),
    ) -> None:
        """What a person (`by`, for the stories of deliveries) did to the mailbox."""
        for direction in directions:
            await self._apply(mailbox, direction, signal, None, by)

    async def again(self, mailbox: Mailbox, direction: Direction, signal: Signal) -> Health:
        """The same for one direction."""
        return await self._apply(mailbox, direction, signal, None)

    async def lasted(self, mailbox: Mailbox, direction: Direction) -> Health:
        """A failure has lasted so long that people are told."""
        return await self._apply(mailbox, direction, Signal.LASTED, None)

    async def _apply(
        self,
        mailbox: Mailbox,
        direction: Direction,
        signal: Signal,
        diagnosis: Diagnosis | None,
        by: str | None = None,
    ) -> Health:
        while True:
            health = await self._store.health(mailbox.id, direction)
            change = replace(self.change(mailbox, health, signal, diagnosis), by=by)
            if await self._store.save_health(change, health.state):
                break
            await asyncio.sleep(0)  # somebody else changed it meanwhile: judge again from there
        if change.health.state is not health.state:
            log.info(
                "health",
                mailbox=mailbox.id,
                direction=direction.word,
                was=health.state,
                now=change.health.state,
                because=signal,
                code=diagnosis.name if diagnosis else None,
                matched=diagnosis.matched if diagnosis else None,
            )
        return change.health

    def change(self, mailbox: Mailbox, health: Health, signal: Signal, diagnosis: Diagnosis | None) -> HealthChange:
        """What the table says, as what is to be written."""
        now = self._world.now()
        state, effects = step(health.state, signal)
        failures = 0 if state is State.CONNECTED else health.failures + (diagnosis is not None)
        next_probe_at = health.next_probe_at
        # That it lasted is only told: it is tried again when it would have been.
        moved = state is not health.state and signal is not Signal.LASTED
        if moved or diagnosis is not None or signal is Signal.SIGNED_IN:
            next_probe_at = retry.next_probe(
                effects,
                failures,
                now,
                self._world.jitter(),
                diagnosis.retry_after if diagnosis else None,
                confirm=self._confirm,
            )
        if state is State.CONNECTED and health.direction is Direction.SMTP:
            next_probe_at = now + CHECK_UP
        new = replace(
            health,
            state=state,
            since=now if state is not health.state else health.since,
            diagnosis=_diagnosis(health, state, signal, diagnosis),
            failures=failures,
            next_probe_at=next_probe_at,
            heard_at=now if signal is Signal.SIGNED_IN else health.heard_at,
        )
        if new.diagnosis is not None and is_ours(new.diagnosis):
            effects = tuple(effect for effect in effects if effect is not Effect.TELL_DEGRADED)
        notices, effects = damped(health.notices, state, signal, effects, now)
        new = replace(new, notices=notices)
        return HealthChange(new, self._deliveries(health.direction, effects), self._events(mailbox, new, effects))

    def _deliveries(self, direction: Direction, effects: tuple[Effect, ...]) -> delivery.Signal | None:
        if direction is Direction.IMAP:
            return None
        if Effect.HOLD in effects:
            return delivery.Signal.HOLD
        return delivery.Signal.RELEASE if Effect.RELEASE in effects else None

    def _events(self, mailbox: Mailbox, health: Health, effects: tuple[Effect, ...]) -> tuple[Event, ...]:
        return tuple(
            Event(
                id=self._world.identifier(Kind.EVENT),
                type=_TOLD[effect],
                at=self._world.now(),
                mailbox_id=mailbox.id,
                data=mailbox_data(mailbox, health),
            )
            for effect in effects
            if effect in _TOLD
        )

    def _lasted(self, health: Health, diagnosis: Diagnosis) -> bool:
        """Whether this passing failure has lasted so long that somebody is called, or was called for it already."""
        after, before = person_after(diagnosis), health.diagnosis
        if after is None or before is None or before.matched != diagnosis.matched:
            return False
        told = health.state is State.NEEDS_ATTENTION
        return told or (health.state is State.DEGRADED and self._world.now() - health.since >= after)


def _diagnosis(health: Health, state: State, signal: Signal, diagnosis: Diagnosis | None) -> Diagnosis | None:
    """What is shown from now on: the newest failure, until it works or a person began anew."""
    if state is State.CONNECTED:
        return None
    if diagnosis is not None or (state is not health.state and signal is not Signal.LASTED):
        return diagnosis
    return health.diagnosis
