"""Mailboxes: connect, show, change, remove, and what a person does when one breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from postroom.core import mailbox as core
from postroom.core.budget import AS_GRANTED
from postroom.core.ports.store import AddressTaken
from postroom.flows import connect
from postroom.flows.connect_links import NewLink
from postroom.web import problem
from postroom.web.api import connect_links
from postroom.web.api.settings import connection_of
from postroom.web.schema.connect_link import SignInNeeded
from postroom.web.schema.connection import MailboxChange, MailboxQuery, NewMailbox, Reauthentication
from postroom.web.schema.fields import MailboxId
from postroom.web.schema.ledger import LedgerEntry, LedgerList, LedgerQuery
from postroom.web.schema.mailbox import Mailbox, MailboxList
from postroom.web.schema.report import Report
from postroom.web.services import By, Injected
from postroom.web.signing import credential_of, served

router = APIRouter(prefix="/mailboxes", tags=["mailboxes"])


@router.post("", operation_id="connect_mailbox", status_code=201)
async def create(services: Injected, given: NewMailbox, response: Response) -> Mailbox:
    """Connects a mailbox: both directions are tried, and only where both work it is saved and watched.

    Where one does not, the answer is 422 with the `diagnosis` and a `report` of every step. Settings that are not given
    are looked up and tried in order, up to four of each direction; the first that lead to the sign-in are taken.
    """
    # Known before the probe, which would bother the provider for nothing; the store has the last word.
    if await services.store.mailbox_by_address(given.address) is not None:
        raise AddressTaken
    connection, ways = await connection_of(services, given)
    new = connect.NewMailbox(
        connection=connection,
        hold_hours=given.hold_hours,
        folders=tuple(dict.fromkeys(given.folders)),
        reference=given.reference,
        unconfirmed=given.unconfirmed,
        aliases=tuple(one.alias() for one in given.aliases),
        budget=given.budget.core() if given.budget else AS_GRANTED,
        reply_to=given.reply_to,
        signature=given.signature.core() if given.signature else None,
        sync_days=given.sync_days,
        read_sent=given.read_sent,
    )
    view = await services.connect.add(new, ways=ways)
    await served(services, given.auth, view.mailbox.id)
    response.headers["Location"] = f"/v1/mailboxes/{view.mailbox.id}"
    return Mailbox.of(view, services.world.now())


@router.get("", operation_id="list_mailboxes")
async def show_all(services: Injected, query: Annotated[MailboxQuery, Query()]) -> MailboxList:
    """All mailboxes with their health."""
    page = await services.store.mailboxes(limit=query.limit, cursor=query.cursor, reference=query.reference)
    return MailboxList(
        items=[Mailbox.of(view, services.world.now()) for view in page.items], next_cursor=page.next_cursor
    )


@router.get("/{mailbox_id}", operation_id="get_mailbox")
async def show(services: Injected, mailbox_id: MailboxId) -> Mailbox:
    """One mailbox with the health of both directions and what waits for it."""
    view = await services.store.mailbox(mailbox_id)
    if view is None:
        raise problem.not_found("mailbox")
    return Mailbox.of(view, services.world.now())


@router.patch("/{mailbox_id}", operation_id="change_mailbox")
async def change(services: Injected, mailbox_id: MailboxId, given: MailboxChange) -> Mailbox:
    """Changes settings. New settings of the connection are tried before they are saved."""
    view = await services.store.mailbox(mailbox_id)
    if view is None:
        raise problem.not_found("mailbox")
    credential = await credential_of(services, given.auth, view.mailbox.address) if given.auth else None
    return Mailbox.of(await services.connect.change(_changed(view.mailbox, given), credential), services.world.now())


@router.delete("/{mailbox_id}", operation_id="remove_mailbox", status_code=204)
async def remove(services: Injected, mailbox_id: MailboxId) -> None:
    """Removes a mailbox with its messages and deliveries here. What is on its server stays there."""
    await services.connect.remove(mailbox_id)


@router.get("/{mailbox_id}/ledger", operation_id="get_ledger")
async def ledger(services: Injected, mailbox_id: MailboxId, query: Annotated[LedgerQuery, Query()]) -> LedgerList:
    """What became of every message that the server showed, by folder and UID: `fetched`, `quarantined` with its raw
    bytes, `skipped` for the reason that stands beside it, or `gone` before it could be read. A run of messages that
    were passed over for one reason is one entry."""
    if await services.store.mailbox(mailbox_id) is None:
        raise problem.not_found("mailbox")
    page = await services.store.ledger(
        mailbox_id, outcome=query.outcome, folder=query.folder, limit=query.limit, cursor=query.cursor
    )
    return LedgerList(items=[LedgerEntry.of(entry) for entry in page.items], next_cursor=page.next_cursor)


@router.post(
    "/{mailbox_id}/reauthenticate",
    operation_id="reauthenticate_mailbox",
    response_model=Mailbox,
    responses={202: {"model": SignInNeeded, "description": "A person has to sign in: give them the link."}},
)
async def reauthenticate(services: Injected, mailbox_id: MailboxId, given: Reauthentication) -> Mailbox | Response:
    """Takes a new password, or tokens. They are tried first; where both directions take them, reading goes on where it
    stopped and mail that was held is sent. Where not, the answer is 422 with the diagnosis and what was there stays.

    Without `auth` the answer is 202 with a connect link, where a person signs in again.
    """
    view = await services.store.mailbox(mailbox_id)
    if view is None:
        raise problem.not_found("mailbox")
    if given.auth is None:
        link = await services.links.make(NewLink(mailbox_id=mailbox_id))
        by_token = view.mailbox.auth_kind.by_token
        needed = SignInNeeded(how="oauth" if by_token else "password", link=connect_links.shown(services, link))
        return JSONResponse(needed.model_dump(mode="json"), 202)
    credential = await credential_of(services, given.auth, view.mailbox.address)
    signed_in = await services.connect.reauthenticate(mailbox_id, credential)
    await served(services, given.auth, mailbox_id)
    return Mailbox.of(signed_in, services.world.now())


@router.post("/{mailbox_id}/pause", operation_id="pause_mailbox")
async def pause(services: Injected, by: By, mailbox_id: MailboxId) -> Mailbox:
    """Stops reading and sending. Outgoing mail is held, and its hold time runs on."""
    return Mailbox.of(await services.connect.pause(mailbox_id, by), services.world.now())


@router.post("/{mailbox_id}/resume", operation_id="resume_mailbox")
async def resume(services: Injected, by: By, mailbox_id: MailboxId) -> Mailbox:
    """Starts a paused mailbox again."""
    return Mailbox.of(await services.connect.resume(mailbox_id, by), services.world.now())


@router.post("/{mailbox_id}/check", operation_id="check_mailbox")
async def check(services: Injected, mailbox_id: MailboxId) -> Report:
    """Tries both directions now with what is saved; the mailbox's health follows from it."""
    return Report.of(await services.connect.check(mailbox_id))


