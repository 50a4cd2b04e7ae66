"""Connecting a mailbox: probe both directions, then save and start, or say what failed. It reads no mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from postroom.core import provider
from postroom.core.budget import AS_GRANTED, Budget
from postroom.core.diagnosis import Failure
from postroom.core.health import Health, Signal, State
from postroom.core.identity import Kind
from postroom.core.mailbox import Alias, Credential, Direction, Mailbox, Signature, UnconfirmedPolicy
from postroom.core.ports.store import HealthChange, MailboxView, Store
from postroom.core.ports.world import World
from postroom.flows.doctor import Doctor, OnTry, Patient, Ways
from postroom.flows.probe import Connection, OnStep, Probe, Prober, Report, no_token
from postroom.flows.recover import Recover
from postroom.flows.tokens import Tokens


@dataclass(frozen=True, slots=True)
class NewMailbox:
    """A mailbox to be connected, with its settings."""

    connection: Connection
    hold_hours: int = 72
    folders: tuple[str, ...] = ("INBOX",)
    reference: str | None = None
    unconfirmed: UnconfirmedPolicy = UnconfirmedPolicy.ASK
    aliases: tuple[Alias, ...] = ()
    budget: Budget = AS_GRANTED
    sync_days: int | None = 30
    reply_to: str | None = None
    signature: Signature | None = None
    read_sent: bool = True


class NotConnected(Exception):
    """A direction could not be signed in to; nothing was saved. `report` says which step failed and why."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.diagnosis.message if report.diagnosis else "not connected")
        self.report = report


class NoSuchMailbox(Exception):
    """There is no mailbox with this identifier."""


