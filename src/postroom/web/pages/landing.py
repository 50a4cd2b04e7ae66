"""Where a provider sends the browser back to after a sign-in: connected, or what to do and who can do it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from postroom.core.connect_link import ConnectLink, LinkState
from postroom.core.oauth.authorization import Authorization
from postroom.core.oauth.client import OAuthClient
from postroom.core.oauth.consent import admin_address, needs_admin
from postroom.core.ports.store import StoreUnavailable
from postroom.flows.connect_links import LinkRefused
from postroom.flows.sign_in import SignInFailed, Why
from postroom.flows.wishes import Wishes
from postroom.web.pages.connect import back, cancel, fault, refusal, unavailable
from postroom.web.pages.render import secret_page
from postroom.web.services import Injected, Services

router = APIRouter(include_in_schema=False)

_TITLES = {
    Why.UNKNOWN: "This sign-in is not known here",
    Why.USED: "This sign-in was used already",
    Why.LATE: "This sign-in took too long",
    Why.DECLINED: "You did not allow the access",
    Why.ANOTHER: "You signed in with another account",
    Why.INCOMPLETE: "A permission is missing",
    Why.TAKEN: "The mailbox is connected already",
}
_OTHERWISE = "The mailbox is not connected"


@dataclass(frozen=True, slots=True)
class Letter:
    """What the person sends to whoever administers their organisation: the address to open, and our client there."""

    address: str
    client: OAuthClient
    mailbox: str


@router.get("/oauth/callback")
async def signed_in(
    services: Injected,
    request: Request,
    state: str = "",
    code: str = "",
    error: str = "",
    error_description: str = "",
    admin_consent: str = "",
    iss: str = "",
) -> HTMLResponse:
    """The mailbox is connected, or what to do, and who can do it."""
    try:
        if admin_consent and not state:
            return secret_page("consented.html", link=None, given=not error)
        try:
            landed = await services.guest.landed(
                state, code=code, error=error, description=error_description, issuer=iss
            )
        except SignInFailed as failed:
            return await _failed(services, state, failed)
        except LinkRefused as refused:
            return refusal(services, refused)
    except StoreUnavailable as failure:
        return unavailable(failure)
    except Exception as failure:
        return fault(request, failure)
    if landed.view is not None and landed.link is not None:
        address = back(landed.link, landed.view)
        return secret_page("connect/landed.html", link=landed.link, view=landed.view, back=address)
    connected = landed.view is not None
    begun = landed.view.mailbox if landed.view is not None else landed.waiting
    return secret_page("signed_in.html", link=None, address=begun.address if begun else "", connected=connected)


async def _failed(services: Services, state: str, failed: SignInFailed) -> HTMLResponse:
    link = await services.guest.came_by(state)
    begun = failed.authorization
    again = link if link is not None and link.state(services.world.now()) is LinkState.OPEN else None
    return secret_page(
        "connect/not_signed_in.html",
        400,
        link=link,
        title=_TITLES.get(failed.why, _OTHERWISE),
        words=str(failed),
        diagnosis=failed.diagnosis,
        letter=await _letter(services, begun, failed),
        again=_again(services, again, begun),
        given=_given(begun) if begun else (),
        cancel=cancel(again) if again else "",
    )


def _again(services: Services, link: ConnectLink | None, begun: Authorization | None) -> str:
    return services.links.url(link) if link is not None and begun is not None else ""


def _given(begun: Authorization) -> tuple[tuple[str, str], ...]:
    """What the person typed on the connect page, for another try."""
    wishes = Wishes.from_dict(begun.settings)
    typed = [("address", begun.address), ("person", begun.username)]
    for kind, end in (("imap", wishes.imap), ("smtp", wishes.smtp)):
        if end is not None:
            typed += [(f"{kind}_host", end.host), (f"{kind}_port", str(end.port))]
            typed += [(f"{kind}_security", str(end.security)), (f"{kind}_username", end.username)]
    return tuple(typed)


async def _letter(services: Services, begun: Authorization | None, failed: SignInFailed) -> Letter | None:
    if begun is None or not needs_admin(failed.diagnosis):
        return None
    client = await services.store.oauth_client(begun.client)
    if client is None:
        return None
    return Letter(admin_address(client, services.authorize.redirect), client, begun.address)
