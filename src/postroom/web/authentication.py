"""Lets in who has an API key, before anything of the request is read. It makes no keys: the command line does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from postroom.core import apikey
from postroom.core.ports.store import KeyStore, StoreUnavailable
from postroom.core.ports.world import World
from postroom.web import problem
from postroom.web.failures import problem_of
from postroom.web.problem import Problem

log = structlog.get_logger()

REMEMBERED = timedelta(seconds=30)
"""How long a key is taken for good without asking the store: a revoked one works at most so long."""
NOTED = timedelta(minutes=1)
"""How often it is written down that a key was used."""
_MOST_REMEMBERED = 1000


@dataclass(slots=True)
class _Known:
    key_id: str
    name: str
    until: datetime


class Keys:
    """The keys that are good, as far as the store was asked lately."""

    def __init__(self, store: KeyStore, world: World) -> None:
        self._store = store
        self._world = world
        self._known: dict[str, _Known] = {}
        self._noted: dict[str, datetime] = {}
        self._keeping: set[asyncio.Task[None]] = set()

    async def admits(self, digest: str) -> str | None:
        """The name of the key with this digest; None where it is unknown or revoked. Raises StoreUnavailable."""
        now = self._world.now()
        known = self._known.get(digest)
        if known is None or known.until <= now:
            key = await self._store.key(digest)
            if key is None:
                self._known.pop(digest, None)
                return None
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[digest] = _Known(key.id, key.name, now + REMEMBERED)
        self._note(known.key_id, now)
        return known.name

    def _note(self, key_id: str, now: datetime) -> None:
        noted = self._noted.get(key_id)
        if noted is not None and now - noted < NOTED:
            return
        self._noted[key_id] = now
        task = asyncio.create_task(self._keep(key_id, now))  # no request waits for it
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, key_id: str, now: datetime) -> None:
        try:
            await self._store.key_used(key_id, now)
        except StoreUnavailable as failure:  # with a full disk there is still much to be read
            log.warning("use of a key not noted", key=key_id, reason=str(failure))


class Authentication:
    """ASGI middleware: /v1 is for those with a key (RFC 6750); the rest is open and tells nothing about mail."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            refusal = await self._refusal(scope)
        except StoreUnavailable as failure:
            refusal = problem_of(failure)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal.response(scope["path"])(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Problem | None:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return _unauthorized("Send an API key in the header: Authorization: Bearer pr_…", 'Bearer realm="Postroom"')
        digest = apikey.digest(token.strip())
        name = await self._keys.admits(digest)
        if name is None:
            return _unauthorized(
                "This API key is unknown or was revoked.", 'Bearer realm="Postroom", error="invalid_token"'
            )
        scope["state"] = {**scope.get("state", {}), "key_digest": digest, "key_name": name}
        return None


def _guarded(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(
        problem.UNAUTHORIZED,
        f"{detail} Make one on the machine that runs Postroom: postroom key create NAME",
        headers={"WWW-Authenticate": challenge},
    )