def _changed(mailbox: core.Mailbox, given: MailboxChange) -> core.Mailbox:
    asked = given.model_fields_set
    return replace(
        mailbox,
        name=mailbox.name if given.name is None else given.name,
        imap=given.imap.applied(mailbox.imap) if given.imap else mailbox.imap,
        smtp=given.smtp.applied(mailbox.smtp) if given.smtp else mailbox.smtp,
        ca_certificate=given.ca_certificate if "ca_certificate" in asked else mailbox.ca_certificate,
        hold_hours=given.hold_hours or mailbox.hold_hours,
        folders=tuple(dict.fromkeys(given.folders)) if given.folders else mailbox.folders,
        reference=given.reference if "reference" in asked else mailbox.reference,
        unconfirmed=given.unconfirmed or mailbox.unconfirmed,
        aliases=mailbox.aliases if given.aliases is None else tuple(one.alias() for one in given.aliases),
        budget=given.budget.core() if given.budget else mailbox.budget,
        reply_to=given.reply_to if "reply_to" in asked else mailbox.reply_to,
        signature=_signature(given) if "signature" in asked else mailbox.signature,
        sync_days=given.sync_days if "sync_days" in asked else mailbox.sync_days,
        read_sent=mailbox.read_sent if given.read_sent is None else given.read_sent,
    )


def _signature(given: MailboxChange) -> core.Signature | None:
    return given.signature.core() if given.signature else None
