"""Pages for people: what this is, the reference, the end of a sign-in. They need no JavaScript and no network."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from postroom.core.ports.store import MailboxView
from postroom.flows.sign_in import SignInFailed
from postroom.web.pages.outline import outline
from postroom.web.problem import TYPES
from postroom.web.services import Injected

router = APIRouter(include_in_schema=False)

_ROOM = Path(__file__).parent.parent
_templates = Environment(
    loader=FileSystemLoader(_ROOM / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def mount_static(app: FastAPI) -> None:
    """Serves the style sheet under /static."""
    app.mount("/static", StaticFiles(directory=_ROOM / "static"), name="static")


@router.get("/")
async def home(request: Request, services: Injected) -> HTMLResponse:
    """What this is and how to begin."""
    return _page("home.html", version=services.version, trouble=services.engine_ready(), base=_base(request))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The reference, made from the OpenAPI description."""
    document = request.app.openapi()
    return _page(
        "docs.html", version=document["info"]["version"], reference=outline(document, _base(request)), problems=TYPES
    )


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The description itself."""
    return JSONResponse(request.app.openapi())


@router.get("/oauth/callback")
async def signed_in(
    services: Injected,
    state: str = "",
    code: str = "",
    error: str = "",
    error_description: str = "",
) -> HTMLResponse:
    """Where a provider sends the browser back to: the mailbox is connected, or what to do, and who can do it."""
    version = services.version
    try:
        done = await services.authorize.finish(state, code=code, error=error, description=error_description)
    except SignInFailed as failed:
        page = _page("signed_in.html", version=version, address=None, failed=failed, words=str(failed))
        page.status_code = 400
    else:
        address = done.mailbox.address if isinstance(done, MailboxView) else done.address
        connected = isinstance(done, MailboxView)
        page = _page("signed_in.html", version=version, address=address, failed=None, words="", connected=connected)
    page.headers["Cache-Control"] = "no-store"
    return page


def _base(request: Request) -> str:
    """Where this server was reached, for examples that can be copied as they are."""
    return str(request.base_url).rstrip("/")


def _page(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(values))
