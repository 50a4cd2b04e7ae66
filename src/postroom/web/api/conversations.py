"""Conversations: show them with their messages, answer in one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from postroom.core.identity import mailbox_of
from postroom.web import problem
from postroom.web.api.idempotency import Idempotent
from postroom.web.api.messages import answered, shown
from postroom.web.schema.base import ListQuery
from postroom.web.schema.delivery import Delivery
from postroom.web.schema.draft import NewReply
from postroom.web.schema.fields import ConversationId
from postroom.web.schema.message import (
    Conversation,
    ConversationList,
    ConversationQuery,
    ConversationWithMessages,
    MessageList,
)
from postroom.web.services import Injected

router = APIRouter(prefix="/conversations", tags=["conversations"])


@router.get("", operation_id="list_conversations")
async def show_all(services: Injected, query: Annotated[ConversationQuery, Query()]) -> ConversationList:
    """Conversations, those with the latest message first."""
    page = await services.store.conversations(mailbox_id=query.mailbox_id, limit=query.limit, cursor=query.cursor)
    return ConversationList.of(page)


@router.get("/{conversation_id}", operation_id="get_conversation")
async def show(
    services: Injected, conversation_id: ConversationId, query: Annotated[ListQuery, Query()]
) -> ConversationWithMessages:
    """One conversation with its messages, the oldest first; `limit` and `cursor` page through the messages."""
    conversation = await services.store.conversation(conversation_id)
    if conversation is None:
        raise problem.not_found("conversation")
    page = await services.store.messages(conversation_id, limit=query.limit, cursor=query.cursor)
    messages = MessageList(items=await shown(page.items), next_cursor=page.next_cursor)
    return ConversationWithMessages(**dict(Conversation.of(conversation)), messages=messages)


@router.post("/{conversation_id}/replies", operation_id="reply", status_code=202)
async def reply(
    services: Injected, conversation_id: ConversationId, given: NewReply, idempotency: Idempotent, response: Response
) -> Delivery:
    """Answers in a conversation: to whoever wrote last, with the headers that keep it together in mail programs."""
    mailbox_id = mailbox_of(conversation_id)
    if mailbox_id is None:
        raise problem.not_found("conversation")
    draft = given.draft(mailbox_id)
    return answered(await services.accept.reply(conversation_id, draft, await idempotency.of(given)), response)
