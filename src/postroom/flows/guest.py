"""What somebody without an account does with a connect link: one mailbox, by password or sign-in. It shows no page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from postroom.core import provider
from postroom.core.connect_link import CLAIMED, ConnectLink, LinkState, failed, used_data
from postroom.core.diagnosis import Diagnosis
from postroom.core.diagnosis.guides import Guide, canonical_provider, guide_for
from postroom.core.events import Event, EventType
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind, Credential, Endpoint
from postroom.core.oauth.authority import ISSUER, of_provider
from postroom.core.oauth.authorization import Authorization
from postroom.core.oauth.client import ClientKind, OAuthClient
from postroom.core.oauth.request import digest
from postroom.core.ports.store import MailboxView, Store
from postroom.core.ports.wire import DiscoveryWire
from postroom.core.ports.world import World
from postroom.core.provider.entry import Provider
from postroom.flows.authorize import Authorize
from postroom.flows.connect import Connect, NewMailbox, NotConnected
from postroom.flows.connect_links import LinkRefused, LinkWhy
from postroom.flows.doctor import Ways, ways_of
from postroom.flows.probe import Connection, OnStep
from postroom.flows.sign_in import Begun, SignInFailed, Wanted
from postroom.flows.wishes import Wishes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Offer:
    """How an address can be connected. `client` where one signs in with the provider. `found` False: nothing names its
    servers, for the reason that `why_nothing` gives."""

    address: str
    provider: Provider
    guide: Guide
    client: OAuthClient | None = None
    password: bool = True
    found: bool = True
    why_nothing: str = ""

    @property
    def asks_servers(self) -> bool:
        """Whether whoever signs in may have to name the mail servers: the provider's are not known to everybody."""
        return self.client is not None and self.client.provider == ISSUER


@dataclass(frozen=True, slots=True)
class Typed:
    """What the person typed. Without `imap` or `smtp` they are looked up; `username` where it is not the address."""

    address: str
    password: str = field(default="", repr=False)
    username: str = ""
    imap: Endpoint | None = None
    smtp: Endpoint | None = None


class NothingFound(Exception):
    """No mail server is known for the address; the text says why. Naming the servers helps."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Who came back from the provider. `link` where they came by one; `view` where the mailbox is connected, else
    `waiting`, whose tokens somebody else makes a mailbox of."""

    link: ConnectLink | None
    view: MailboxView | None = None
    waiting: Authorization | None = None


