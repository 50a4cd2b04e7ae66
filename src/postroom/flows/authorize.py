"""A person's sign-in at the provider: begun, come back, checked (completion makes the mailbox). It shows no page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from postroom.core import provider
from postroom.core.diagnosis import Action, Evidence, Failure, diagnose
from postroom.core.diagnosis.evidence import Stage
from postroom.core.identity import Kind
from postroom.core.mailbox import Credential, Direction
from postroom.core.oauth import identity
from postroom.core.oauth.authority import of_provider
from postroom.core.oauth.authorization import GOOD_FOR, Authorization, Flow, Progress
from postroom.core.oauth.client import ClientKind, OAuthClient, is_ours
from postroom.core.oauth.request import (
    OAuthRequest,
    authorization_url,
    code_request,
    device_request,
    device_token_request,
    digest,
)
from postroom.core.oauth.response import SLOWER, Grant, Unreadable, device_code_of, refusal_of
from postroom.core.ports.store import AddressTaken, MailboxView, Store
from postroom.core.ports.wire import DiscoveryWire, OAuthWire
from postroom.core.ports.world import World
from postroom.flows.completion import Completion, credential_of
from postroom.flows.connect import NoSuchMailbox
from postroom.flows.probe import OnStep
from postroom.flows.sign_in import Begun, NoClient, SignInFailed, Wanted, Why
from postroom.flows.tokens import Tokens

log = structlog.get_logger()

_DECLINED = "AADSTS65004"
"""Microsoft's number for a person who declines; its others are about what an administrator has to allow."""


