"""Templates to pages, with the headers that each needs. It knows no page."""

from __future__ import annotations

from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOM = Path(__file__).parent.parent
_templates = Environment(
    loader=FileSystemLoader(ROOM / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SECRET = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
"""Headers of a page whose address is a secret and that has a form."""


def text(template: str, **values: object) -> str:
    """The page as HTML."""
    return _templates.get_template(template).render(values)


def page(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(text(template, **values))


def secret_page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page whose address is a secret and that has a form."""
    return HTMLResponse(text(template, **values), status, headers=SECRET)
