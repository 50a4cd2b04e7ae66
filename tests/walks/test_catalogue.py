"""Every code of the failure catalogue, provoked at a mail provider: told in its words, acted on, and recovered from
without a restart."""

import contextlib
import itertools
from dataclasses import dataclass

import pytest
import pytest_asyncio

from postroom.core.diagnosis import catalogue
from postroom.simulator import Behaviour, Fault, Service, Simulator
from tests.walks.catalogue import CHECK, ITSELF, MESSAGES, RETRY, SCENARIOS, SETTINGS, SIGNING_IN
from tests.walks.letters import letter, names
from tests.walks.outgoing import Heard
from tests.walks.postroom import Postroom, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 30.0
FOR_LONG = 1_000_000
BEFORE_SIGN_IN = ("connect", "tls", "greeting", "capability", "ehlo")
SIDES = {"imap": "receiving", "smtp": "sending"}
NEW_PASSWORD = "another password"
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postroom(tmp_path_factory):
    """One for all tests of this file: it is never started again, and nothing of all this is a fault of its own."""
    async with Postroom(tmp_path_factory.mktemp("postroom")) as running:
        yield running
    assert '"level": "error"' not in running.log.read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider():
    """One mail provider for all tests of this file."""
    async with Simulator(control_port=None) as running:
        yield running


@dataclass
class Person:
    """Who signs in, as the provider knows them."""

    address: str
    password: str

    @property
    def name(self):
        return self.address


class Case:
    """One account at the provider, connected as a mailbox, and what is done to it."""

    def __init__(self, postroom, provider, scenario):
        self.postroom, self.provider, self.scenario = postroom, provider, scenario
        self.user = Person(f"team{next(_numbers)}@rig.test", "the first password")
        self.side = SIDES[scenario.direction]
        self.deliveries: list[dict] = []
        self.fault = self.id = None

    async def connect(self):
        provider, security = self.provider, self.scenario.security
        provider.create_account(self.user.address, self.user.password, folders=["Sent", "Support"])
        provider.deliver(self.user.address, letter("before"))
        ports = {
            "tls": (provider.imaps_port, provider.smtps_port),
            "starttls": (provider.imap_port, provider.smtp_port),
        }
        folders = ["INBOX", "Support"] if self.scenario.event == "folder" else ["INBOX"]
        body = settings_for(self.user, *ports[security], security=security, ca_pem=provider.ca_pem, folders=folders)
        self.id = (await self.postroom.connect(body))["id"]
        await self.read("before")
        # Before all faults, and never in force: it counts who signs in.
        self.sign_ins = await self.fails(stage="auth", answer="-", account=self.user.address, after=FOR_LONG)

    async def remove(self):
        if self.id is not None:
            await self.postroom.api.delete(f"/v1/mailboxes/{self.id}")
        await self.provider.clear_faults()
        await self.provider.restore(self.scenario.direction)
        self.provider.delete_account(self.user.address)

    async def breaks(self):
        """The cause, and what meets it: the end of the session, or a message."""
        await self.cause()
        if self.scenario.direction == "imap":
            self.provider.kick(address=self.user.address, protocol="imap")
        else:
            await self.send("first@elsewhere.test")

    async def cause(self):
        scenario, address = self.scenario, self.user.address
        if scenario.fault is not None:
            known = scenario.fault["stage"] not in BEFORE_SIGN_IN
            self.fault = await self.fails(**scenario.fault, account=address if known else None)
        elif scenario.event == "password":
            self.provider.change_account(address, password=NEW_PASSWORD, drop_sessions=False)
        elif scenario.event == "outage":
            await self.provider.outage(scenario.direction)
        elif scenario.event == "connection limit":
            self.provider.change_account(address, connection_limit=0)
        else:
            del self.provider.accounts.get(address).folders["Support"]

    async def fails(self, *, behaviour=None, **given):
        protocol = Service(self.scenario.direction)
        fault = Fault(protocol=protocol, behaviour=behaviour and Behaviour(behaviour), **given)
        return await self.provider.add_fault(fault)

    async def mend(self):
        """The cause ends, and somebody does what is to be done."""
        scenario, address = self.scenario, self.user.address
        if self.fault is not None and scenario.mended_by != SETTINGS:
            await self.provider.clear_faults(self.fault.id)
        if scenario.event == "outage":
            await self.provider.restore(scenario.direction)
        if scenario.event == "connection limit":
            self.provider.change_account(address, connection_limit=None)
        if scenario.mended_by == CHECK:
            report = await self.post("check")
            assert report["ok"], report
        elif scenario.mended_by == SIGNING_IN:
            self.provider.change_account(address, password=NEW_PASSWORD, drop_sessions=False)
            await self.sign_in(NEW_PASSWORD, status=200)
        elif scenario.mended_by == RETRY:
            await self.postroom.post(f"/deliveries/{self.deliveries[0]['id']}/retry", status=200)
        elif scenario.mended_by == SETTINGS:
            await self.change_settings()
        else:
            assert scenario.mended_by == ITSELF

    async def change_settings(self):
        ports = {"imap": self.provider.imaps_port, "smtp": self.provider.smtps_port}
        end = {"port": ports[self.scenario.direction], "security": "tls"}
        change = {"folders": ["INBOX"]} if self.scenario.event == "folder" else {self.scenario.direction: end}
        answer = await self.postroom.api.patch(f"/v1/mailboxes/{self.id}", json=change)
        assert answer.status_code == 200, answer.text

    async def sign_in(self, password, *, status):
        return await self.post("reauthenticate", {"auth": {"kind": "password", "password": password}}, status=status)

    async def post(self, what, body=None, **status):
        return await self.postroom.post(f"/mailboxes/{self.id}/{what}", body, **status)

    async def send(self, to):
        self.deliveries.append(await self.postroom.send(self.id, to))

    async def delivery(self, number, state):
        return await self.postroom.delivery_in(self.deliveries[number]["id"], state, PATIENCE)

    async def shown(self):
        """The mailbox, once the failure shows."""

        def holds(mailbox):
            side = mailbox[self.side]
            code = side["diagnosis"]["code"] if side["diagnosis"] else None
            return (side["state"], code) == (self.scenario.state, self.scenario.code) and self.struck()

        return await self.postroom.until(lambda: self.postroom.mailbox(self.id), holds, PATIENCE)

    def struck(self):
        """Whether it is this fault that shows, not the end of the session before it."""
        return self.fault is None or self.fault.fault.removes or self.fault.fired > 0

    async def read(self, name):
        """Waits until a message from a customer was read."""
        await self.postroom.until(lambda: self.postroom.messages(self.id), lambda found: name in names(found), PATIENCE)