class Guest:
    """Acts for the person on the connect page."""

    def __init__(
        self, store: Store, connect: Connect, authorize: Authorize, discovery: DiscoveryWire, world: World
    ) -> None:
        self._store = store
        self._connect = connect
        self._authorize = authorize
        self._discovery = discovery
        self._world = world
        self._running: set[asyncio.Task[MailboxView]] = set()

    async def offer(self, link: ConnectLink, address: str) -> Offer:
        """What to show for an address; of a mailbox that is connected again, what it already signs in with."""
        clients = [one for one in await self._store.oauth_clients() if one.kind is ClientKind.APPLICATION]
        if link.mailbox_id is not None:
            view = await self._store.mailbox(link.mailbox_id)
            if view is None:
                raise LinkRefused(LinkWhy.UNKNOWN)
            held = (await self._store.held_credential(link.mailbox_id)).credential
            known = provider.by_key(view.mailbox.provider)
            client = _client(clients, link.client or held.client or None, known)
            password = held.kind is AuthKind.PASSWORD or not known.password_off
            return Offer(view.mailbox.address, known, _guide(known), client, password)
        found = await self._discovery.discover(address)
        known = provider.by_key(found.candidates[0].provider) if found.candidates else provider.GENERIC
        client = _client(clients, link.client, known)
        why = "" if found.candidates else found.why_nothing(address)
        return Offer(address, known, _guide(known), client, not known.password_off, bool(found.candidates), why)

    async def sign_in(self, link: ConnectLink, typed: Typed, person: str = "") -> Begun:
        """Begins the sign-in with the provider. Raises NoClient, AddressTaken, NoSuchMailbox, LinkRefused."""
        await self._free(link)
        wishes = Wishes(
            name=link.name, imap=typed.imap, smtp=typed.smtp, reference=link.reference, connect_link=link.id
        )
        if link.mailbox_id is not None:
            wanted = Wanted(mailbox_id=link.mailbox_id, client=link.client, username=person, wishes=wishes)
        else:
            wanted = Wanted(typed.address, client=link.client, username=person, wishes=wishes)
        return await self._authorize.begin(wanted)

    async def by_password(self, link: ConnectLink, typed: Typed, on_step: OnStep) -> MailboxView:
        """Tries, and connects. Whoever stops waiting does not stop it: a mailbox is never left half connected.

        Raises NotConnected, NothingFound, AddressTaken, LinkRefused.
        """
        task = asyncio.create_task(self._by_password(link, typed, on_step), name="connect link")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def landed(
        self, state: str, *, code: str = "", error: str = "", description: str = "", issuer: str = ""
    ) -> Landed:
        """The browser came back from the provider. Raises SignInFailed, LinkRefused (revoked or used meanwhile)."""
        finish = self._authorize.finish
        link = await self.came_by(state)
        if link is None:
            done = await finish(state, code=code, error=error, description=description, issuer=issuer)
        else:
            async with self._claimed(link) as claimed:
                done = await finish(state, code=code, error=error, description=description, issuer=issuer)
                if isinstance(done, MailboxView):
                    link = await self._used(claimed, done)
        return Landed(link, waiting=done) if isinstance(done, Authorization) else Landed(link, view=done)

    async def came_by(self, state: str) -> ConnectLink | None:
        """The link that a sign-in was begun from."""
        begun = await self._store.authorization_by_state(digest(state)) if state else None
        named = Wishes.from_dict(begun.settings).connect_link if begun is not None else None
        return await self._store.connect_link(named) if named else None

    async def _by_password(self, link: ConnectLink, typed: Typed, on_step: OnStep) -> MailboxView:
        async with self._claimed(link) as claimed:
            credential = Credential(password=typed.password)
            if claimed.mailbox_id is not None:
                view = await self._connect.reauthenticate(claimed.mailbox_id, credential, on_step)
            else:
                new, ways = await self._new(claimed, typed, credential)
                view = await self._connect.add(new, on_step, ways)
            await self._used(claimed, view)
            return view

    async def _new(self, link: ConnectLink, typed: Typed, credential: Credential) -> tuple[NewMailbox, Ways | None]:
        imap, smtp, ways = typed.imap, typed.smtp, None
        if imap is None or smtp is None:
            found = await self._discovery.discover(typed.address)
            if not found.candidates:
                raise NothingFound(found.why_nothing(typed.address))
            ways = ways_of(found.candidates, imap, smtp, typed.username or None)
            imap, smtp = ways.imap[0].endpoint, ways.smtp[0].endpoint
        connection = Connection(typed.address, link.name, imap, smtp, credential)
        return NewMailbox(connection, reference=link.reference), ways

    @asynccontextmanager
    async def _claimed(self, link: ConnectLink) -> AsyncIterator[ConnectLink]:
        """The link for one try alone. What fails is counted, and gives it back."""
        now = self._world.now()
        if not await self._store.claim_connect_link(link.id, now, now + CLAIMED):
            raise await self._why_not(link.id)
        mine = await self._store.connect_link(link.id)
        if mine is None:  # the mailbox was removed this moment
            raise LinkRefused(LinkWhy.UNKNOWN)
        try:
            yield mine
        except NotConnected as refused:
            await self._in_vain(mine, refused.report.diagnosis)
            raise
        except SignInFailed as refused:
            await self._in_vain(mine, refused.diagnosis)
            raise
        except BaseException:
            await self._store.release_connect_link(mine)
            raise

    async def _in_vain(self, link: ConnectLink, diagnosis: Diagnosis | None) -> None:
        told = failed(link, diagnosis, self._world.now())
        await self._store.release_connect_link(told)
        log.info("connect link tried in vain", link=link.id, matched=diagnosis.matched if diagnosis else None)

    async def _used(self, link: ConnectLink, view: MailboxView) -> ConnectLink:
        now = self._world.now()
        used = replace(link, used_at=now, connected_id=view.mailbox.id)
        data = used_data(used, view.mailbox.address)
        event = Event(self._world.identifier(Kind.EVENT), EventType.CONNECT_LINK_USED, now, view.mailbox.id, data)
        await self._store.use_connect_link(used, event)
        return used

    async def _free(self, link: ConnectLink) -> None:
        now = self._world.now()
        if link.waits_until is not None and link.waits_until > now:
            raise LinkRefused(LinkWhy.WAITS, link)

    async def _why_not(self, link_id: str) -> LinkRefused:
        link, now = await self._store.connect_link(link_id), self._world.now()
        if link is None:
            return LinkRefused(LinkWhy.UNKNOWN)
        state = link.state(now)
        if state in (LinkState.USED, LinkState.REVOKED):
            return LinkRefused(LinkWhy(str(state)), link)
        waits = link.waits_until is not None and link.waits_until > now
        return LinkRefused(LinkWhy.WAITS if waits else LinkWhy.BUSY, link)


def _client(clients: list[OAuthClient], named: str | None, known: Provider) -> OAuthClient | None:
    """The client to sign in with: the one that was named, else the provider's first."""
    if named is not None:
        return next((one for one in clients if one.id == named), None)
    authority = of_provider(known.key)
    return next((one for one in clients if authority is not None and one.provider == authority.key), None)


def _guide(known: Provider) -> Guide:
    return guide_for(canonical_provider(known.key))
