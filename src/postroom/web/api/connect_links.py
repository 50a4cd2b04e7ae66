"""Connect links: made, shown, revoked. The page that they lead to is in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from postroom.core import connect_link as core
from postroom.web import problem
from postroom.web.problem import Problem
from postroom.web.schema.connect_link import ConnectLink, ConnectLinkList, ConnectLinkQuery, NewConnectLink
from postroom.web.schema.fields import ConnectLinkId
from postroom.web.services import Injected, Services

router = APIRouter(prefix="/connect-links", tags=["connect-links"])


@router.post("", operation_id="create_connect_link", status_code=201)
async def create(services: Injected, given: NewConnectLink, response: Response) -> ConnectLink:
    """Makes an address where somebody without an account connects one mailbox, by password or with its provider.

    It serves once, and until `expires_at`. With `mailbox_id` that mailbox is signed in to again: its place in the mail,
    its conversations and what waits to be sent stay. Afterwards the person is sent to `return_url`, with `status`
    (`connected`, `cancelled`, `expired`, `revoked`), `mailbox_id`, `reference` and `state` in its query. Anybody can
    make up such an address: ask for the mailbox before you believe it.
    """
    if given.mailbox_id is not None and given.address is not None:
        raise problem.invalid("address", "With mailbox_id the address is that mailbox's: leave this out.")
    link = await services.links.make(given.new())
    response.headers["Location"] = f"/v1/connect-links/{link.id}"
    return shown(services, link)


@router.get("", operation_id="list_connect_links")
async def show_all(services: Injected, query: Annotated[ConnectLinkQuery, Query()]) -> ConnectLinkList:
    """All links of the last three months, the newest first."""
    page = await services.store.connect_links(limit=query.limit, cursor=query.cursor, mailbox_id=query.mailbox_id)
    return ConnectLinkList(items=[shown(services, one) for one in page.items], next_cursor=page.next_cursor)


@router.get("/{link_id}", operation_id="get_connect_link")
async def show(services: Injected, link_id: ConnectLinkId) -> ConnectLink:
    """One link; once it was used, `mailbox_id` is the mailbox that came of it."""
    return shown(services, await _link(services, link_id))


@router.post("/{link_id}/revoke", operation_id="revoke_connect_link")
async def revoke(services: Injected, link_id: ConnectLinkId) -> ConnectLink:
    """Makes the link void: whoever opens it is told so."""
    await _link(services, link_id)
    if not await services.store.revoke_connect_link(link_id, services.world.now()):
        raise Problem(problem.NOT_POSSIBLE, "This is not possible: the link was used, or revoked before.")
    return shown(services, await _link(services, link_id))


def shown(services: Services, link: core.ConnectLink) -> ConnectLink:
    """The link with its address."""
    return ConnectLink.of(link, services.links.url(link), services.world.now())


async def _link(services: Services, link_id: str) -> core.ConnectLink:
    link = await services.store.connect_link(link_id)
    if link is None:
        raise problem.not_found("connect link")
    return link
