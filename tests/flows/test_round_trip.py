"""A message to itself: sent, awaited, removed alone, and told where it was lost. Dovecot and Postfix are real."""

import asyncio

import pytest

from postroom.core.mailbox import Credential, Endpoint, Security
from postroom.flows.probe import Connection
from postroom.flows.round_trip import Traveller
from postroom.world import RealWorld
from tests.flows.doors import protocols
from tests.rig.dovecot import Dovecot
from tests.rig.ports import free_port

OTHER = b"From: ada@example.test\r\nSubject: Kept\r\nMessage-ID: <other@example.test>\r\n\r\nHello\r\n"


def ends(user, imap_port, smtp_port, smtp_user=None):
    return Connection(
        user.address,
        "",
        Endpoint("localhost", imap_port, Security.NONE, user.address),
        Endpoint("localhost", smtp_port, Security.NONE, user.address if smtp_user is None else smtp_user),
        Credential(password=user.password),
    )


def traveller():
    return Traveller(*protocols(), RealWorld())


async def test_the_message_arrives_and_is_removed_and_no_other_one(dovecot, postfix, user):
    dovecot.drop(user.name, OTHER, flags="T")  # marked as deleted by another program: not ours to expunge
    told = []
    trip = await traveller().round_trip(
        ends(user, dovecot.imap_port, postfix.submission_port), wait=30, on_step=lambda _, step: told.append(step.name)
    )
    assert trip.ok, trip
    assert (trip.folder, trip.removed) == ("INBOX", True)
    assert trip.seconds is not None
    assert told == [step.name for step in trip.steps] == ["send", "arrive", "remove"]
    assert dovecot.messages(user.name) == [OTHER]


async def test_each_message_has_an_identifier_of_its_own(dovecot, postfix, user):
    made = ends(user, dovecot.imap_port, postfix.submission_port)
    first, second = [await traveller().round_trip(made, wait=30) for _ in range(2)]
    assert first.ok
    assert second.ok
    assert first.message_id != second.message_id


async def test_where_a_message_cannot_be_deleted_alone_it_is_left_and_that_is_said(certificates, sink):
    async with Dovecot(certificates, capability="IMAP4rev1 IDLE") as old:
        user = old.add_user()
        trip, _ = await asyncio.gather(
            traveller().round_trip(ends(user, old.imap_port, sink.port, smtp_user=""), wait=30),
            forwarded(sink, old, user, "INBOX"),
        )
        assert trip.ok
        assert not trip.removed
        assert "UIDPLUS" in trip.steps[-1].detail
        assert len(old.messages(user.name)) == 1


async def forwarded(sink, dovecot, user, folder):
    """Puts what the sink accepts where a provider would."""
    [message] = await sink.wait_for(1)
    dovecot.drop(user.name, message.raw, folder)


async def test_a_message_in_junk_is_found_there_and_is_a_finding(dovecot, sink, user):
    trip, _ = await asyncio.gather(
        traveller().round_trip(ends(user, dovecot.imap_port, sink.port, smtp_user=""), wait=60),
        forwarded(sink, dovecot, user, "Junk"),
    )
    assert not trip.ok
    assert trip.diagnosis is None
    assert (trip.folder, trip.removed) == ("Junk", True)
    assert "Junk" in trip.finding
    assert dovecot.messages(user.name, "Junk") == []


async def test_a_message_that_was_accepted_and_never_came_is_told_so(dovecot, sink, user):
    trip = await traveller().round_trip(ends(user, dovecot.imap_port, sink.port, smtp_user=""), wait=1)
    assert not trip.ok
    assert trip.folder is None
    assert "SMTP took the message" in trip.finding
    assert "INBOX and Junk" in trip.finding
    assert [(step.name, step.ok) for step in trip.steps] == [("send", True), ("arrive", False)]
    assert len(sink.accepted) == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_a_refused_message_is_diagnosed(dovecot, sink, user, stage):
    refusal = "554 5.2.252 SendAsDenied; anna@example.test not allowed to send as support@example.test"
    sink.answer(stage, refusal)
    trip = await traveller().round_trip(ends(user, dovecot.imap_port, sink.port, smtp_user=""), wait=1)
    assert not trip.ok
    assert trip.diagnosis.name == "smtp.access_restricted"
    assert [(step.name, step.ok) for step in trip.steps] == [("send", False)]
    assert sink.accepted == []


async def test_an_answer_that_was_cut_off_is_told_and_the_message_looked_for(dovecot, sink, user):
    sink.drop("DOT", keep=True)
    trip, _ = await asyncio.gather(
        traveller().round_trip(ends(user, dovecot.imap_port, sink.port, smtp_user=""), wait=30),
        forwarded(sink, dovecot, user, "INBOX"),
    )
    assert [(step.name, step.ok) for step in trip.steps] == [("send", False), ("arrive", True), ("remove", True)]
    assert "cut off" in trip.steps[0].detail
    assert trip.folder == "INBOX"
    assert len(sink.accepted) == 1


async def test_where_receiving_does_not_open_nothing_is_sent(sink, user):
    trip = await traveller().round_trip(ends(user, free_port(), sink.port, smtp_user=""), wait=1)
    assert trip.diagnosis.name == "imap.server_connection"
    assert sink.seen == []
