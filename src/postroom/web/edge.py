"""The outermost layer of every answer: safe headers, figures, and a problem where nobody expected a failure."""

from __future__ import annotations

import time

from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postroom.web.failures import problem_of, unexpected
from postroom.web.metrics import Metrics

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Edge:
    """ASGI middleware around all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _complete(scope, MutableHeaders(raw=message["headers"]))
                seconds = time.perf_counter() - began
                self._metrics.answered(_method(scope), _route(scope), message["status"], seconds)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as failure:
            found = problem_of(failure)
            if started or found is None:
                found = unexpected(Request(scope), failure)
            if not started:  # else the server closes the connection: the client sees that the answer is not whole
                await found.response(scope["path"])(scope, receive, sending)


def _complete(scope: Scope, headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if scope["path"].startswith("/v1"):
        headers.setdefault("Cache-Control", "no-store")


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _route(scope: Scope) -> str:
    """The path with its parameters' names for their values: a figure for each mailbox would be too many."""
    path: str = scope["path"]
    if not isinstance(scope.get("route"), APIRoute):
        return "static" if path.startswith("/static/") else "none"
    names = {str(value): name for name, value in scope["path_params"].items()}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in path.split("/"))
