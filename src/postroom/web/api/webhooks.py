"""Webhooks: where events are sent to. It sends none: announce does."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from postroom.core import events as core
from postroom.core.identity import Kind
from postroom.core.ports.world import World
from postroom.web import problem
from postroom.web.schema.base import ListQuery
from postroom.web.schema.event import NewWebhook, Webhook, WebhookChange, WebhookList, WebhookWithSecret
from postroom.web.schema.fields import WebhookId
from postroom.web.schema.paged import page_of
from postroom.web.services import Injected, Services

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.post("", operation_id="create_webhook", status_code=201)
async def create(services: Injected, given: NewWebhook, response: Response) -> WebhookWithSecret:
    """Sends events to a URL from now on. The secret, which checks their signatures, is shown this once."""
    webhook = core.Webhook(
        id=services.world.identifier(Kind.WEBHOOK),
        url=given.url,
        secret=new_secret(services.world),
        types=tuple(dict.fromkeys(given.types)),
        created_at=services.world.now(),
    )
    await services.store.add_webhook(webhook)
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return WebhookWithSecret.with_secret(webhook)


@router.get("", operation_id="list_webhooks")
async def show_all(services: Injected, query: Annotated[ListQuery, Query()]) -> WebhookList:
    """All webhooks, without their secrets."""
    webhooks = sorted(await services.store.webhooks(), key=lambda one: one.id)  # identifiers sort by time
    part, following = page_of(webhooks, lambda one: one.id, limit=query.limit, cursor=query.cursor)
    return WebhookList(items=[Webhook.of(one) for one in part], next_cursor=following)


@router.get("/{webhook_id}", operation_id="get_webhook")
async def show(services: Injected, webhook_id: WebhookId) -> Webhook:
    """One webhook; `failing_since` and `last_error` say whether its calls arrive."""
    return Webhook.of(await _webhook(services, webhook_id))


@router.patch("/{webhook_id}", operation_id="change_webhook")
async def change(services: Injected, webhook_id: WebhookId, given: WebhookChange) -> Webhook:
    """Changes where and which events are sent, or switches it on or off."""
    webhook = await _webhook(services, webhook_id)
    changed = replace(
        webhook,
        url=given.url or webhook.url,
        types=webhook.types if given.types is None else tuple(dict.fromkeys(given.types)),
        enabled=webhook.enabled if given.enabled is None else given.enabled,
    )
    await services.store.update_webhook(changed)
    return Webhook.of(changed)


@router.post("/{webhook_id}/rotate", operation_id="rotate_webhook_secret")
async def rotate(services: Injected, webhook_id: WebhookId) -> WebhookWithSecret:
    """Makes a new secret, shown this once. Events are signed with it from now on, and no more with the old one."""
    changed = replace(await _webhook(services, webhook_id), secret=new_secret(services.world))
    await services.store.update_webhook(changed)
    return WebhookWithSecret.with_secret(changed)


@router.delete("/{webhook_id}", operation_id="remove_webhook", status_code=204)
async def remove(services: Injected, webhook_id: WebhookId) -> None:
    """Sends no more events there, and drops those that wait."""
    if not await services.store.delete_webhook(webhook_id):
        raise problem.not_found("webhook")


def new_secret(world: World) -> str:
    """A secret in the form of the Standard Webhooks specification: `whsec_` and 32 bytes in the plain base 64."""
    drawn = world.secret()
    return "whsec_" + base64.b64encode(base64.urlsafe_b64decode(drawn + "=" * (-len(drawn) % 4))).decode()


async def _webhook(services: Services, webhook_id: str) -> core.Webhook:
    webhook = await services.store.webhook(webhook_id)
    if webhook is None:
        raise problem.not_found("webhook")
    return webhook
