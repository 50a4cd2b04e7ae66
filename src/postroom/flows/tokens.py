"""Access tokens: renewed ahead, once for all workers, never lost to a crash. It opens no mail session (sessions)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from postroom.core.diagnosis import Action, Diagnosis, Failure, diagnose
from postroom.core.diagnosis.evidence import Evidence, Stage
from postroom.core.events import Event, EventType, rfc3339
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Direction, Mailbox
from postroom.core.mailbox import Tokens as TokenSet
from postroom.core.oauth import lifetime, response
from postroom.core.oauth.client import OAuthClient, is_ours
from postroom.core.oauth.request import (
    OAuthRequest,
    client_credentials_request,
    refresh_request,
    service_account_request,
)
from postroom.core.ports.store import Held, MailboxGone, Store, StoreUnavailable
from postroom.core.ports.wire import OAuthWire
from postroom.core.ports.world import World

log = structlog.get_logger()

TTL = timedelta(seconds=45)
"""For how long one worker alone may renew a token: two calls of 15 seconds, and the writing."""
PATIENCE = 20.0
"""Seconds to wait for another worker's renewal where there is no token to go on with."""
GLANCE = 0.2
REST = timedelta(minutes=1)
"""Between vain renewals of a token that still works."""
STORE_REST = 2.0
_PUBLIC = ("AADSTS700025", "AADSTS90023")
"""Microsoft took the registration for a public client's, which must not send its secret."""


