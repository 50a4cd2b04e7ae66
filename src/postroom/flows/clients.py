"""Our OAuth clients: entered, changed, mended, and the ends that are told ahead. It signs nobody in (authorize)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from postroom.core.diagnosis import Failure, diagnose
from postroom.core.events import Event, EventType, rfc3339
from postroom.core.health import Signal
from postroom.core.identity import Kind
from postroom.core.oauth import assertion, lifetime
from postroom.core.oauth.authority import ISSUER, Endpoints
from postroom.core.oauth.client import SECRET_ENDS_SOON, ClientKind, OAuthClient, is_ours
from postroom.core.oauth.request import metadata_requests
from postroom.core.oauth.response import Unreadable, endpoints_of
from postroom.core.ports.store import MailboxGone, Store, StoreUnavailable
from postroom.core.ports.wire import OAuthWire
from postroom.core.ports.world import World
from postroom.flows.recover import Recover

log = structlog.get_logger()


class BadClient(Exception):
    """A client cannot be used as it was entered. `field` names what is wrong; the text says how to mend it."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


class NoSuchClient(Exception):
    """There is no OAuth client with this identifier."""


class Clients:
    """What the admin does about the team's OAuth clients."""

    def __init__(self, store: Store, wire: OAuthWire, recover: Recover, world: World) -> None:
        self._store = store
        self._wire = wire
        self._recover = recover
        self._world = world
        self._recoveries: set[asyncio.Task[None]] = set()
        self._wanted: list[OAuthClient] = []

    async def keep(self, wanted: Sequence[OAuthClient]) -> None:
        """Enters what the settings name, or changes what was entered so far. One that cannot be entered now, because
        its issuer does not answer, is logged and looked at again with each tick."""
        self._wanted = list(wanted)
        await self._keep()

    async def _keep(self) -> None:
        for client in list(self._wanted):
            try:
                await self._kept(client)
            except BadClient as bad:
                log.warning("an OAuth client of the settings is not entered", provider=client.provider, error=str(bad))
            else:
                self._wanted.remove(client)

    async def _kept(self, wanted: OAuthClient) -> None:
        known = await self._store.oauth_clients()
        same = next((one for one in known if _registration(one) == _registration(wanted)), None)
        if same is None:
            checked = await self._checked(replace(wanted, created_at=self._world.now()))
            await self._store.add_oauth_client(checked)
            return
        new = replace(
            same,
            secret=wanted.secret,
            tenant=wanted.tenant,
            scopes=wanted.scopes,
            secret_expires_at=wanted.secret_expires_at or same.secret_expires_at,
        )
        if new != same:
            await self.change(new)

    async def add(self, client: OAuthClient) -> OAuthClient:
        """Enters a client; an issuer's metadata is looked up. `id` and `created_at` are given here. Raises
        BadClient."""
        named = replace(client, id=self._world.identifier(Kind.OAUTH_CLIENT), created_at=self._world.now())
        checked = await self._checked(named)
        await self._store.add_oauth_client(checked)
        return checked

    async def change(self, client: OAuthClient) -> OAuthClient:
        """Saves it; what it was in trouble for is forgotten, and its mailboxes try again at once, together. Raises
        BadClient, NoSuchClient."""
        checked = await self._checked(client)
        if not await self._store.update_oauth_client(checked):
            raise NoSuchClient
        mended = replace(checked, trouble=None, trouble_since=None)
        await self._store.note_client_trouble(mended, None)
        await self._recovered(mended)
        return mended

    async def remove(self, client_id: str) -> None:
        """Raises NoSuchClient, ClientInUse."""
        if not await self._store.remove_oauth_client(client_id):
            raise NoSuchClient

    def recover(self, client: OAuthClient) -> None:
        """A token was given to a client that was in trouble: its other mailboxes need not wait. Returns at once."""
        task = asyncio.create_task(self._recovered(client), name=f"recover {client.id}")
        self._recoveries.add(task)
        task.add_done_callback(self._recoveries.discard)

    async def tick(self) -> None:
        """Tells of secrets and sign-ins that end soon, each once. The event of a secret stands with one of its
        mailboxes; a client without any is shown in its own status only."""
        await self._keep()
        now = self._world.now()
        for client in await self._store.oauth_clients():
            ends = client.secret_expires_at
            if ends is not None and client.warned_at is None and ends - now <= SECRET_ENDS_SOON:
                await self._tell_secret(client, ends, now)
        for mailbox_id in await self._store.sign_ins_ending(now + lifetime.SIGN_IN_ENDS_SOON):
            await self._tell_sign_in(mailbox_id, now)

    async def _tell_secret(self, client: OAuthClient, ends: datetime, now: datetime) -> None:
        mailboxes = await self._store.mailboxes_of_client(client.id)
        if not mailboxes:
            return
        data = {
            "id": client.id,
            "provider": client.provider,
            "name": client.title,
            "secret_expires_at": rfc3339(ends),
            "mailboxes": len(mailboxes),
        }
        kind = EventType.OAUTH_CLIENT_SECRET_ENDING
        event = Event(self._world.identifier(Kind.EVENT), kind, now, mailboxes[0], data)
        if await self._store.note_client_warned(client.id, now, event):
            log.warning("an OAuth client's secret ends soon", client=client.id, ends=rfc3339(ends))

    async def _tell_sign_in(self, mailbox_id: str, now: datetime) -> None:
        view = await self._store.mailbox(mailbox_id)
        if view is None:
            return
        held = await self._store.held_credential(mailbox_id)
        client = await self._store.oauth_client(held.credential.client)
        authority = client.authority if client else None
        tokens = held.credential.tokens
        ends = lifetime.ends_at(tokens, authority.unused if authority else None) if tokens else None
        if ends is None:
            return
        mailbox = view.mailbox
        data = {
            "id": mailbox.id,
            "address": mailbox.address,
            "reference": mailbox.reference,
            "ends_at": rfc3339(ends),
            "because": "given_for_a_time" if tokens and tokens.refresh_expires_at else "unused",
        }
        event = Event(self._world.identifier(Kind.EVENT), EventType.MAILBOX_SIGN_IN_ENDING, now, mailbox_id, data)
        if await self._store.note_sign_in_told(mailbox_id, event):
            log.warning("a sign-in ends soon", mailbox=mailbox_id, ends=rfc3339(ends))

    async def _recovered(self, client: OAuthClient) -> None:
        for mailbox_id in await self._store.mailboxes_of_client(client.id):
            try:
                view = await self._store.mailbox(mailbox_id)
                if view is None:
                    continue
                for health in (view.receiving, view.sending):
                    if health.diagnosis is not None and is_ours(health.diagnosis):
                        await self._recover.again(view.mailbox, health.direction, Signal.CHANGED)
            except (MailboxGone, StoreUnavailable) as failure:
                log.warning("a mailbox recovers later", mailbox=mailbox_id, error=type(failure).__name__)

    async def _checked(self, client: OAuthClient) -> OAuthClient:
        known = client.authority
        if known is None and client.provider != ISSUER:
            raise BadClient("provider", f"{client.provider} is not known: give its issuer address, provider issuer")
        if client.kind is ClientKind.SERVICE_ACCOUNT:
            if client.provider != "google":
                raise BadClient("kind", "service accounts are Google's")
            try:
                assertion.rsa_key(client.secret)
            except ValueError as why:
                raise BadClient("secret", str(why)) from None
        elif known is not None and known.secret_needed and not client.secret:
            raise BadClient("secret", f"{known.name} wants a client secret")
        if client.provider != ISSUER:
            return client
        if not client.issuer:
            raise BadClient("issuer", "the address of the issuer is missing, such as https://login.example.com")
        return replace(client, told_endpoints=await self._metadata(client.issuer))

    async def _metadata(self, issuer: str) -> Endpoints:
        try:
            requests = metadata_requests(issuer)
        except ValueError as why:
            raise BadClient("issuer", str(why)) from None
        said = ""
        for request in requests:
            try:
                return endpoints_of(await self._wire.ask(request), issuer)
            except Failure as failure:
                said = said or f"{diagnose(failure.evidence).raw[:200]}"
            except Unreadable as why:
                said = str(why)
        raise BadClient("issuer", f"no metadata of an OpenID or OAuth server was found there: {said}")


def _registration(client: OAuthClient) -> tuple[str, str, str, ClientKind]:
    """What makes it the same one at its provider."""
    return client.provider, client.issuer.rstrip("/"), client.client_id, client.kind
