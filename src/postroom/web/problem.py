"""The one shape of an error (RFC 9457 problem details). It does not know what failed: see failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import HTTPException
from starlette.responses import JSONResponse

from postroom.core.diagnosis.verdict import Diagnosis

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of error: `name` is its anchor on the reference page, which `type` points to; `meaning` stands there."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        return f"/docs#problem-{self.name}"


BAD_REQUEST = ProblemType("bad-request", 400, "The request cannot be read", "The body is not JSON.")
UNAUTHORIZED = ProblemType(
    "unauthorized",
    401,
    "An API key is needed",
    "The header `Authorization: Bearer pr_…` is missing, or the key is unknown or revoked.",
)
NOT_FOUND = ProblemType("not-found", 404, "There is no such thing", "Nothing has this address or identifier.")
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", 405, "This cannot be done here", "The header `Allow` names the methods that exist here."
)
ADDRESS_TAKEN = ProblemType(
    "address-taken", 409, "This address is connected already", "An address can be connected once."
)
IDEMPOTENCY_CONFLICT = ProblemType(
    "idempotency-conflict",
    409,
    "The idempotency key was used for another request",
    "The same `Idempotency-Key` came before with another request. Use a new key for a new message.",
)
NOT_POSSIBLE = ProblemType(
    "not-possible", 409, "This is not possible now", "The state of the delivery does not allow it; `detail` says why."
)
AUTOMATIC_LOOP = ProblemType(
    "automatic-loop",
    409,
    "An automatic message is not taken here",
    "It would answer another automatic message, or the conversation had too many of them; `detail` says why.",
)
EVENTS_GONE = ProblemType(
    "events-gone",
    410,
    "These events are not kept any more",
    "The stream cannot go on without a gap. Read the lists anew, then begin with `after=0` or with neither.",
)
TOO_LARGE = ProblemType("too-large", 413, "The request is too large", "The body is larger than is taken here.")
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type", 415, "The body must be JSON", "Send it with `Content-Type: application/json`."
)
INVALID = ProblemType(
    "invalid", 422, "Something in the request is wrong", "`errors` names each field and what is wrong with it."
)
NOT_CONNECTED = ProblemType(
    "not-connected",
    422,
    "The mailbox could not be connected",
    "A step of the connection failed and nothing was saved. `diagnosis` says what is wrong and what to do; `report` "
    "has every step of both directions.",
)
SIGN_IN_FAILED = ProblemType(
    "sign-in-failed",
    422,
    "The sign-in did not come to its end",
    "A sign-in with OAuth was refused, is too old, was used before, or is somebody else's; `detail` says which, and "
    "`diagnosis` what a server said.",
)
NO_OAUTH_CLIENT = ProblemType(
    "no-oauth-client",
    409,
    "There is no OAuth client for this",
    "A client has to be registered at the provider and entered first; `GET /v1/oauth/providers` says how.",
)
INTERNAL = ProblemType("internal", 500, "Postroom failed", "A fault of Postroom's own. Its log has the place.")
UNAVAILABLE = ProblemType(
    "unavailable", 503, "Not now", "The database cannot serve. Nothing was written; repeat the request later."
)

TYPES = (
    BAD_REQUEST,
    UNAUTHORIZED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    ADDRESS_TAKEN,
    IDEMPOTENCY_CONFLICT,
    NOT_POSSIBLE,
    AUTOMATIC_LOOP,
    EVENTS_GONE,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID,
    NOT_CONNECTED,
    SIGN_IN_FAILED,
    NO_OAUTH_CLIENT,
    INTERNAL,
    UNAVAILABLE,
)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field and how to mend it. `field` is a path such as `imap.port` or `to[0].email`."""

    field: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "message": self.message}


class Problem(HTTPException):
    """An answer that is an error. Raised anywhere in the web room; `response` is its form."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        diagnosis: Diagnosis | None = None,
        report: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.status, detail, dict(headers) if headers else None)
        self.kind = kind
        self.errors = tuple(errors)
        self.diagnosis = diagnosis
        self.report = report

    def response(self, instance: str | None = None) -> JSONResponse:
        body: dict[str, Any] = {
            "type": self.kind.uri,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if instance is not None:
            body["instance"] = instance
        if self.errors:
            body["errors"] = [one.as_dict() for one in self.errors]
        if self.diagnosis is not None:
            body["diagnosis"] = self.diagnosis.as_dict()
        if self.report is not None:
            body["report"] = self.report
        return JSONResponse(body, self.kind.status, headers=self.headers, media_type=MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """`what` is the kind of thing that was asked for, such as `mailbox`."""
    return Problem(NOT_FOUND, f"There is no such {what}: it was removed, or the identifier is not quite right.")


def invalid(field: str, message: str) -> Problem:
    """One field is wrong."""
    return Problem(INVALID, f"{field}: {message}", errors=[FieldError(field, message)])
