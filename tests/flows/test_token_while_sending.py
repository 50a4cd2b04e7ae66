"""A token that dies while a session for sending is open: renewed once, and nobody is told of a hold."""

import json

import pytest

from postroom.core.mailbox import AuthKind, Credential, Endpoint, Security
from postroom.core.oauth.client import OAuthClient
from postroom.core.oauth.response import grant_of
from postroom.flows.connect import Connection, NewMailbox
from postroom.simulator import Behaviour, Fault, Service
from tests.flows.house import PASSWORD, running

ADDRESS = "team@shop.test"
TOLD = (
    "delivery.held",
    "delivery.deferred",
    "delivery.failed",
    "mailbox.degraded",
    "mailbox.needs_reauth",
    "mailbox.needs_attention",
)


async def connected(house):
    """A mailbox signed in to with OAuth at the simulated provider."""
    simulator, world = house.simulator, house.world
    simulator.create_account(ADDRESS, PASSWORD)
    new = OAuthClient("", "issuer", "postroom", world.now(), secret="secret", issuer=simulator.issuer, scopes=("mail",))
    client = await house.house.clients.add(new)
    grant = grant_of(json.dumps(simulator.give_tokens(ADDRESS)), world.now())
    credential = Credential(AuthKind.OAUTH, client=client.id, identity=ADDRESS, tokens=grant.tokens)
    imap = Endpoint(simulator.host, simulator.imap_port, Security.NONE, ADDRESS)
    smtp = Endpoint(simulator.host, simulator.smtp_port, Security.NONE, ADDRESS)
    made = await house.house.connect.add(NewMailbox(Connection(ADDRESS, "Support", imap, smtp, credential)))
    return made.mailbox.id


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("mail", "530 5.7.57 Client not authenticated to send mail"),
        ("mail", "421 4.7.0 The access token has expired"),
        ("rcpt", "530 5.7.0 Authentication required"),
    ],
)
async def test_a_message_goes_out_after_one_renewal_without_a_hold(tmp_path, stage, answer):
    async with running(tmp_path) as house:
        mailbox = await connected(house)
        first = await house.send(mailbox, "First")
        await house.delivery_in(first.id, "sent", 60)
        house.world.move(minutes=2)
        house.simulator.expire_tokens(ADDRESS)
        await house.simulator.add_fault(Fault(protocol=Service.SMTP, stage=stage, answer=answer, times=1))
        second = await house.send(mailbox, "Second")
        await house.delivery_in(second.id, "sent", 60)
        assert house.subjects() == ["First", "Second"]
        assert house.simulator.oauth.asked == {"refresh_token": 1}
        assert await house.events(*TOLD) == []


async def test_a_token_endpoint_that_is_away_meanwhile_is_waited_for(tmp_path):
    async with running(tmp_path) as house:
        mailbox = await connected(house)
        first = await house.send(mailbox, "First")
        await house.delivery_in(first.id, "sent", 60)
        house.world.move(hours=2)
        await house.simulator.add_fault(
            Fault(protocol=Service.OAUTH, stage="token", behaviour=Behaviour.CLOSE, times=1)
        )
        second = await house.send(mailbox, "Second")
        await house.sent_in_time(second.id)
        assert await house.events("mailbox.needs_reauth", "mailbox.needs_attention") == []
