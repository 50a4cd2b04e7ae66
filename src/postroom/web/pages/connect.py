"""The connect page: what somebody without an account sees of a connect link. What they do there is guest's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from postroom.core.connect_link import ConnectLink, return_address
from postroom.core.diagnosis import Diagnosis, Failure, diagnose
from postroom.core.mailbox import Direction
from postroom.core.ports.store import AddressTaken, MailboxView, StoreUnavailable
from postroom.core.ports.wire import Step
from postroom.flows.connect import NotConnected
from postroom.flows.connect_links import LinkRefused, LinkWhy
from postroom.flows.guest import NothingFound, Offer
from postroom.flows.probe import OnStep
from postroom.flows.sign_in import NoClient
from postroom.web.failures import unexpected
from postroom.web.pages.connect_form import Filled
from postroom.web.pages.render import SECRET, secret_page, text
from postroom.web.services import Injected, Services

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()

_LONGEST_TOKEN = 200
_STATUS = {LinkWhy.UNKNOWN: 404, LinkWhy.WAITS: 429, LinkWhy.BUSY: 409}
_HERE, _THERE = "\x00steps\x00", "\x00outcome\x00"
_STEPS = {
    "resolve": "finding the server",
    "connect": "reaching the server",
    "tls": "encryption",
    "starttls": "encryption",
    "greeting": "the server's greeting",
    "capabilities": "what the server can do",
    "sign_in": "signing in",
    "select": "opening the inbox",
    "sender": "sending as this address",
    "rights": "permissions in the mailbox",
    "token": "access from the provider",
}
"""What each step of a probe is to people."""


@router.get("/connect/{token}")
async def opened(services: Injected, request: Request, token: str) -> Response:
    """The first page: the address, or for a connected mailbox at once how to sign in."""
    try:
        link = await _opened(services, token)
        if link.mailbox_id is None:
            return _address(link, Filled(address=link.address))
        return _how(link, await services.guest.offer(link, link.address), Filled(address=link.address))
    except LinkRefused as refused:
        return refusal(services, refused)
    except StoreUnavailable as failure:
        return unavailable(failure)
    except HTTPException:  # a form that is too large
        raise
    except Exception as failure:
        return fault(request, failure)


@router.post("/connect/{token}")
async def posted(services: Injected, request: Request, token: str) -> Response:
    """What the person sent: the address, a password, or that they want to sign in with the provider."""
    try:
        link = await _opened(services, token)
        filled = Filled.of(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        if not _from_here(request) or not filled.bears(link):
            words = "This form did not come from this page, or from an older one. Nothing was done: send it again."
            return _address(link, Filled(address=link.address, errors={"": words}), 400)
        return await _done(services, request, link, filled)
    except LinkRefused as refused:
        return refusal(services, refused)
    except StoreUnavailable as failure:
        return unavailable(failure)
    except HTTPException:  # a form that is too large
        raise
    except Exception as failure:
        return fault(request, failure)


async def _done(services: Services, request: Request, link: ConnectLink, filled: Filled) -> Response:
    filled = filled.checked(link)
    if "address" in filled.errors:
        return _address(link, filled, 422)
    if link.mailbox_id is None and await services.store.mailbox_by_address(filled.address) is not None:
        filled.errors["address"] = f"{filled.address} is connected already: there is nothing to be done."
        return _address(link, filled, 409)
    if filled.do == "sign_in" and not filled.errors:
        return await _onward(services, link, filled)
    if filled.do == "password" and not filled.errors:
        return StreamingResponse(
            _trying(services, request, link, filled),
            media_type="text/html; charset=utf-8",
            headers={**SECRET, "X-Accel-Buffering": "no"},
        )
    offer = await services.guest.offer(link, filled.address)
    return _how(link, offer, filled, 422 if filled.errors else 200)


async def _onward(services: Services, link: ConnectLink, filled: Filled) -> Response:
    """To the provider. Not by a redirect: `form-action` would have to name every host that it leads over."""
    try:
        begun = await services.guest.sign_in(link, filled.typed(), filled.person)
    except (NoClient, AddressTaken) as why:
        filled.errors[""] = f"{str(why)[:1].upper()}{str(why)[1:]}."
    except Failure as failure:
        filled.errors[""] = diagnose(failure.evidence).reason
    else:
        return secret_page("connect/onward.html", link=link, url=begun.url)
    return _how(link, await services.guest.offer(link, filled.address), filled, 409)


async def _trying(services: Services, request: Request, link: ConnectLink, filled: Filled) -> AsyncIterator[str]:
    """The page as it comes about: each step as it is done, then the outcome."""
    whole = text("connect/trying.html", link=link, address=filled.address, steps=_HERE, outcome=_THERE)
    before, _, rest = whole.partition(_HERE)
    between, _, after = rest.partition(_THERE)
    yield before
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def on_step(direction: Direction, step: Step) -> None:
        words = _STEPS.get(step.name, step.name.replace("_", " "))
        lines.put_nowait(text("connect/step.html", direction=direction, words=words, ok=step.ok))

    task = asyncio.create_task(_outcome(services, request, link, filled, on_step))
    task.add_done_callback(lambda _: lines.put_nowait(None))
    while (line := await lines.get()) is not None:
        yield line
    yield between
    yield await task
    yield after


async def _outcome(services: Services, request: Request, link: ConnectLink, filled: Filled, on_step: OnStep) -> str:
    """What came of a password, as the end of the page. It never raises: the page has begun."""
    try:
        view = await services.guest.by_password(link, filled.typed(), on_step)
        return text("connect/connected.html", link=link, view=view, back=back(link, view))
    except NotConnected as refused:
        return await _again(services, link, filled, refused.report.diagnosis, "")
    except NothingFound as why:
        filled.errors["imap_host"] = "Name the server."
        return await _again(services, link, filled, None, str(why))
    except AddressTaken:
        return await _again(services, link, filled, None, f"{filled.address} is connected already.")
    except LinkRefused as refused:
        return text("connect/closed_part.html", **_closed(services, refused))
    except StoreUnavailable as failure:
        return await _again(services, link, filled, None, str(failure))
    except Exception as failure:
        unexpected(request, failure)
        words = "Postroom met a fault of its own. Its operator finds the place in the log. Try again later."
        return text("connect/failed_part.html", diagnosis=None, words=words)


async def _again(services: Services, link: ConnectLink, filled: Filled, diagnosis: Diagnosis | None, words: str) -> str:
    said = text("connect/failed_part.html", diagnosis=diagnosis, words=words)
    now = services.world.now()
    current = await services.store.connect_link(link.id)
    if current is not None and current.waits_until is not None and current.waits_until > now:
        return said + text("connect/closed_part.html", **_closed(services, LinkRefused(LinkWhy.WAITS, current)))
    offer = await services.guest.offer(link, filled.address)
    return said + text("connect/how_part.html", **_how_values(link, offer, filled), focus=False)


async def _opened(services: Services, token: str) -> ConnectLink:
    if len(token) > _LONGEST_TOKEN:
        raise LinkRefused(LinkWhy.UNKNOWN)
    return await services.links.opened(token)


def _from_here(request: Request) -> bool:
    """By what browsers say of themselves (Fetch Metadata); those that say nothing are known by the form's token."""
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _address(link: ConnectLink, filled: Filled, status: int = 200) -> HTMLResponse:
    return secret_page("connect/address.html", status, link=link, filled=filled, cancel=cancel(link))