class Tokens:
    """Gives credentials that can be shown to a server now. `mended` is told of a client whose trouble is over."""

    def __init__(self, store: Store, wire: OAuthWire, world: World) -> None:
        self._store = store
        self._wire = wire
        self._world = world
        self._holder = world.identifier(Kind.WORKER)
        self._renewals: dict[str, asyncio.Task[Credential]] = {}
        self._rest_until: dict[str, datetime] = {}
        self.mended: Callable[[OAuthClient], None] | None = None

    async def ready(self, mailbox: Mailbox, direction: Direction, *, refused: str = "") -> Credential:
        """The mailbox's credential, its token renewed where that is due, or where it is the one that was `refused`.

        Raises Failure (stage oauth) where there is no token to go on with, MailboxGone, StoreUnavailable.
        """
        held = await self._store.held_credential(mailbox.id)
        if not self._due(held.credential, refused):
            return held.credential
        task = self._renewals.get(mailbox.id)
        if task is None:
            task = asyncio.create_task(self._renewal(mailbox, refused), name=f"token {mailbox.id}")
            self._renewals[mailbox.id] = task
            task.add_done_callback(lambda done: self._ended(mailbox.id, done))
        try:
            # Whoever waits may be stopped; what the provider has answered must be kept all the same.
            return await asyncio.shield(task)
        except Failure as failure:
            raise Failure(replace(failure.evidence, direction=direction)) from failure

    async def current(self, mailbox: Mailbox) -> Credential:
        """The credential as it stands, whether it still works or not. Raises MailboxGone."""
        return (await self._store.held_credential(mailbox.id)).credential

    async def obtained(self, credential: Credential, address: str, direction: Direction = Direction.IMAP) -> Credential:
        """A credential that is not saved yet, with a token to try it with. Raises Failure."""
        if not self._due(credential, ""):
            return credential
        return await self._asked(await self._client(credential, direction), credential, address, direction)

    async def granted(self, request: OAuthRequest, direction: Direction = Direction.IMAP) -> response.Grant:
        """What a token endpoint gives. Raises Failure, also for an answer of success that is none."""
        body = await self._wire.ask(request, direction)
        try:
            return response.grant_of(body, self._world.now())
        except response.Unreadable as why:
            raise self._failure(request.provider, direction, f"unreadable answer of the token endpoint: {why}") from why

    async def close(self) -> None:
        """Lets renewals under way come to their end: their answer may hold the only refresh token."""
        if self._renewals:
            await asyncio.wait(list(self._renewals.values()), timeout=PATIENCE)

    def _ended(self, mailbox_id: str, task: asyncio.Task[Credential]) -> None:
        self._renewals.pop(mailbox_id, None)
        if not task.cancelled():
            task.exception()  # whoever waits has it; where nobody does any more, nothing is to be said

    def _due(self, credential: Credential, refused: str) -> bool:
        if not credential.kind.by_token:
            return False
        tokens = credential.tokens
        if tokens is None or tokens.access_token == refused:
            return True
        return lifetime.due(tokens, self._world.now(), self._world.jitter())

    def _works(self, credential: Credential, refused: str) -> bool:
        """Whether there is a token to go on with, should none be had now."""
        tokens = credential.tokens
        if tokens is None or tokens.access_token == refused:
            return False
        return lifetime.lives(tokens, self._world.now())

    async def _renewal(self, mailbox: Mailbox, refused: str) -> Credential:
        waited = 0.0
        while True:
            held = await self._store.held_credential(mailbox.id)
            if not self._due(held.credential, refused):
                return held.credential
            now = self._world.now()
            works = self._works(held.credential, refused)
            if works and self._rest_until.get(mailbox.id, now) > now:
                return held.credential
            if await self._store.claim_refresh(mailbox.id, self._holder, now, TTL):
                return await self._renewed(mailbox, refused)
            if works:
                return held.credential
            if waited >= PATIENCE:
                words = "TimeoutError: another worker renews this mailbox's token and does not come to an end"
                raise self._failure(mailbox.provider, Direction.IMAP, words)
            await asyncio.sleep(GLANCE)
            waited += GLANCE

    async def _renewed(self, mailbox: Mailbox, refused: str) -> Credential:
        """Under the right to renew. Whoever had it before may have renewed it: the row is read again."""
        held = await self._store.held_credential(mailbox.id)
        if not self._due(held.credential, refused):
            await self._store.release_refresh(mailbox.id, self._holder)
            return held.credential
        client: OAuthClient | None = None
        try:
            client = await self._client(held.credential, Direction.IMAP)
            new = await self._asked(client, held.credential, mailbox.address, Direction.IMAP)
        except Failure as failure:
            await self._store.release_refresh(mailbox.id, self._holder)
            return await self._not_renewed(mailbox, client, held, refused, failure)
        except BaseException:
            await self._store.release_refresh(mailbox.id, self._holder)
            raise
        self._rest_until.pop(mailbox.id, None)
        if not await self._saved(mailbox.id, new, held.version):
            return (await self._store.held_credential(mailbox.id)).credential  # a person signed in anew meanwhile
        log.info("token renewed", mailbox=mailbox.id, client=held.credential.client)
        await self.note_mended(client)
        return new

    async def _saved(self, mailbox_id: str, new: Credential, version: int) -> bool:
        """The provider may know no other refresh token than this one any more: it is kept until the database takes
        it."""
        while True:
            try:
                return await self._store.save_tokens(mailbox_id, new, version)
            except StoreUnavailable as unavailable:
                log.warning("a renewed token waits for the store", mailbox=mailbox_id, error=str(unavailable))
                await asyncio.sleep(STORE_REST)

    async def _not_renewed(
        self, mailbox: Mailbox, client: OAuthClient | None, held: Held, refused: str, failure: Failure
    ) -> Credential:
        """What there is to go on with. Raises the failure where there is nothing, or where a person must act."""
        again = await self._store.held_credential(mailbox.id)
        if again.version != held.version and not self._due(again.credential, refused):
            return again.credential
        diagnosis = diagnose(failure.evidence)
        log.warning("token not renewed", mailbox=mailbox.id, code=diagnosis.name, matched=diagnosis.matched)
        if client is not None and is_ours(diagnosis):
            await self.note_trouble(client, diagnosis, mailbox.id)
        passing = diagnosis.action is Action.RETRY or is_ours(diagnosis)
        if not passing or not self._works(held.credential, refused):
            raise failure
        self._rest_until[mailbox.id] = self._world.now() + REST
        return held.credential

    async def _asked(
        self, client: OAuthClient, credential: Credential, address: str, direction: Direction
    ) -> Credential:
        if credential.kind is AuthKind.OAUTH:
            return await self._refreshed(client, credential, direction)
        if credential.kind is AuthKind.CLIENT_CREDENTIALS:
            tenant = credential.tenant or client.tenant or address.rpartition("@")[2]
            request = client_credentials_request(client, tenant)
        else:
            try:
                request = service_account_request(client, address, self._world.now())
            except ValueError as why:
                words = f"invalid_client: the key of the service account cannot be used: {why}"
                raise self._failure(client.provider, direction, words) from why
        grant = await self.granted(request, direction)
        return replace(credential, tokens=grant.tokens)

    async def _refreshed(self, client: OAuthClient, credential: Credential, direction: Direction) -> Credential:
        """With the newest refresh token, and where the provider does not know that one, with the one before it."""
        old = credential.tokens or TokenSet()
        if not old.refresh_token:
            raise self._failure(client.provider, direction, "there is no refresh token: sign in again")
        try:
            grant = await self._granted_to(client, old.refresh_token, credential.tenant, direction)
        except Failure as failure:
            if not old.previous_refresh_token or diagnose(failure.evidence).action is not Action.REAUTHENTICATE:
                raise
            try:
                grant = await self._granted_to(client, old.previous_refresh_token, credential.tenant, direction)
            except Failure:
                raise failure from None
            old = replace(old, refresh_token=old.previous_refresh_token, previous_refresh_token="")
        return replace(credential, tokens=response.renewed(old, grant.tokens))

    async def _granted_to(
        self, client: OAuthClient, refresh_token: str, tenant: str, direction: Direction
    ) -> response.Grant:
        try:
            return await self.granted(refresh_request(client, refresh_token, tenant), direction)
        except Failure as failure:
            if not client.secret or not any(number in failure.evidence.raw for number in _PUBLIC):
                raise
        return await self.granted(refresh_request(replace(client, secret=""), refresh_token, tenant), direction)

    async def _client(self, credential: Credential, direction: Direction) -> OAuthClient:
        client = await self._store.oauth_client(credential.client)
        if client is None:
            words = "invalid_client: the OAuth client that this mailbox signs in with was removed from Postroom"
            raise self._failure("generic", direction, words)
        return client

    async def note_trouble(self, client: OAuthClient, diagnosis: Diagnosis, mailbox_id: str | None = None) -> None:
        """Once for the client, however many mailboxes meet it. The event stands with the mailbox that met it, or with
        the client's first; a client without any is shown in its own status only."""
        now = self._world.now()
        troubled = replace(client, trouble=diagnosis, trouble_since=now)
        mailboxes = await self._store.mailboxes_of_client(client.id)
        data = {
            "id": client.id,
            "provider": client.provider,
            "name": client.title,
            "since": rfc3339(now),
            "mailboxes": len(mailboxes),
            "diagnosis": diagnosis.as_dict(),
        }
        kind, bearer = EventType.OAUTH_CLIENT_NEEDS_ATTENTION, mailbox_id or next(iter(mailboxes), None)
        event = Event(self._world.identifier(Kind.EVENT), kind, now, bearer, data) if bearer else None
        if await self._store.note_client_trouble(troubled, event):
            log.error("the OAuth client is refused", client=client.id, matched=diagnosis.matched)

    async def note_mended(self, client: OAuthClient) -> None:
        """A token was given: what the provider held against the client is over."""
        if client.trouble is None:
            return
        mended = replace(client, trouble=None, trouble_since=None)
        try:
            if await self._store.note_client_trouble(mended, None) and self.mended is not None:
                self.mended(mended)
        except (StoreUnavailable, MailboxGone) as later:
            log.warning("the client's recovery is noted later", client=client.id, error=str(later))

    def _failure(self, provider: str, direction: Direction, words: str) -> Failure:
        return Failure(
            Evidence(direction, Stage.OAUTH, raw=words, provider=provider, exception=words, seen_at=self._world.now())
        )
