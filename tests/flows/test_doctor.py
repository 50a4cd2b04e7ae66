"""Ways are tried in order until one leads to the sign-in; a refused password is shown to one server only."""

from contextlib import AsyncExitStack

from postroom.core.candidates import Candidate
from postroom.core.mailbox import Credential, Direction, Endpoint, Security
from postroom.flows.doctor import MOST_TRIES, Doctor, Patient, Way, ways
from tests.flows.doors import ADDRESS, SELECTED, imap, prober, says, smtp
from tests.rig.ports import free_port
from tests.wire.peer import PASSWORD, served

PATIENT = Patient(ADDRESS, Credential(password=PASSWORD))
WORKS, REFUSES = smtp(), smtp(auth=b"535 5.7.8 Authentication credentials invalid")


def way(port, source="guess", host="localhost"):
    return Way(Endpoint(host, port, Security.NONE, ADDRESS), source)


async def visited(imap_stories, smtp_stories, **settings):
    """A visit to these servers, in order; None is a port where nothing listens. Also what each heard."""
    heard = []

    def listening(story):
        lines = []
        heard.append(lines)

        async def told(peer):
            peer.heard = lines
            await story(peer)

        return told

    async with AsyncExitStack() as stack:

        async def port(story):
            return free_port() if story is None else await stack.enter_async_context(served(listening(story)))

        received = [way(await port(story)) for story in imap_stories]
        sent = [way(await port(story)) for story in smtp_stories]
        return await Doctor(prober()).visit(PATIENT, received, sent, **settings), heard


INBOX = imap((b"EXAMINE", *SELECTED))


async def test_the_first_way_that_works_is_the_last_that_is_tried():
    visit, _ = await visited([INBOX, INBOX], [WORKS])
    assert visit.report.ok
    assert (len(visit.imap), len(visit.smtp)) == (1, 1)
    assert len(visit.untried) == 1


async def test_the_next_way_is_tried_where_one_does_not_lead_to_the_sign_in():
    steps, nexts = [], []
    visit, _ = await visited(
        [None, says(b"220 not IMAP"), INBOX],
        [smtp(keywords=(b"SIZE",)), WORKS],
        on_step=lambda direction, step: steps.append((direction, step.name, step.ok)),
        on_next=lambda direction, _: nexts.append(direction),
    )
    assert visit.report.ok
    assert [one.probe.ok for one in visit.imap] == [False, False, True]
    assert [one.probe.ok for one in visit.smtp] == [False, True]  # a port without sign-in is no way to send
    assert visit.chosen == (visit.imap[2], visit.smtp[1])
    assert sorted(nexts) == ["imap", "imap", "smtp"]
    assert (Direction.IMAP, "connect", False) in steps


async def test_a_refused_password_is_shown_to_no_other_server():
    visit, heard = await visited([INBOX], [REFUSES, WORKS])
    assert visit.report.smtp.diagnosis.name == "smtp.invalid_credentials"
    assert len(visit.smtp) == 1
    assert heard[2] == []


async def test_where_no_guess_serves_the_one_that_came_furthest_is_judged():
    visit, _ = await visited([None, says(b"220 not IMAP")], [WORKS])
    assert visit.chosen[0] is visit.imap[1]
    assert visit.report.imap.diagnosis.name == "imap.server_misconfigured"
    assert [one.diagnosis.name for one in visit.report.imap.others] == ["imap.server_connection"]
    assert visit.report.smtp.ok


async def test_where_no_way_serves_one_that_the_domain_names_is_judged_and_no_guess():
    async with served(says(b"220 not IMAP")) as guessed, served(WORKS) as sending:
        visit = await Doctor(prober()).visit(
            PATIENT, [way(free_port(), "srv"), way(guessed), way(free_port())], [way(sending)]
        )
    assert visit.chosen[0].way.source == "srv"


async def test_no_further_way_is_begun_when_the_time_for_it_is_over(monkeypatch):
    monkeypatch.setattr("postroom.flows.doctor.LAST_START", 0.0)
    visit, _ = await visited([None, INBOX], [WORKS])
    assert len(visit.imap) == 1
    assert len(visit.untried) == 1


async def test_only_so_many_ways_are_tried():
    visit, _ = await visited([None] * (MOST_TRIES + 2), [WORKS])
    assert len(visit.imap) == MOST_TRIES
    assert len(visit.untried) == 2


async def test_a_name_that_does_not_exist_leads_to_the_next_way():
    async with served(INBOX) as receiving, served(WORKS) as sending:
        visit = await Doctor(prober()).visit(
            PATIENT, [way(143, "srv", "no-such-host.invalid"), way(receiving)], [way(sending)]
        )
    assert visit.report.ok
    assert visit.chosen[0].way.source == "guess"


def test_each_server_is_a_way_once_whatever_the_user_name():
    one = Endpoint("imap.example.test", 993, Security.TLS, ADDRESS)
    other = Endpoint("imap.example.test", 993, Security.TLS, "support")
    third = Endpoint("imap.example.test", 143, Security.STARTTLS, ADDRESS)
    sending = Endpoint("smtp.example.test", 465, Security.TLS, ADDRESS)
    found = [Candidate(end, sending, "generic", "guess") for end in (one, other, third)]
    assert [way.endpoint for way in ways(found, Direction.IMAP)] == [one, third]
    assert [way.endpoint for way in ways(found, Direction.SMTP)] == [sending]