@contextlib.asynccontextmanager
async def connected(postroom, provider, scenario):
    """A case with one message read. Only one is there at a time: some faults strike before anybody has signed in."""
    case = Case(postroom, provider, scenario)
    try:
        await case.connect()
        async with Heard(postroom, case.id) as case.heard:
            yield case
    finally:
        await case.remove()


def check_words(diagnosis, scenario):
    assert (diagnosis["code"], diagnosis["message"]) == (scenario.code, scenario.message)
    assert diagnosis["action"] == scenario.action
    assert len(diagnosis["reason"].split()) > 3
    assert diagnosis["steps"]
    if scenario.fault and "answer" in scenario.fault:
        said = scenario.fault["answer"].splitlines()[-1].split(" ", 1)[1]
        assert said in diagnosis["raw"]


async def broken(case):
    """What people and programs are shown of a broken direction, and what becomes of mail meanwhile."""
    scenario, postroom = case.scenario, case.postroom
    mailbox = await case.shown()
    side = mailbox[case.side]
    check_words(side["diagnosis"], scenario)
    other = mailbox["sending" if case.side == "receiving" else "receiving"]
    assert (other["state"], other["diagnosis"]) == ("connected", None)
    assert (side["next_probe_at"] is None) == (scenario.state == "needs_reauth")
    if scenario.state == "degraded":
        assert {kind for kind, _ in case.heard.events} <= {"mailbox.connected", "message.received", "delivery.held"}
    else:
        (told,) = await case.heard.until(f"mailbox.{scenario.state}", seconds=PATIENCE)
        assert told["diagnosis"]["message"] == scenario.message

    await case.send("second@elsewhere.test")
    case.provider.deliver(case.user.address, letter("meanwhile"))
    if scenario.direction == "imap":
        await case.delivery(0, scenario.outcome)
        assert "meanwhile" not in names(await postroom.messages(case.id))
        return
    await case.read("meanwhile")
    await case.delivery(0, scenario.outcome)
    await case.delivery(1, "held")
    mailbox = await postroom.mailbox(case.id)
    assert mailbox["held"] == 2
    held = "Outgoing mail is held for up to 72 hours and sent when the mailbox reconnects. Held now: 2"
    assert any(step.startswith(held) for step in mailbox["sending"]["diagnosis"]["steps"])
    await case.heard.until("delivery.held", 2)
    assert case.provider.outbox_counts().keys().isdisjoint(f"<{one['message_id']}>" for one in case.deliveries)


