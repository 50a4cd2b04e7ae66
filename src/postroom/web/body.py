"""Refuses bodies that are too large or of another kind than JSON (on the connect page: a form) before they are read.
It parses none."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postroom.web import problem
from postroom.web.problem import Problem
from postroom.web.schema.draft import MOST_ATTACHED

LARGEST = 1024 * 1024
"""Bytes of a body that carries no attachments."""
LARGEST_MESSAGE = MOST_ATTACHED * 4 // 3 + 12 * 1024 * 1024
"""Bytes of a body that sends a message: attachments in base 64 and both texts."""
LARGEST_FORM = 64 * 1024
"""Bytes of a form that a person sends."""
_FORMS = re.compile(r"/connect/[^/]+")
_FORM = re.compile(r"application/x-www-form-urlencoded\s*(?:;.*)?", re.IGNORECASE)
_SENDS = re.compile(r"/v1/messages|/v1/conversations/[^/]+/replies")
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


class Body:
    """ASGI middleware that holds bodies to their limits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        form = _FORMS.fullmatch(scope["path"]) is not None
        limit = LARGEST_MESSAGE if _SENDS.fullmatch(scope["path"]) else LARGEST_FORM if form else LARGEST
        refusal = _refusal(Headers(scope=scope), limit, form=form)
        if refusal is not None:
            await refusal.response(scope["path"])(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counted, send)


def _refusal(headers: Headers, limit: int, *, form: bool) -> Problem | None:
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        return _too_large(limit)
    has_body = "transfer-encoding" in headers or (length.isdecimal() and int(length) > 0)
    given = headers.get("content-type", "")
    if has_body and form and not _FORM.fullmatch(given.strip()):
        return Problem(problem.UNSUPPORTED_MEDIA_TYPE, "This page takes what its own form sends.")
    if has_body and not form and not _JSON.fullmatch(given.strip()):
        what = f"not {given.strip()[:100]}" if given else "and there is none"
        return Problem(
            problem.UNSUPPORTED_MEDIA_TYPE, f"The body must be JSON, with Content-Type: application/json, {what}."
        )
    return None


def _too_large(limit: int) -> Problem:
    return Problem(
        problem.TOO_LARGE,
        f"The body is larger than the {limit / 1e6:.0f} MB that are taken here. Attachments may have "
        f"{MOST_ATTACHED / 1e6:.0f} MB together; send a link to larger files.",
        # What was not read would be taken for the next request.
        headers={"Connection": "close"},
    )
