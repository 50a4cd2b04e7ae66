"""Connect links: made, shown, revoked, and taken from whoever opens one. What that person does then is guest's."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from postroom.core.connect_link import LONGEST, USUAL, ConnectLink, LinkState, identifier_in
from postroom.core.identity import Kind
from postroom.core.mailbox import AuthKind
from postroom.core.oauth.client import ClientKind
from postroom.core.ports.store import AddressTaken, MailboxGone, MailboxView, Store
from postroom.core.ports.world import World
from postroom.flows.connect import NoSuchMailbox


class BadLink(Exception):
    """A link cannot be made as it was asked for. `field` names what is wrong; the text says how to mend it."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


class LinkWhy(StrEnum):
    """Why a link does not serve whoever opened it."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    REVOKED = "revoked"
    BUSY = "busy"
    WAITS = "waits"


class LinkRefused(Exception):
    """A link does not serve (now). `link` is the one, None where its signature is not ours."""

    def __init__(self, why: LinkWhy, link: ConnectLink | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.link = link


@dataclass(frozen=True, slots=True)
class NewLink:
    """What a link is wanted for: a new mailbox, or `mailbox_id` again. `lifetime` is at most LONGEST."""

    address: str = ""
    mailbox_id: str | None = None
    reference: str | None = None
    name: str = ""
    brand: str = ""
    return_url: str = ""
    return_state: str = ""
    client: str | None = None
    lifetime: timedelta = USUAL


class ConnectLinks:
    """`base` is where people's browsers reach this server; `loopback` whether http to this machine may be returned
    to."""

    def __init__(self, store: Store, world: World, *, base: str, loopback: bool) -> None:
        self._store = store
        self._world = world
        self._base = base
        self._loopback = loopback

    async def make(self, new: NewLink) -> ConnectLink:
        """Raises BadLink, NoSuchMailbox, AddressTaken."""
        if not timedelta(0) < new.lifetime <= LONGEST:
            raise BadLink("expires_in", f"A link serves between a minute and {LONGEST.days} days.")
        if new.return_url:
            self._check_return(new.return_url)
        if new.client is not None:
            client = await self._store.oauth_client(new.client)
            if client is None or client.kind is not ClientKind.APPLICATION:
                raise BadLink("client", "There is no such OAuth client of the kind application.")
        address, reference = new.address, new.reference
        if new.mailbox_id is not None:
            mailbox = (await self._reconnected(new.mailbox_id)).mailbox
            address, reference = mailbox.address, reference or mailbox.reference
        elif address and await self._store.mailbox_by_address(address) is not None:
            raise AddressTaken(f"{address} is connected already")
        now = self._world.now()
        link = ConnectLink(
            id=self._world.identifier(Kind.CONNECT_LINK),
            created_at=now,
            expires_at=now + new.lifetime,
            secret=self._world.secret(),
            address=address,
            mailbox_id=new.mailbox_id,
            reference=reference,
            name=new.name,
            brand=new.brand,
            return_url=new.return_url,
            return_state=new.return_state,
            client=new.client,
        )
        try:
            await self._store.add_connect_link(link)
        except MailboxGone:
            raise NoSuchMailbox from None
        return link

    def url(self, link: ConnectLink) -> str:
        """What is given to the person: whoever has it can use it."""
        return f"{self._base}/connect/{link.token}"

    async def opened(self, token: str) -> ConnectLink:
        """The link whose address this is. Raises LinkRefused: not ours, late, used or revoked."""
        link = await self._store.connect_link(identifier_in(token))
        if link is None or not link.signed(token):
            raise LinkRefused(LinkWhy.UNKNOWN)
        state = link.state(self._world.now())
        if state is not LinkState.OPEN:
            raise LinkRefused(LinkWhy(str(state)), link)
        return link

    async def _reconnected(self, mailbox_id: str) -> MailboxView:
        view = await self._store.mailbox(mailbox_id)
        if view is None:
            raise NoSuchMailbox
        if view.mailbox.auth_kind not in (AuthKind.PASSWORD, AuthKind.OAUTH):
            raise BadLink(
                "mailbox_id",
                f"No person signs in to this mailbox: the application itself opens it ({view.mailbox.auth_kind}). "
                "Mend its OAuth client instead (postroom oauth list shows what is wrong with it).",
            )
        return view

    def _check_return(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and self._loopback and _is_loopback(parts.hostname)):
            return
        here = " (http is taken for localhost)" if self._loopback else ""
        raise BadLink("return_url", f"The address must begin with https://{here}.")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
