"""Pages for people: what this is, and the reference of the interface. They need no JavaScript and no network."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

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


def _base(request: Request) -> str:
    """Where this server was reached, for examples that can be copied as they are."""
    return str(request.base_url).rstrip("/")


def _page(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(values))
