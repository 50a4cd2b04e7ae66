"""Which failure becomes which problem. It holds no shape: see problem."""

from __future__ import annotations

import traceback
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from postroom.core.compose import BadDraft
from postroom.core.delivery import NotPossible
from postroom.core.diagnosis import Failure, diagnose
from postroom.core.ports.store import AddressTaken, BadCursor, ClientInUse, IdempotencyConflict, StoreUnavailable
from postroom.flows.accept import NoSuchConversation, NoSuchDelivery
from postroom.flows.automatic import AutomaticLoop
from postroom.flows.clients import BadClient, NoSuchClient
from postroom.flows.connect import NoSuchMailbox, NotConnected
from postroom.flows.connect_links import BadLink
from postroom.flows.sign_in import NoClient, SignInFailed
from postroom.web import problem, validation
from postroom.web.problem import Problem, ProblemType
from postroom.web.reference import methods_of
from postroom.web.schema.report import Report

log = structlog.get_logger()

RETRY_AFTER = 5
"""Seconds after which a request that met an unavailable database may be repeated."""

_BY_STATUS = {kind.status: kind for kind in (problem.BAD_REQUEST, problem.NOT_FOUND, problem.METHOD_NOT_ALLOWED)}


def problem_of(failure: Exception) -> Problem | None:
    """The problem that a failure is for the client; None for what nobody expected."""
    match failure:
        case Problem():
            return failure
        case RequestValidationError():
            return validation.problem_of(failure.errors())
        case HTTPException():
            return _of_status(failure)
        case NotConnected():
            return _not_connected(failure)
        case BadDraft():
            return problem.invalid(failure.field, str(failure))
        case BadCursor():
            return problem.invalid("cursor", "This list never gave out such a cursor: begin again without it.")
        case NoSuchMailbox():
            return problem.not_found("mailbox")
        case NoSuchConversation():
            return problem.not_found("conversation")
        case NoSuchDelivery():
            return problem.not_found("delivery")
        case AddressTaken():
            return Problem(
                problem.ADDRESS_TAKEN,
                "This address is connected already: change that mailbox, or remove it before you connect it again.",
            )
        case IdempotencyConflict():
            return Problem(
                problem.IDEMPOTENCY_CONFLICT,
                "This Idempotency-Key came before with another request, which stands. A new message needs a new key.",
            )
        case NotPossible():
            return Problem(problem.NOT_POSSIBLE, f"This is not possible: {failure}.")
        case AutomaticLoop():
            return Problem(problem.AUTOMATIC_LOOP, str(failure))
        case SignInFailed():
            return Problem(problem.SIGN_IN_FAILED, str(failure), diagnosis=failure.diagnosis)
        case NoClient():
            return Problem(problem.NO_OAUTH_CLIENT, f"{str(failure)[:1].upper()}{str(failure)[1:]}.")
        case BadLink():
            return problem.invalid(failure.field, str(failure))
        case BadClient():
            return problem.invalid(failure.field, f"{str(failure)[:1].upper()}{str(failure)[1:]}.")
        case NoSuchClient():
            return problem.not_found("OAuth client")
        case ClientInUse():
            return Problem(problem.NOT_POSSIBLE, f"This is not possible: {failure}.")
        case Failure():
            diagnosis = diagnose(failure.evidence)
            return Problem(problem.SIGN_IN_FAILED, diagnosis.reason, diagnosis=diagnosis)
        case StoreUnavailable():
            return Problem(problem.UNAVAILABLE, str(failure), headers={"Retry-After": str(RETRY_AFTER)})
        case _:
            return None


def unexpected(request: Request, failure: Exception) -> Problem:
    """The problem for what nobody expected, and its log line.

    The line has places only: an exception's text may quote what was being worked on, such as a password.
    """
    frames = traceback.extract_tb(failure.__traceback__)
    log.error(
        "request failed",
        method=request.method,
        path=_loggable(request.url.path),
        error=type(failure).__name__,
        where=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    )
    return Problem(problem.INTERNAL, "Postroom met a fault of its own while answering. Its log names the place.")


def _loggable(path: str) -> str:
    """The address of a connect link is a secret."""
    return "/connect/…" if path.startswith("/connect/") else path


def install(app: FastAPI) -> None:
    """Answers every failure that is named here in the one shape."""

    async def answer(request: Request, failure: Exception) -> Response:
        found = problem_of(failure) or unexpected(request, failure)
        if found.kind is problem.METHOD_NOT_ALLOWED and (methods := methods_of(app, request.url.path)):
            found.headers = {"Allow": ", ".join(methods)}  # the router names those of the first route alone
        return found.response(request.url.path)

    for kind in (
        HTTPException,
        RequestValidationError,
        NotConnected,
        BadDraft,
        BadCursor,
        NoSuchMailbox,
        NoSuchConversation,
        NoSuchDelivery,
        AddressTaken,
        IdempotencyConflict,
        NotPossible,
        AutomaticLoop,
        SignInFailed,
        NoClient,
        BadLink,
        BadClient,
        NoSuchClient,
        ClientInUse,
        Failure,
        StoreUnavailable,
    ):
        app.add_exception_handler(kind, answer)


def _not_connected(failure: NotConnected) -> Problem:
    report = failure.report
    diagnosis = report.diagnosis
    what = diagnosis.message if diagnosis else "A step of the connection failed"
    return Problem(
        problem.NOT_CONNECTED,
        f"{what.rstrip('.')}. Nothing was saved.",
        diagnosis=diagnosis,
        report=Report.of(report).model_dump(mode="json"),
    )


def _of_status(failure: HTTPException) -> Problem:
    details = {
        404: "There is nothing at this address. /docs lists what there is.",
        405: "This address does not take this method; the header Allow names those it takes.",
        400: "The body of the request could not be read.",
    }
    kind = _BY_STATUS.get(failure.status_code)
    if kind is None:
        title = HTTPStatus(failure.status_code).phrase
        kind = ProblemType(f"http-{failure.status_code}", failure.status_code, title, title)
    return Problem(kind, details.get(failure.status_code, kind.title), headers=failure.headers)
