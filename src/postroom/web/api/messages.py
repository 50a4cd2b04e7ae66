"""Messages: send one, show one, hand out its bytes and attachments."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Response

from postroom.core import message as core
from postroom.core import parse
from postroom.core.ports.store import Accepted
from postroom.web import problem
from postroom.web.api.idempotency import Idempotent
from postroom.web.schema.delivery import Delivery
from postroom.web.schema.draft import NewMessage
from postroom.web.schema.fields import MessageId
from postroom.web.schema.message import Message
from postroom.web.services import By, Injected, Services

router = APIRouter(prefix="/messages", tags=["messages"])

_TYPE = re.compile(r"[\w!#$&^.+-]{1,80}/[\w!#$&^.+-]{1,80}")
_RUNS_IN_A_BROWSER = re.compile(r"html|xml|svg|script|xsl", re.IGNORECASE)
_BINARY = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


@router.post("", operation_id="send_message", status_code=202)
async def send(services: Injected, by: By, given: NewMessage, idempotency: Idempotent, response: Response) -> Delivery:
    """Takes a message for sending. When this answers, the message is on disk: it is sent as soon as the mailbox can,
    and held while sending does not work, up to the mailbox's `hold_hours`."""
    accepted = await services.accept.accept(given.draft(), await idempotency.of(given), by)
    return answered(accepted, response)


@router.get("/{message_id}", operation_id="get_message")
async def show(services: Injected, message_id: MessageId) -> Message:
    """One message with its text."""
    return (await shown([await _message(services, message_id)]))[0]


@router.get(
    "/{message_id}/raw",
    operation_id="get_raw_message",
    response_class=Response,
    responses={
        200: {"description": "The message's bytes.", "content": {"message/rfc822": {"schema": {"type": "string"}}}}
    },
)
async def raw(services: Injected, message_id: MessageId) -> Response:
    """The message's bytes, exactly as they came or went."""
    return _download(await _raw(services, message_id), "message/rfc822", f"{message_id}.eml")


@router.get(
    "/{message_id}/attachments/{number}",
    operation_id="get_attachment",
    response_class=Response,
    responses={200: {"description": "The attachment's bytes.", "content": {"*/*": _BINARY}}},
)
async def attachment(
    services: Injected, message_id: MessageId, number: Annotated[int, Path(ge=0, le=100_000)]
) -> Response:
    """The bytes of one attachment, always as a download. What a browser would run comes as plain bytes."""
    content = await _raw(services, message_id)
    try:
        described, data = await asyncio.to_thread(parse.attachment, content, number)
    except (LookupError, core.Unreadable):
        raise problem.not_found("attachment") from None
    kind = described.content_type
    if not _TYPE.fullmatch(kind) or _RUNS_IN_A_BROWSER.search(kind):
        kind = "application/octet-stream"
    return _download(data, kind, described.filename)


def answered(accepted: Accepted, response: Response) -> Delivery:
    """The answer to a message that was taken."""
    response.headers.update(headers_of(accepted))
    return Delivery.of(accepted.delivery)


def headers_of(accepted: Accepted) -> dict[str, str]:
    """The headers of that answer."""
    location = {"Location": f"/v1/deliveries/{accepted.delivery.id}"}
    return location | {"Idempotent-Replayed": "true"} if accepted.repeated else location


async def shown(messages: Iterable[core.Message]) -> list[Message]:
    """Messages as answers show them. Making HTML safe takes time that others on the loop need: a thread does it."""
    return await asyncio.to_thread(
        lambda: [Message.of(one, parse.safe_html(one.parsed.html) if one.parsed.html else "") for one in messages]
    )


async def _message(services: Services, message_id: str) -> core.Message:
    message = await services.store.message(message_id)
    if message is None:
        raise problem.not_found("message")
    return message


async def _raw(services: Services, message_id: str) -> bytes:
    content = await services.store.raw(message_id)
    if content is None:
        raise problem.not_found("message")
    return content


def _download(content: bytes, kind: str, filename: str) -> Response:
    plain = re.sub(r"[^\w.() -]", "_", filename, flags=re.ASCII).strip() or "attachment"
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"  # RFC 6266
    headers = {"Content-Disposition": disposition, "Content-Security-Policy": "default-src 'none'; sandbox"}
    response = Response(content, media_type=kind, headers=headers)
    response.headers["Content-Type"] = kind  # no charset of ours: the bytes are as their sender made them
    return response
