"""Conversations: show them with their messages, answer in one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from postroom.core.identity import mailbox_of
from postroom.core.ports.store import NotOfConversation
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
    Merge,
    MessageList,
    Split,
)
from postroom.web.services import By, Injected

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
    page = await services.store.messages(conversation.id, limit=query.limit, cursor=query.cursor)
    messages = MessageList(items=await shown(page.items), next_cursor=page.next_cursor)
    return ConversationWithMessages(**dict(Conversation.of(conversation)), messages=messages)


@router.post("/{conversation_id}/merge", operation_id="merge_conversation")
async def merge(services: Injected, conversation_id: ConversationId, given: Merge) -> Conversation:
    """Puts all messages of this conversation into another of the same mailbox, and answers with that one. Its
    identifier, and answers to its messages, lead there from then on."""
    if given.into == conversation_id:
        raise problem.invalid("into", "A conversation cannot be merged into itself: name the other one.")
    merged = await services.store.merge(conversation_id, given.into)
    if merged is not None:
        return Conversation.of(merged)
    if await services.store.conversation(conversation_id) is None:
        raise problem.not_found("conversation")
    raise problem.invalid("into", "There is no such conversation in this mailbox, or one of the two was merged before.")


@router.post("/{conversation_id}/split", operation_id="split_conversation", status_code=201)
async def split(services: Injected, conversation_id: ConversationId, given: Split) -> Conversation:
    """Makes a conversation of its own of some of its messages. Answers to them go there."""
    try:
        new = await services.store.split(conversation_id, given.messages)
    except NotOfConversation:
        raise problem.invalid(
            "messages", "Name messages of this conversation, and not all of them: one must be left."
        ) from None
    if new is None:
        raise problem.not_found("conversation")
    return Conversation.of(new)


@router.post("/{conversation_id}/replies", operation_id="reply", status_code=202)
async def reply(
    services: Injected,
    by: By,
    conversation_id: ConversationId,
    given: NewReply,
    idempotency: Idempotent,
    response: Response,
) -> Delivery:
    """Answers in a conversation: to whoever wrote last, with the headers that keep it together in mail programs."""
    mailbox_id = mailbox_of(conversation_id)
    if mailbox_id is None:
        raise problem.not_found("conversation")
    draft = given.draft(mailbox_id)
    return answered(await services.accept.reply(conversation_id, draft, await idempotency.of(given), by), response)
