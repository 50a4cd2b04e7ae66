"""A server that does not take our copy for its Sent folder: the message went out once, and people see why."""

from datetime import timedelta

import pytest

from postroom.core.delivery import SentCopy
from postroom.flows.sent import COPY_PATIENCE
from postroom.simulator import Fault, Service
from tests.flows.house import running, until

ADDRESS = "team@shop.test"
PATIENCE = 60.0


def refusal(answer):
    return Fault(protocol=Service.IMAP, stage="append", answer=answer, account=ADDRESS)


async def filed(house, delivery, holds):
    return await until(lambda: house.store.delivery(delivery.id), holds, PATIENCE)


def in_sent(house):
    return list(house.simulator.folder(ADDRESS, "Sent").messages)


@pytest.fixture
async def house(tmp_path):
    async with running(tmp_path) as running_house:
        yield running_house


async def test_a_copy_that_is_refused_for_good_is_given_up_and_told(house):
    mailbox = await house.connect(ADDRESS)
    await house.simulator.add_fault(refusal("{tag} NO [TOOBIG] Message too large"))
    delivery = await house.send(mailbox)
    seen = await filed(house, delivery, lambda one: one.sent_copy is SentCopy.REFUSED)
    assert str(seen.state) == "sent"
    assert (seen.diagnosis.name, "Message too large" in seen.diagnosis.raw) == ("imap.protocol_error", True)
    assert house.subjects() == ["An answer"]


async def test_a_refused_copy_keeps_no_other_from_its_place_and_is_filed_when_it_is_taken(house):
    mailbox = await house.connect(ADDRESS)
    fault = await house.simulator.add_fault(refusal("{tag} NO [OVERQUOTA] Mailbox is full"))
    first = await house.send(mailbox, "First")
    full = await filed(house, first, lambda one: one.diagnosis is not None)
    assert (full.sent_copy, full.diagnosis.name) == (SentCopy.DUE, "imap.mailbox_limit_exceeded")
    await house.simulator.clear_faults(fault.id)
    second = await house.send(mailbox, "Second")
    await house.delivery_in(second.id, "sent", PATIENCE)
    house.world.move(minutes=6)
    for one in (first, second):
        done = await filed(house, one, lambda found: found.sent_copy is SentCopy.DONE)
        assert done.diagnosis is None
    assert (len(in_sent(house)), sorted(house.subjects())) == (2, ["First", "Second"])


async def test_a_copy_that_waits_in_vain_for_a_day_is_given_up(house):
    mailbox = await house.connect(ADDRESS)
    await house.simulator.add_fault(refusal("{tag} NO [UNAVAILABLE] Try again later"))
    delivery = await house.send(mailbox)
    await filed(house, delivery, lambda one: one.diagnosis is not None)
    house.world.move(seconds=(COPY_PATIENCE + timedelta(minutes=1)).total_seconds())
    seen = await filed(house, delivery, lambda one: one.sent_copy is SentCopy.REFUSED)
    assert seen.diagnosis.name == "imap.account_unreachable"
    assert house.subjects() == ["An answer"]
