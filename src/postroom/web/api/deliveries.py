"""Deliveries: how outgoing messages stand, and what a person can do about one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from postroom.core.story import story
from postroom.web import problem
from postroom.web.api.messages import answered
from postroom.web.schema.delivery import Delivery, DeliveryList, DeliveryQuery, DeliveryWithAttempts
from postroom.web.schema.fields import DeliveryId
from postroom.web.services import By, Injected

router = APIRouter(prefix="/deliveries", tags=["deliveries"])


@router.get("", operation_id="list_deliveries")
async def show_all(services: Injected, query: Annotated[DeliveryQuery, Query()]) -> DeliveryList:
    """Deliveries, the latest first."""
    page = await services.store.deliveries(
        mailbox_id=query.mailbox_id,
        state=query.state,
        conversation_id=query.conversation_id,
        bounced=query.bounced,
        limit=query.limit,
        cursor=query.cursor,
    )
    return DeliveryList(items=[Delivery.of(one) for one in page.items], next_cursor=page.next_cursor)


@router.get("/{delivery_id}", operation_id="get_delivery")
async def show(services: Injected, delivery_id: DeliveryId) -> DeliveryWithAttempts:
    """One delivery with every attempt that was made, and its story."""
    delivery = await services.store.delivery(delivery_id)
    if delivery is None:
        raise problem.not_found("delivery")
    attempts = await services.store.attempts(delivery_id)
    transitions = await services.store.transitions(delivery_id)
    return DeliveryWithAttempts.with_attempts(delivery, attempts, story(delivery, transitions))


@router.post("/{delivery_id}/retry", operation_id="retry_delivery")
async def retry(services: Injected, by: By, delivery_id: DeliveryId) -> Delivery:
    """Sends it again now: one that failed, was put off, or whose answer was cut off. Its hold time runs on."""
    return Delivery.of(await services.accept.retry(delivery_id, by))


@router.post("/{delivery_id}/confirm", operation_id="confirm_delivery")
async def confirm(services: Injected, by: By, delivery_id: DeliveryId) -> Delivery:
    """Marks an unconfirmed one as sent, for whoever knows that it arrived: it is not sent again, and Sent gets its
    copy."""
    return Delivery.of(await services.accept.confirm(delivery_id, by))


@router.post("/{delivery_id}/resend", operation_id="resend_delivery", status_code=202)
async def resend(services: Injected, by: By, delivery_id: DeliveryId, response: Response) -> Delivery:
    """Sends the message of a delivery that came to its end anew, to those who have not got it: one that expired,
    failed, was cancelled or came back. A delivery of its own, with a new Message-ID and a new hold time. It is made
    once: asked again, the answer is the same delivery."""
    return answered(await services.accept.resend(delivery_id, by), response)


@router.post("/{delivery_id}/cancel", operation_id="cancel_delivery")
async def cancel(services: Injected, by: By, delivery_id: DeliveryId) -> Delivery:
    """Takes it back, as long as it waits."""
    return Delivery.of(await services.accept.cancel(delivery_id, by))
