"""Builds the application of its parts. It starts no server: serve does."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware import Middleware

from postroom.web import api, failures, operations, pages, reference
from postroom.web.authentication import Authentication, Keys
from postroom.web.body import Body
from postroom.web.edge import Edge
from postroom.web.metrics import Metrics
from postroom.web.services import Services
from postroom.web.short_way import ShortWay


def build_operations(services: Services) -> FastAPI:
    """What operators ask alone: for a process that runs the engine and answers nobody else."""
    metrics = Metrics(services.store, services.world, services.version)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, middleware=[Middleware(Edge, metrics=metrics)])
    app.state.services = services
    app.state.metrics = metrics
    failures.install(app)
    app.include_router(operations.router)
    return app


def build(services: Services) -> FastAPI:
    """The ASGI application. Each part is its own: nothing is shared between two applications."""
    metrics = Metrics(services.store, services.world, services.version)
    keys = Keys(services.store, services.world)
    app = FastAPI(
        title="Postroom",
        version=services.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Edge, metrics=metrics),
            Middleware(Authentication, keys=keys),
            Middleware(Body),
            Middleware(ShortWay, services=services),
        ],
    )
    app.state.services = services
    app.state.metrics = metrics
    app.state.keys = keys
    failures.install(app)
    app.include_router(api.router)
    app.include_router(operations.router)
    app.include_router(pages.router)
    pages.mount_static(app)
    reference.install(app)
    return app
