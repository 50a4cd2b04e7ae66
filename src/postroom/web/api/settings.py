"""Finding and trying a mailbox's settings before it is connected. It saves nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from postroom.core.mailbox import Direction, Endpoint
from postroom.flows.probe import Connection
from postroom.web import problem
from postroom.web.schema.connection import NewConnection, NewEndpoint
from postroom.web.schema.mailbox import Candidate, CandidateList, DiscoverQuery
from postroom.web.schema.report import Report
from postroom.web.services import Injected, Services

router = APIRouter(tags=["mailboxes"])


@router.get("/discover", operation_id="discover")
async def discover(services: Injected, query: Annotated[DiscoverQuery, Query()]) -> CandidateList:
    """Finds settings that may serve an address: by its provider, the domain's autoconfiguration, SRV and MX records,
    and at last by guessing. The likeliest come first; the list is empty where nothing was found."""
    candidates = await services.discovery.discover(query.address)
    return CandidateList(items=[Candidate.of(one) for one in candidates], next_cursor=None)


@router.post("/probe", operation_id="probe")
async def probe(services: Injected, given: NewConnection) -> Report:
    """Tries both directions step by step, up to the sign-in and the opening of INBOX, without saving anything.

    A step that fails is no error of this request: the report has it, with the diagnosis.
    """
    return Report.of(await services.connect.probe(await connection_of(services, given)))


async def connection_of(services: Services, given: NewConnection) -> Connection:
    """The connection that a request describes, with settings looked up where it has none.

    Raises Problem, which names `imap` or `smtp`, where none were found.
    """
    imap, smtp = (
        _endpoint(given.imap, Direction.IMAP, given.address),
        _endpoint(given.smtp, Direction.SMTP, given.address),
    )
    if imap is None or smtp is None:
        found = await services.discovery.discover(given.address)
        if not found:
            raise problem.invalid(
                "smtp" if imap else "imap",
                f"No settings were found for {given.address}. Give host, port and security as the provider names them.",
            )
        imap, smtp = imap or found[0].imap, smtp or found[0].smtp
    return Connection(
        address=given.address,
        name=given.name,
        imap=imap,
        smtp=smtp,
        credential=given.auth.credential(),
        ca_certificate=given.ca_certificate,
    )


def _endpoint(given: NewEndpoint | None, direction: Direction, address: str) -> Endpoint | None:
    return given.endpoint(direction, address) if given else None