class Connect:
    """What a person does to a mailbox."""

    def __init__(self, store: Store, prober: Prober, recover: Recover, tokens: Tokens, world: World) -> None:
        self._store = store
        self._prober = prober
        self._doctor = Doctor(prober)
        self._recover = recover
        self._tokens = tokens
        self._world = world

    async def probe(self, connection: Connection, ways: Ways | None = None) -> Report:
        """Tries both directions, saves nothing. With `ways`, those in order, whatever the connection's endpoints."""
        try:
            return await self._tried(await self._with_token(connection), ("INBOX",), ways)
        except Failure as failure:
            return no_token(failure)

    async def add(
        self,
        new: NewMailbox,
        on_step: OnStep | None = None,
        ways: Ways | None = None,
        on_next: OnTry | None = None,
        *,
        in_turn: bool = False,
    ) -> MailboxView:
        """Probes, saves and starts. With `ways`, they are tried in order, and those that serve are saved instead of
        the connection's endpoints; `in_turn`, one direction after the other. Raises NotConnected, AddressTaken."""
        try:
            connection = await self._with_token(new.connection)
        except Failure as failure:
            raise NotConnected(no_token(failure)) from failure
        connection = replace(connection, aliases=tuple(one.address for one in new.aliases))
        report = await self._tried(connection, new.folders, ways, on_step, on_next, in_turn=in_turn)
        if not report.ok:
            raise NotConnected(report)
        connection = replace(
            connection, imap=report.imap.endpoint or connection.imap, smtp=report.smtp.endpoint or connection.smtp
        )
        now = self._world.now()
        mailbox = Mailbox(
            id=self._world.identifier(Kind.MAILBOX),
            address=connection.address,
            name=connection.name,
            provider=provider.of(connection.address, connection.imap.host).key,
            imap=connection.imap,
            smtp=connection.smtp,
            auth_kind=connection.credential.kind,
            created_at=now,
            ca_certificate=connection.ca_certificate,
            hold_hours=new.hold_hours,
            folders=new.folders,
            reference=new.reference,
            unconfirmed=new.unconfirmed,
            aliases=judged_aliases(new.aliases, report.smtp),
            budget=new.budget,
            reply_to=new.reply_to,
            signature=new.signature,
            read_sent=new.read_sent,
            sync_days=new.sync_days,
        )
        changes = [
            self._recover.change(mailbox, Health(mailbox.id, direction, State.CONNECTING, now), Signal.SIGNED_IN, None)
            for direction in Direction
        ]
        await self._store.add_mailbox(mailbox, connection.credential, changes)
        return await self._view(mailbox.id)

    async def _tried(
        self,
        connection: Connection,
        folders: tuple[str, ...],
        ways: Ways | None,
        on_step: OnStep | None = None,
        on_next: OnTry | None = None,
        *,
        in_turn: bool = False,
    ) -> Report:
        if ways is None:
            return await self._prober.probe(connection, folders, on_step)
        patient = Patient(
            connection.address, connection.credential, connection.ca_certificate, folders, aliases=connection.aliases
        )
        visit = await self._doctor.visit(patient, ways.imap, ways.smtp, on_step, on_next, in_turn=in_turn)
        return visit.report

    async def change(self, changed: Mailbox, credential: Credential | None = None) -> MailboxView:
        """Saves new settings; new endpoints or a new credential are probed first. Raises NotConnected."""
        view = await self._view(changed.id)
        new_connection = (
            credential is not None
            or changed.imap != view.mailbox.imap
            or changed.smtp != view.mailbox.smtp
            or changed.ca_certificate != view.mailbox.ca_certificate
            or changed.folders != view.mailbox.folders
            or [one.address for one in changed.aliases] != [one.address for one in view.mailbox.aliases]
        )
        if not new_connection:
            await self._store.update_mailbox(changed)
            read_anew = (changed.sync_days, changed.read_sent) != (view.mailbox.sync_days, view.mailbox.read_sent)
            if read_anew and view.receiving.usable:
                # The session that runs reads as it was told when it began.
                await self._recover.signal(changed, Signal.CHANGED, directions=(Direction.IMAP,))
            return await self._view(changed.id)
        try:
            shown = await self._shown(changed, credential)
        except Failure as failure:
            raise NotConnected(no_token(failure)) from failure
        report = await self._prober.probe(self._connection(changed, shown), changed.folders)
        if not report.ok:
            raise NotConnected(report)
        known = provider.of(changed.address, changed.imap.host).key
        changed = replace(changed, aliases=judged_aliases(changed.aliases, report.smtp))
        await self._store.update_mailbox(replace(changed, provider=known, auth_kind=shown.kind))
        if credential is not None:  # what stood there is not written again: its token may have been renewed meanwhile
            await self._store.set_credential(changed.id, shown)
        await self._recover.signal(changed, Signal.CHANGED)
        return await self._view(changed.id)

    async def reauthenticate(
        self, mailbox_id: str, credential: Credential, on_step: OnStep | None = None
    ) -> MailboxView:
        """Takes a new credential: probed, saved, receiving goes on at its cursor and held mail goes out.

        Raises NotConnected where a direction refuses it; the old credential stays then.
        """
        view = await self._view(mailbox_id)
        try:
            shown = await self._shown(view.mailbox, credential)
        except Failure as failure:
            raise NotConnected(no_token(failure)) from failure
        report = await self._prober.probe(self._connection(view.mailbox, shown), view.mailbox.folders, on_step)
        if not report.ok:
            raise NotConnected(report)
        if view.mailbox.auth_kind is not shown.kind:
            await self._store.update_mailbox(replace(view.mailbox, auth_kind=shown.kind))
        await self._store.set_credential(mailbox_id, shown)
        await self._recover.signal(view.mailbox, Signal.CHANGED)
        await self._recover.works(view.mailbox, Direction.SMTP)
        return await self._view(mailbox_id)

    async def pause(self, mailbox_id: str, by: str | None = None) -> MailboxView:
        """Stops both directions; outgoing mail is held, and its clock runs on."""
        return await self._signal(mailbox_id, Signal.PAUSED, by)

    async def resume(self, mailbox_id: str, by: str | None = None) -> MailboxView:
        return await self._signal(mailbox_id, Signal.RESUMED, by)

    async def check(self, mailbox_id: str, on_step: OnStep | None = None) -> Report:
        """Probes a connected mailbox with what is saved, and sets its health accordingly.

        Where messages are held, signing in does not show that sending works: the oldest goes first, alone, and tells.
        """
        view = await self._view(mailbox_id)
        try:
            shown = await self._shown(view.mailbox, None)
            connection = self._connection(view.mailbox, shown, saved=True)
            report = await self._prober.probe(connection, view.mailbox.folders, on_step)
        except Failure as failure:
            report = no_token(failure)
        aliases = judged_aliases(view.mailbox.aliases, report.smtp)
        if report.smtp.ok and aliases != view.mailbox.aliases:
            await self._store.update_mailbox(replace(view.mailbox, aliases=aliases))
        for probe in (report.imap, report.smtp):
            if probe.diagnosis is not None:
                await self._recover.judged(view.mailbox, probe.direction, probe.diagnosis)
            elif probe.direction is Direction.SMTP and view.held:
                await self._probe_sending(mailbox_id)
            else:
                await self._recover.works(view.mailbox, probe.direction)
        return report

    async def _probe_sending(self, mailbox_id: str) -> None:
        """Has the engine try now, whenever it would have."""
        while not (health := await self._store.health(mailbox_id, Direction.SMTP)).usable:
            now = replace(health, next_probe_at=self._world.now())
            if health.state is State.PAUSED or await self._store.save_health(HealthChange(now), health.state):
                return

    async def remove(self, mailbox_id: str) -> None:
        """Removes the mailbox with all that belongs to it."""
        if not await self._store.delete_mailbox(mailbox_id):
            raise NoSuchMailbox

    async def _with_token(self, connection: Connection) -> Connection:
        """Raises Failure."""
        return replace(connection, credential=await self._tokens.obtained(connection.credential, connection.address))

    async def _shown(self, mailbox: Mailbox, credential: Credential | None) -> Credential:
        """A new credential, or the saved one, with a token that works. Raises Failure."""
        if credential is None:
            return await self._tokens.ready(mailbox, Direction.IMAP)
        return await self._tokens.obtained(credential, mailbox.address)

    async def _view(self, mailbox_id: str) -> MailboxView:
        view = await self._store.mailbox(mailbox_id)
        if view is None:
            raise NoSuchMailbox
        return view

    async def _signal(self, mailbox_id: str, signal: Signal, by: str | None) -> MailboxView:
        view = await self._view(mailbox_id)
        await self._recover.signal(view.mailbox, signal, by)
        return await self._view(mailbox_id)

    def _connection(self, mailbox: Mailbox, credential: Credential, *, saved: bool = False) -> Connection:
        return Connection(
            mailbox.address,
            mailbox.name,
            mailbox.imap,
            mailbox.smtp,
            credential,
            mailbox.ca_certificate,
            saved,
            tuple(one.address for one in mailbox.aliases),
        )


def judged_aliases(aliases: Sequence[Alias], sending: Probe) -> tuple[Alias, ...]:
    """The aliases, with what the server said to each."""
    refused = {address: why.reason for address, why in sending.refused}
    return tuple(replace(one, refused=refused.get(one.address)) for one in aliases)
