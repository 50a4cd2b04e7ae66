"""Pages for people: what this is, the reference, the connect page, the end of a sign-in. They need no JavaScript."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from postroom.web.pages import connect, landing
from postroom.web.pages.outline import outline
from postroom.web.pages.render import ROOM, page
from postroom.web.problem import TYPES
from postroom.web.services import Injected

router = APIRouter(include_in_schema=False)
router.include_router(connect.router)
router.include_router(landing.router)


def mount_static(app: FastAPI) -> None:
    """Serves the style sheet under /static."""
    app.mount("/static", StaticFiles(directory=ROOM / "static"), name="static")


@router.get("/")
async def home(request: Request, services: Injected) -> HTMLResponse:
    """What this is and how to begin."""
    return page("home.html", version=services.version, trouble=services.engine_ready(), base=_base(request))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The reference, made from the OpenAPI description."""
    document = request.app.openapi()
    return page(
        "docs.html", version=document["info"]["version"], reference=outline(document, _base(request)), problems=TYPES
    )


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The description itself."""
    return JSONResponse(request.app.openapi())


def _base(request: Request) -> str:
    """Where this server was reached, for examples that can be copied as they are."""
    return str(request.base_url).rstrip("/")
