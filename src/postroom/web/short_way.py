"""The short way for `POST /v1/messages`: validated and answered without what serves any route. It refuses nothing.

Finding the route, solving dependencies and judging types in general cost more CPU than to compose a message and write
it down. Here only goes through what is right in every part; all else takes the general way, which says what is wrong
with it. What is described and what is answered are the same on both.
"""

from __future__ import annotations

import re
from collections import deque

from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postroom.web.api import messages
from postroom.web.api.idempotency import LONGEST, PATTERN, Idempotency
from postroom.web.schema.delivery import Delivery
from postroom.web.schema.draft import NewMessage
from postroom.web.services import Services, person_in

PATH = "/v1/messages"
_KEY = re.compile(PATTERN)
_SHOWN = TypeAdapter(Delivery)
_ROUTE = next(one for one in messages.router.routes if isinstance(one, APIRoute) and one.endpoint is messages.send)


class ShortWay:
    """ASGI middleware inside those that let in, hold bodies to their limits and answer failures."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        came = await _whole(receive)
        given, key = _given(came), Headers(scope=scope).get("idempotency-key")
        if given is None or not (key is None or (len(key) <= LONGEST and _KEY.fullmatch(key))):
            await self._app(scope, _again(came, receive), send)
            return
        scope["route"], scope["path_params"] = _ROUTE, {}
        idempotency = await Idempotency(PATH, key).of(given)
        accepted = await self._services.accept.accept(given.draft(), idempotency, person_in(scope))
        response = Response(
            _SHOWN.dump_json(Delivery.of(accepted.delivery)), _ROUTE.status_code or 200, media_type="application/json"
        )
        response.headers.update(messages.headers_of(accepted))
        await response(scope, receive, send)


async def _whole(receive: Receive) -> list[Message]:
    """What comes until the body ends, or the client leaves."""
    came: list[Message] = []
    while not came or came[-1].get("more_body", False):
        came.append(await receive())
    return came


def _given(came: list[Message]) -> NewMessage | None:
    """None for what is not right, in whichever way."""
    if came[-1]["type"] != "http.request":
        return None
    try:
        return NewMessage.model_validate_json(b"".join(one.get("body", b"") for one in came))
    except ValidationError:
        return None


def _again(came: list[Message], receive: Receive) -> Receive:
    """The same once more, for the general way."""
    waiting = deque(came)

    async def first() -> Message:
        return waiting.popleft() if waiting else await receive()

    return first
