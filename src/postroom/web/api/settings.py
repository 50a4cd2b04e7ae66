"""Finding and trying a mailbox's settings before it is connected. It saves nothing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from postroom.core import provider
from postroom.core.mailbox import Direction, Endpoint
from postroom.core.warning import cautions
from postroom.flows.doctor import Ways, ways_of
from postroom.flows.probe import Connection
from postroom.web import problem
from postroom.web.schema.connection import NewConnection, NewEndpoint
from postroom.web.schema.mailbox import CandidateList, DiscoverQuery
from postroom.web.schema.report import Report
from postroom.web.services import Injected, Services
from postroom.web.signing import credential_of

router = APIRouter(tags=["mailboxes"])


@router.get("/discover", operation_id="discover")
async def discover(services: Injected, query: Annotated[DiscoverQuery, Query()]) -> CandidateList:
    """Finds settings that may serve an address: by its provider, the domain's autoconfiguration, SRV and MX records,
    and at last by guessing. The likeliest come first; the list is empty where nothing was found, and `why_nothing`
    and `lookups` say why: a misspelt domain, a name server that is down, a settings file that cannot be fetched."""
    return CandidateList.found(await services.discovery.discover(query.address), query.address)


@router.post("/probe", operation_id="probe")
async def probe(services: Injected, given: NewConnection) -> Report:
    """Tries both directions step by step, up to the sign-in and the opening of INBOX, without saving anything.

    Settings that are looked up are tried in order, up to four of each direction and until one leads to the sign-in;
    that ends within 40 seconds.

    A step that fails is no error of this request: the report has it, with the diagnosis.
    """
    connection, ways = await connection_of(services, given)
    report = await services.connect.probe(connection, ways)
    imap, smtp = report.imap.endpoint or connection.imap, report.smtp.endpoint or connection.smtp
    return Report.of(report, cautions(given.address, imap, smtp, provider.of(given.address, imap.host).key))


async def connection_of(services: Services, given: NewConnection) -> tuple[Connection, Ways | None]:
    """The connection that a request describes, and where it has not all settings, the ways that were found.

    Raises Problem, which names `imap` or `smtp`, where none were found.
    """
    imap, smtp = (
        _endpoint(given.imap, Direction.IMAP, given.address),
        _endpoint(given.smtp, Direction.SMTP, given.address),
    )
    ways: Ways | None = None
    if imap is None or smtp is None:
        found = await services.discovery.discover(given.address)
        if not found.candidates:
            why = found.why_nothing(given.address)
            raise problem.invalid("smtp" if imap else "imap", f"{why} The fields are host, port and security.")
        ways = ways_of(found.candidates, imap, smtp)
        imap, smtp = ways.imap[0].endpoint, ways.smtp[0].endpoint
    connection = Connection(
        address=given.address,
        name=given.name,
        imap=imap,
        smtp=smtp,
        credential=await credential_of(services, given.auth, given.address),
        ca_certificate=given.ca_certificate,
    )
    return connection, ways


def _endpoint(given: NewEndpoint | None, direction: Direction, address: str) -> Endpoint | None:
    return given.endpoint(direction, address) if given else None