async def left_alone(case):
    """A refused sign-in was tried twice and is not tried again; a person's own wrong try changes nothing."""
    assert case.sign_ins.met == 2
    refused = await case.sign_in("a wrong password", status=422)
    assert refused["diagnosis"]["action"] == "reauthenticate"
    assert case.sign_ins.met == 3
    mailbox = await case.shown()
    assert mailbox[case.side]["next_probe_at"] is None


async def refused_message(case):
    """One message is refused or put off: it is told with the message, and the others go out."""
    scenario, postroom = case.scenario, case.postroom
    delivery = await case.delivery(0, scenario.outcome)
    check_words(delivery["diagnosis"], scenario)
    (told,) = await case.heard.until(f"delivery.{scenario.outcome}")
    assert told["diagnosis"]["message"] == scenario.message
    await case.send("second@elsewhere.test")
    await case.delivery(1, "sent")
    case.provider.deliver(case.user.address, letter("meanwhile"))
    await case.read("meanwhile")
    mailbox = await postroom.mailbox(case.id)
    assert [(mailbox[side]["state"], mailbox[side]["diagnosis"]) for side in SIDES.values()] == [
        ("connected", None)
    ] * 2
    assert mailbox["held"] == 0


async def recovered(case):
    """Both directions work, what waited went out once, what came meanwhile is there once, and all goes on."""
    postroom, provider = case.postroom, case.provider
    mailbox = await postroom.mailbox_in(case.id, PATIENCE, receiving="connected", sending="connected")
    assert mailbox["receiving"]["diagnosis"] is mailbox["sending"]["diagnosis"] is None
    await case.read("meanwhile")
    provider.deliver(case.user.address, letter("after"))
    await case.read("after")
    await case.send("third@elsewhere.test")
    for number in range(len(case.deliveries)):
        await case.delivery(number, "sent")
    assert [provider.outbox_counts().get(f"<{one['message_id']}>") for one in case.deliveries] == [1] * len(
        case.deliveries
    )
    received = [one for one in names(await postroom.messages(case.id)) if one in ("before", "meanwhile", "after")]
    assert received == ["after", "before", "meanwhile"]
    assert (await postroom.mailbox(case.id))["held"] == 0
    assert provider.crashes == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_a_failure_is_told_acted_on_and_ended_by_mending_its_cause(postroom, provider, scenario):
    process = postroom.process.pid
    async with connected(postroom, provider, scenario) as case:
        await case.breaks()
        if scenario.of_the_mailbox:
            await broken(case)
        else:
            await refused_message(case)
        if scenario.state == "needs_reauth":
            await left_alone(case)
        await case.mend()
        await recovered(case)
        if scenario.state in ("needs_reauth", "needs_attention"):
            told = [one["diagnosis"]["code"] for one in case.heard.of(f"mailbox.{scenario.state}")]
            assert told.count(scenario.code) == 1
    assert (postroom.process.pid, postroom.process.returncode) == (process, None)


async def test_every_code_of_the_catalogue_has_a_scenario_and_its_words():
    assert {one.code for one in SCENARIOS} == set(MESSAGES) == {one.code for one in catalogue()}
    assert len({str(one) for one in SCENARIOS}) == len(SCENARIOS)


async def test_the_api_lists_exactly_these_codes_with_their_words_and_actions(postroom):
    listed = {one["code"]: one for one in await postroom.everything("/diagnoses")}
    assert {code: one["message"] for code, one in listed.items()} == MESSAGES
    for scenario in SCENARIOS:
        assert scenario.action in listed[scenario.code]["actions"], scenario
