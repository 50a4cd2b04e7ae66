"""The interface under /v1, one resource a file. It holds no decision about mail."""

from __future__ import annotations

from fastapi import APIRouter

from postroom.web.api import (
    connect_links,
    conversations,
    deliveries,
    diagnoses,
    events,
    mailboxes,
    messages,
    oauth,
    settings,
    webhooks,
)

router = APIRouter(prefix="/v1")
for resource in (
    settings,
    mailboxes,
    messages,
    conversations,
    deliveries,
    events,
    webhooks,
    oauth,
    connect_links,
    diagnoses,
):
    router.include_router(resource.router)