class Authorize:
    """Begins sign-ins and brings them to their end. `redirect` is the address that providers send browsers back to."""

    def __init__(
        self,
        store: Store,
        wire: OAuthWire,
        tokens: Tokens,
        completion: Completion,
        discovery: DiscoveryWire,
        world: World,
        *,
        redirect: str,
    ) -> None:
        self._store = store
        self._wire = wire
        self._tokens = tokens
        self._completion = completion
        self._discovery = discovery
        self._world = world
        self.redirect = redirect
        self._polled: dict[str, tuple[datetime, int]] = {}

    async def begin(self, wanted: Wanted) -> Begun:
        """Raises NoClient, NoSuchMailbox, AddressTaken, Failure (a device endpoint that refuses)."""
        address, client_id = wanted.address, wanted.client
        if wanted.mailbox_id is not None:
            view = await self._store.mailbox(wanted.mailbox_id)
            if view is None:
                raise NoSuchMailbox
            address = view.mailbox.address
            held = await self._store.held_credential(wanted.mailbox_id)
            client_id = client_id or held.credential.client or None
        elif wanted.wishes.connect and await self._store.mailbox_by_address(address) is not None:
            raise AddressTaken(f"{address} is connected already")
        client = await self._chosen(address, client_id)
        now = self._world.now()
        begun = Authorization(
            id=self._world.identifier(Kind.AUTHORIZATION),
            client=client.id,
            flow=wanted.flow,
            address=address,
            created_at=now,
            expires_at=now + GOOD_FOR,
            username=wanted.username,
            mailbox_id=wanted.mailbox_id,
            settings=wanted.wishes.as_dict(),
        )
        if wanted.flow is Flow.DEVICE:
            return await self._begin_device(client, begun)
        state = self._world.secret()
        begun = replace(
            begun,
            state=digest(state),
            redirect=self.redirect,
            verifier=self._world.secret(48),
            nonce=self._world.secret(16),
        )
        url = authorization_url(
            client,
            redirect=begun.redirect,
            state=state,
            verifier=begun.verifier,
            nonce=begun.nonce,
            hint=begun.username or address,
        )
        await self._store.add_authorization(begun)
        return Begun(begun, url)

    async def finish(
        self,
        state: str,
        *,
        code: str = "",
        error: str = "",
        description: str = "",
        issuer: str = "",
        on_step: OnStep | None = None,
    ) -> MailboxView | Authorization:
        """What came back with the browser; `issuer` is who says that it answers (RFC 9207), where it says so. Gives the
        connected mailbox, or, where it is not to be connected here, the sign-in that holds its tokens. Raises
        SignInFailed."""
        begun = await self._store.authorization_by_state(digest(state)) if state else None
        if begun is None:
            raise SignInFailed(
                Why.UNKNOWN,
                "This sign-in was not begun here, or so long ago that it was forgotten. Begin again from the "
                "mailbox's page or with a new link.",
            )
        await self._use(begun)
        client = await self._client(begun)
        asked = client.endpoints().issuer
        if issuer and asked and issuer.rstrip("/") != asked.rstrip("/"):
            words = f"This answer is of {issuer[:200]}, not of {asked}, where the sign-in was begun. Begin again."
            raise await self._completion.ended(begun, Why.REFUSED, words)
        if error or not code:
            raise await self._declined(begun, error or "no code came back", description)
        request = code_request(client, code=code, redirect=begun.redirect, verifier=begun.verifier)
        return await self._completion.signed_in(begun, client, await self._grant(begun, client, request), on_step)

    async def look(self, authorization_id: str, on_step: OnStep | None = None) -> Authorization | None:
        """How a sign-in stands; one with a device code is asked for at the provider, as often as that allows. None
        where there is none. Raises SignInFailed where this look is what found that it failed."""
        begun = await self._store.authorization(authorization_id)
        if begun is None or begun.flow is Flow.CODE or begun.progress is not Progress.PENDING:
            return begun
        now = self._world.now()
        if begun.expires_at <= now:
            raise await self._completion.ended(begun, Why.LATE, "The code was not entered in time. Begin again.")
        last, interval = self._polled.get(begun.id, (begun.created_at, begun.interval))
        if now - last < timedelta(seconds=interval):
            return begun
        self._polled[begun.id] = (now, interval)
        client = await self._client(begun)
        try:
            grant = await self._device_grant(client, begun.device_code)
        except Failure as failure:
            said = refusal_of(failure.evidence.raw[failure.evidence.raw.find("{") :])
            if said.error == "authorization_pending":
                return begun
            if said.error == "slow_down":
                self._polled[begun.id] = (now, interval + SLOWER)
                return begun
            self._polled.pop(begun.id, None)
            if said.error == "expired_token":
                raise await self._completion.ended(
                    begun, Why.LATE, "The code was not entered in time. Begin again."
                ) from failure
            if said.error in ("access_denied", "authorization_declined"):
                raise await self._declined(begun, said.error, said.description) from failure
            diagnosis = diagnose(failure.evidence)
            if diagnosis.action is Action.RETRY:
                return begun
            raise await self._completion.ended(begun, Why.REFUSED, diagnosis.reason, diagnosis) from failure
        self._polled.pop(begun.id, None)
        await self._use(begun)
        await self._completion.signed_in(begun, client, grant, on_step)
        return await self._store.authorization(begun.id)

    async def credential(self, authorization_id: str, address: str) -> Credential:
        """The tokens of a finished sign-in, for whoever makes or mends a mailbox of them. Raises SignInFailed."""
        begun = await self._store.authorization(authorization_id)
        if begun is None or begun.tokens is None or begun.progress is not Progress.SIGNED_IN:
            words = "There is no finished sign-in with this identifier whose tokens wait for a mailbox: begin one."
            raise SignInFailed(Why.UNKNOWN, words)
        if begun.expires_at <= self._world.now():
            raise SignInFailed(Why.LATE, "The sign-in was finished too long ago: sign in again.", authorization=begun)
        if not identity.same(begun.address, address):
            words = f"This sign-in is for {begun.address}, not for {address}."
            raise SignInFailed(Why.ANOTHER, words, authorization=begun)
        return credential_of(begun)

    async def served(self, authorization_id: str, mailbox_id: str) -> None:
        """A mailbox was made of this sign-in: its tokens are forgotten here."""
        await self._completion.served(authorization_id, mailbox_id)

    async def _begin_device(self, client: OAuthClient, begun: Authorization) -> Begun:
        try:
            request = device_request(client)
        except ValueError as why:
            raise NoClient(str(why), client.provider) from None
        body = await self._wire.ask(request)
        try:
            given = device_code_of(body, self._world.now())
        except Unreadable as why:
            raise self._failure(client, f"unreadable answer of the device endpoint: {why}") from why
        begun = replace(
            begun,
            device_code=given.device_code,
            user_code=given.user_code,
            verification_uri=given.verification_uri,
            interval=given.interval,
            expires_at=given.expires_at,
        )
        await self._store.add_authorization(begun)
        return Begun(begun, given.verification_uri_complete or given.verification_uri)

    async def _device_grant(self, client: OAuthClient, device_code: str) -> Grant:
        return await self._tokens.granted(device_token_request(client, device_code))

    async def _use(self, begun: Authorization) -> None:
        """Its one use. Raises SignInFailed: used before, or too late."""
        now = self._world.now()
        if not await self._store.use_authorization(begun.id, now):
            done = begun.progress is Progress.CONNECTED
            words = "This sign-in was used already" + (
                f", and {begun.address} is connected: nothing more is to be done."
                if done
                else ". Each serves once: begin again."
            )
            raise SignInFailed(Why.USED, words, authorization=begun)
        if begun.expires_at <= now:
            minutes = int((begun.expires_at - begun.created_at).total_seconds() // 60)
            words = f"This sign-in took longer than {minutes} minutes and is not taken any more. Begin again."
            raise await self._completion.ended(begun, Why.LATE, words)

    async def _grant(self, begun: Authorization, client: OAuthClient, request: OAuthRequest) -> Grant:
        try:
            grant = await self._tokens.granted(request)
        except Failure as failure:
            diagnosis = diagnose(failure.evidence)
            if is_ours(diagnosis):
                await self._tokens.note_trouble(client, diagnosis, begun.mailbox_id)
            raise await self._completion.ended(begun, Why.REFUSED, diagnosis.reason, diagnosis) from failure
        await self._tokens.note_mended(client)
        return grant

    async def _chosen(self, address: str, client_id: str | None) -> OAuthClient:
        if client_id is not None:
            client = await self._store.oauth_client(client_id)
            if client is None or client.kind is not ClientKind.APPLICATION:
                raise NoClient(f"there is no OAuth application {client_id}: postroom oauth list shows them")
            return client
        found = (await self._discovery.discover(address)).candidates
        served_by = found[0].provider if found else provider.GENERIC.key
        authority = of_provider(served_by)
        if authority is None:
            raise NoClient(
                f"Postroom does not know who signs in {address}: name the OAuth client, or connect with a password"
            )
        for one in await self._store.oauth_clients():
            if one.provider == authority.key and one.kind is ClientKind.APPLICATION:
                return one
        raise NoClient(
            f"no OAuth client for {authority.name} is entered yet: postroom oauth guide {authority.key} says how to "
            "register one, postroom oauth add enters it",
            authority.key,
        )

    async def _client(self, begun: Authorization) -> OAuthClient:
        client = await self._store.oauth_client(begun.client)
        if client is None:
            raise SignInFailed(Why.UNKNOWN, "The OAuth client of this sign-in was removed.", authorization=begun)
        return client

    async def _declined(self, begun: Authorization, error: str, description: str) -> SignInFailed:
        """The provider sent the browser back with an error (RFC 6749 4.1.2.1)."""
        client = await self._client(begun)
        raw = json.dumps({"error": error[:200], "error_description": description[:1000]}, ensure_ascii=False)
        diagnosis = diagnose(self._failure(client, raw).evidence)
        by_the_person = "AADSTS" not in description or _DECLINED in description
        if error in ("access_denied", "authorization_declined") and by_the_person:
            words = (
                "You declined the access, so nothing was connected. Sign in again and accept to connect the mailbox."
            )
            return await self._completion.ended(begun, Why.DECLINED, words, diagnosis)
        return await self._completion.ended(begun, Why.REFUSED, diagnosis.reason, diagnosis)

    def _failure(self, client: OAuthClient, raw: str) -> Failure:
        seen = Evidence(Direction.IMAP, Stage.OAUTH, raw=raw, provider=client.provider, seen_at=self._world.now())
        return Failure(seen)
