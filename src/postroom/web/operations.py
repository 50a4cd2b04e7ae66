"""What operators and their machines ask: is it alive, is it ready, figures. It says nothing about mail."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from postroom.core.ports.store import StoreUnavailable
from postroom.web.metrics import CONTENT_TYPE, Metrics
from postroom.web.problem import UNAVAILABLE, Problem
from postroom.web.schema.base import Output
from postroom.web.services import Injected

router = APIRouter(tags=["operations"])


class Alive(Output):
    """The process answers."""

    status: Literal["ok"]
    version: str = Field(examples=["0.1.0"])


class Ready(Output):
    """The database serves and the engine runs."""

    status: Literal["ready"]


@router.get("/healthz", operation_id="health")
async def healthz(services: Injected) -> Alive:
    """Whether the process answers at all; it asks nobody else. Restart it when this fails."""
    return Alive(status="ok", version=services.version)


@router.get("/readyz", operation_id="ready")
async def readyz(services: Injected) -> Ready:
    """Whether requests can be served: the database answers and the engine runs. Send no requests here when not."""
    await services.store.ping()
    reason = services.engine_ready()
    if reason is not None:
        raise Problem(UNAVAILABLE, reason, headers={"Retry-After": "5"})
    return Ready(status="ready")


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"description": "Figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Figures in the text format of Prometheus. Those counted in the database are at most 10 seconds old."""
    figures: Metrics = request.app.state.metrics
    try:
        await figures.count()
        figures.store_serves(True)
    except StoreUnavailable:
        figures.store_serves(False)  # the figures of this process are wanted most of all then
    return Response(figures.text(), media_type=CONTENT_TYPE)