def _how(link: ConnectLink, offer: Offer, filled: Filled, status: int = 200) -> HTMLResponse:
    return secret_page("connect/how.html", status, **_how_values(link, offer, filled), focus=True)


def _how_values(link: ConnectLink, offer: Offer, filled: Filled) -> dict[str, object]:
    return {"link": link, "offer": offer, "filled": filled, "cancel": cancel(link)}


def cancel(link: ConnectLink) -> str:
    """Where whoever gives up goes."""
    return return_address(link, "cancelled")


def back(link: ConnectLink, view: MailboxView) -> str:
    return return_address(replace(link, connected_id=view.mailbox.id), "connected", view.mailbox.reference)


def refusal(services: Services, refused: LinkRefused) -> HTMLResponse:
    """A link that does not serve (now)."""
    return secret_page("connect/closed.html", _STATUS.get(refused.why, 410), **_closed(services, refused))


def _closed(services: Services, refused: LinkRefused) -> dict[str, object]:
    link, minutes = refused.link, 0
    if link is not None and link.waits_until is not None:
        minutes = max(1, -(-int((link.waits_until - services.world.now()).total_seconds()) // 60))
    status = "connected" if refused.why is LinkWhy.USED else str(refused.why)
    back = return_address(link, status) if link is not None else ""
    return {"link": link, "why": str(refused.why), "minutes": minutes, "back": back}


def fault(request: Request, failure: Exception) -> HTMLResponse:
    """What nobody expected: people get a page, the log the place."""
    unexpected(request, failure)
    return secret_page("connect/closed.html", 500, link=None, why="unavailable", minutes=0, back="")


def unavailable(failure: StoreUnavailable) -> HTMLResponse:
    """The database does not serve."""
    log.warning("connect page cannot be shown", reason=str(failure))
    return secret_page("connect/closed.html", 503, link=None, why="unavailable", minutes=0, back="")
