"""The Idempotency-Key of a request: a repeat of it is answered with what the first one made. It keeps nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Annotated

from fastapi import Depends, Header, Request

from postroom.web.schema.draft import Content

LONGEST = 255
PATTERN = r"^[!-~]([ -~]*[!-~])?$"
IN_PLACE = 64 * 1024
"""Characters and bytes whose digest is made sooner than a thread would have them."""

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST,
        pattern=PATTERN,
        description="Any text that is new for each message. A request that is repeated with it (because the answer "
        "was lost, say) sends nothing again and is answered with the same delivery.",
    ),
]


class Idempotency:
    """What the client sent as its key, and where to."""

    def __init__(self, path: str, key: str | None) -> None:
        self._path = path
        self._key = key

    async def of(self, content: Content) -> tuple[str, str] | None:
        """The key and the digest of the request, as Accept takes them; None where there is no key."""
        if self._key is None:
            return None
        size = len(content.text) + len(content.html) + sum(len(one.content) for one in content.attachments)
        if size <= IN_PLACE:
            return self._key, digest(self._path, content)
        return self._key, await asyncio.to_thread(digest, self._path, content)


def digest(path: str, content: Content) -> str:
    """SHA-256 of the path and of the body in one canonical form: order of keys, spaces and defaults do not matter."""
    body = content.model_dump(exclude={"attachments"}, exclude_defaults=True, mode="json")
    body["attachments"] = [
        [one.filename, one.content_type, one.content_id, hashlib.sha256(one.content).hexdigest()]
        for one in content.attachments
    ]
    canonical = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


async def _idempotency(request: Request, key: Key = None) -> Idempotency:
    return Idempotency(request.scope["path"], key)


Idempotent = Annotated[Idempotency, Depends(_idempotency)]
