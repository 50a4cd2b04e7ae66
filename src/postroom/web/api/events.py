"""The stream of events (server-sent events, WHATWG HTML 9.2), resumable by position. It makes no events."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from postroom.core.events import Recorded
from postroom.core.ports.store import StoreUnavailable
from postroom.flows.announce import body_of
from postroom.web import problem
from postroom.web.schema.event import LARGEST_POSITION, EventQuery
from postroom.web.services import Injected, Services

log = structlog.get_logger()
router = APIRouter(prefix="/events", tags=["events"])

RECONNECT = 2000
"""Milliseconds that a client waits before it connects again."""
_POSITION = re.compile(r"[0-9]{1,19}")
_STREAM = {
    "description": "A stream without end. Each event has its position as `id`, its type as `event` and an `Event` as "
    "`data`; a comment comes about every 15 seconds.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string", "contentMediaType": "text/event-stream"},
            "example": 'id: 42\nevent: message.received\ndata: {"type":"message.received",'
            '"timestamp":"2026-07-01T09:30:00Z","data":{"id":"msg_…"}}\n\n',
        }
    },
}


@router.get("", operation_id="follow_events", response_class=EventSourceResponse, responses={200: _STREAM})
async def follow(
    request: Request,
    services: Injected,
    query: Annotated[EventQuery, Query()],
    last_event_id: Annotated[
        str | None, Header(description="The position of the last event that was seen. It wins over `after`.")
    ] = None,
) -> EventSourceResponse:
    """Every event as it happens. After a break, the stream goes on without a gap where the client names the position
    of the last event it saw: browsers and SSE libraries do so by themselves with `Last-Event-ID`."""
    after = await _after(services, query, last_event_id)
    if 0 < after < (gone := await services.store.pruned_position()):
        raise problem.Problem(
            problem.EVENTS_GONE,
            f"Events up to position {gone} are not kept any more, and the last that you saw is {after}. Read the lists "
            "anew, then begin with after=0 or from now.",
        )
    events = services.announce.follow(after, types=tuple(query.types), mailbox_id=query.mailbox_id)
    # Signs of life come from the flow, so that one that hangs is seen by the client.
    return EventSourceResponse(_stream(request, events), ping=0, sep="\n")


async def _after(services: Services, query: EventQuery, last_event_id: str | None) -> int:
    if last_event_id:
        if not _POSITION.fullmatch(last_event_id) or int(last_event_id) > LARGEST_POSITION:
            raise problem.invalid(
                "Last-Event-ID", "This is no position: send back the `id` of an event of this stream."
            )
        return int(last_event_id)
    return query.after if query.after is not None else await services.store.last_position()


async def _stream(request: Request, events: AsyncIterator[Recorded | None]) -> AsyncIterator[ServerSentEvent]:
    """Ends where the key was revoked meanwhile, or the database fails: the client comes back by itself."""
    keys, digest = request.app.state.keys, request.state.key_digest
    yield ServerSentEvent(comment="Postroom", retry=RECONNECT, sep="\n")
    try:
        async for recorded in events:
            if recorded is not None:
                data = json.dumps(body_of(recorded.event), ensure_ascii=False, separators=(",", ":"))
                yield ServerSentEvent(data, id=str(recorded.position), event=recorded.event.type.value, sep="\n")
            elif await keys.admits(digest):
                yield ServerSentEvent(comment="still here", sep="\n")
            else:
                return
    except StoreUnavailable as failure:
        log.warning("stream of events ended", reason=str(failure))
