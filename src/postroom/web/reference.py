"""Completes the OpenAPI 3.1 description that the routes give: errors, keys, groups, webhooks. It serves no page."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from postroom.core.events import EventType
from postroom.web.problem import (
    BAD_REQUEST,
    INTERNAL,
    INVALID,
    MEDIA_TYPE,
    NOT_CONNECTED,
    NOT_FOUND,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
)
from postroom.web.schema.event import Event
from postroom.web.schema.problem import Problem

_REF = "#/components/schemas/{model}"
DESCRIPTION = """\
The email channel of a support team: its mailboxes, what arrives in them, what is sent from them, and what to do when
one breaks. Requests under `/v1` bear an API key, made on the machine that runs Postroom with `postroom key create
NAME`. Times are RFC 3339 in UTC. Lists take `limit` and `cursor`. Every error is a problem of RFC 9457."""
TAGS = {
    "mailboxes": "Find settings, connect, see how both directions do, mend.",
    "messages": "Send messages; read one with its attachments.",
    "conversations": "Messages that belong together, and answers.",
    "deliveries": "Outgoing messages on their way.",
    "events": "A stream of what happens.",
    "webhooks": "What happens, sent to a URL of yours.",
    "oauth": "Signing in with the provider instead of a password: the team's own clients, and people's sign-ins.",
    "connect-links": "Addresses where people without an account connect a mailbox, or sign in to it again.",
    "diagnoses": "The catalogue of what can be wrong.",
    "operations": "For those who run Postroom. No key is needed.",
}
_CONFLICTS = {
    "connect_mailbox": "The address is connected already.",
    "send_message": "The idempotency key was used for another request, or an automatic message would go on a loop.",
    "reply": "The idempotency key was used for another request, or an automatic message would go on a loop.",
    "retry_delivery": "The delivery's state does not allow it.",
    "cancel_delivery": "The delivery's state does not allow it.",
    "resend_delivery": "The delivery is on its way, or everybody has got it.",
    "confirm_delivery": "The delivery is not unconfirmed.",
    "begin_authorization": "There is no OAuth client for this address, or the address is connected already.",
    "create_connect_link": "The address is connected already.",
    "revoke_connect_link": "The link was used, or revoked before.",
    "remove_oauth_client": "Mailboxes sign in with it.",
}
_NEW = {"Location": "The path of what was made."}
_TAKEN = {**_NEW, "Idempotent-Replayed": "`true` where the idempotency key came before: nothing was sent again."}
_HEADERS = {
    "connect_mailbox": {"201": _NEW},
    "create_webhook": {"201": _NEW},
    "create_connect_link": {"201": _NEW},
    "send_message": {"202": _TAKEN},
    "reply": {"202": _TAKEN},
    "resend_delivery": {"202": _TAKEN},
}
_CONNECTING = frozenset({"connect_mailbox", "change_mailbox", "reauthenticate_mailbox"})
_FINDS_ANOTHER = frozenset({"send_message", "create_connect_link"})
"""Operations that name another thing in their body, which may not exist."""


def install(app: FastAPI) -> None:
    """Makes `app.openapi()` give the whole description."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def methods_of(app: FastAPI, path: str) -> list[str]:
    """The methods that a path of the description takes; none for a path that is not in it."""
    return [
        method.upper()
        for template, operations in app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        for method in operations
    ]


def _description(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="The email channel of a support team.",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _, own = models_json_schema([(Problem, "serialization"), (Event, "serialization")], ref_template=_REF)
    for name, schema in own["$defs"].items():
        schemas.setdefault(name, schema)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `postroom key create NAME` prints one."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    document["webhooks"] = {"event": {"post": _webhook()}}
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    answers = operation["responses"]
    answers.pop("422", None)
    for status, answer in answers.items():
        if answer["description"] == "Successful Response":
            answer["description"] = f"{HTTPStatus(int(status)).phrase}."
    answers["500"] = _problem(INTERNAL.meaning)
    if path.startswith("/v1"):
        operation["security"] = [{"key": []}]
        answers["401"] = _problem(UNAUTHORIZED.meaning, {"WWW-Authenticate": "How to sign in (RFC 6750)."})
        answers["503"] = _problem(UNAVAILABLE.meaning, {"Retry-After": "Seconds until it may be tried again."})
    elif name == "ready":
        answers["503"] = _problem("The database does not answer, or the engine does not run.")
    for status, names in _HEADERS.get(name, {}).items():
        answers[status]["headers"] = _headers(names)
    if "{" in path or name in _FINDS_ANOTHER:
        answers["404"] = _problem(NOT_FOUND.meaning)
    if operation.get("parameters") or "requestBody" in operation:
        answers["422"] = _problem(NOT_CONNECTED.meaning if name in _CONNECTING else INVALID.meaning)
    if path.startswith("/v1"):
        answers["413"] = _problem(TOO_LARGE.meaning)
        answers["415"] = _problem(UNSUPPORTED_MEDIA_TYPE.meaning)
    if "requestBody" in operation:
        answers["400"] = _problem(BAD_REQUEST.meaning)
    if name in _CONFLICTS:
        answers["409"] = _problem(_CONFLICTS[name])
    operation["responses"] = dict(sorted(answers.items()))


def _problem(meaning: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": meaning,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    if headers:
        answer["headers"] = _headers(headers)
    return answer


def _headers(texts: dict[str, str]) -> dict[str, Any]:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}


def _webhook() -> dict[str, Any]:
    names = ", ".join(kind.value for kind in EventType)
    headers = {
        "webhook-id": "The event's identifier: the same each time that it is sent.",
        "webhook-timestamp": "When it was sent, in seconds since 1970.",
        "webhook-signature": "`v1,` and the signature in base 64 (HMAC-SHA256).",
    }
    return {
        "operationId": "event",
        "tags": ["webhooks"],
        "summary": "Event",
        "description": f"What Postroom posts to a webhook, signed as Standard Webhooks says: {names}.",
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF.format(model="Event")}}},
        },
        "responses": {"2XX": {"description": "Taken. Anything else is sent again, later and later."}},
    }
