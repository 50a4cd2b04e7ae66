"""The certificate of a server that a team runs itself: its end is told ahead, and that it changed."""

from datetime import UTC, datetime, timedelta

import pytest

from postroom.core.certificate import Certificate, is_another, to_tell
from postroom.core.diagnosis.evidence import TlsFacts
from postroom.core.mailbox import Credential, Direction, Endpoint, Security
from postroom.flows.certificates import Certificates
from postroom.flows.connect import Connection, NewMailbox
from postroom.store import open_store
from tests.flows.house import PASSWORD, running, until
from tests.store.make import KEY, NOON, World, add_mailbox

ENDS = NOON + timedelta(days=30)


def facts(fingerprint="aa", issuer="Our CA", ends=ENDS):
    return TlsFacts(names=("mail.example.org",), issuer=issuer, not_after=ends, fingerprint=fingerprint)


@pytest.fixture
async def kept(database_url):
    """The store with a mailbox of a server of its own, and the flow on it."""
    world = World()
    store = await open_store(database_url, secret_key=KEY, world=world)
    yield store, world, await add_mailbox(store, world), Certificates(store, world)
    await store.close()


async def told(store):
    return [str(one.event.type) for one in await store.events(0) if "certificate" in str(one.event.type)]


async def test_an_end_is_told_at_fourteen_and_at_three_days_once_each(kept):
    store, world, mailbox, flow = kept
    await flow.seen(mailbox, Direction.IMAP, facts())
    expected = {29: 0, 17: 0, 15: 0, 14: 1, 13: 1, 4: 1, 3: 2, 2: 2, 0: 2, -1: 2}
    for left, count in expected.items():
        world.at = ENDS - timedelta(days=left)
        await flow.ahead()
        await flow.ahead()
        assert len(await told(store)) == count, left
    assert set(await told(store)) == {"mailbox.certificate_ending"}


async def test_a_certificate_that_is_seen_late_is_told_once_for_its_nearest_step(kept):
    store, world, mailbox, flow = kept
    world.at = ENDS - timedelta(days=2)
    await flow.seen(mailbox, Direction.SMTP, facts())
    await flow.ahead()
    await flow.ahead()
    (event,) = [one.event for one in await store.events(0) if str(one.event.type) == "mailbox.certificate_ending"]
    assert event.data["direction"] == "sending"
    assert event.data["host"] == "smtp.example.org"
    assert event.data["ends_at"].startswith("2026-03-31T12:00:00")


async def test_a_renewed_certificate_is_told_anew_when_it_ends(kept):
    store, world, mailbox, flow = kept
    await flow.seen(mailbox, Direction.IMAP, facts())
    world.at = ENDS - timedelta(days=3)
    await flow.ahead()
    await flow.seen(mailbox, Direction.IMAP, facts("bb", ends=ENDS + timedelta(days=90)))
    await flow.ahead()
    assert len(await told(store)) == 1
    world.at = ENDS + timedelta(days=88)
    await flow.ahead()
    assert len(await told(store)) == 2


async def test_another_issuer_is_told_once_and_a_renewal_is_not(kept):
    store, world, mailbox, flow = kept
    await flow.seen(mailbox, Direction.IMAP, facts())
    await flow.seen(mailbox, Direction.IMAP, facts("bb"))
    assert await told(store) == []
    for _ in range(3):
        await flow.seen(mailbox, Direction.IMAP, facts("cc", issuer="Somebody else"))
    await Certificates(store, world).seen(mailbox, Direction.IMAP, facts("cc", issuer="Somebody else"))
    assert await told(store) == ["mailbox.certificate_changed"]
    view = await store.mailbox(mailbox.id)
    assert [(one.issuer, one.fingerprint) for one in view.certificates] == [("Somebody else", "cc")]


async def test_a_large_provider_is_left_alone_and_so_is_a_mailbox_that_is_gone(kept):
    store, world, mailbox, flow = kept
    large = await add_mailbox(store, world, "a@gmail.com", provider="gmail")
    await flow.seen(large, Direction.IMAP, facts())
    await flow.seen(mailbox, Direction.IMAP, None)
    await store.delete_mailbox(mailbox.id)
    await flow.seen(mailbox, Direction.IMAP, facts())
    await flow.ahead()
    assert await store.certificates(large.id) == []
    assert await told(store) == []


def test_with_an_authority_of_the_teams_own_any_change_is_told():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    one = Certificate("mbx_1", Direction.IMAP, "aa", "CA", "mail", now, now)
    other = Certificate("mbx_1", Direction.IMAP, "bb", "CA", "mail", now, now)
    assert is_another(one, other, own_authority=True)
    assert not is_another(one, other, own_authority=False)
    assert not is_another(one, one, own_authority=True)
    assert to_tell(one, now) == 3


async def test_what_a_real_sign_in_shows_is_kept_with_the_mailbox(tmp_path):
    async with running(tmp_path) as house:
        house.simulator.create_account("team@shop.test", PASSWORD)
        ends = [
            Endpoint(house.simulator.host, port, Security.TLS, "team@shop.test")
            for port in (house.simulator.imaps_port, house.simulator.smtps_port)
        ]
        connection = Connection("team@shop.test", "", *ends, Credential(password=PASSWORD), house.simulator.ca_pem)
        mailbox = (await house.house.connect.add(NewMailbox(connection))).mailbox.id
        await house.delivery_in((await house.send(mailbox)).id, "sent")

        async def shown():
            return (await house.store.mailbox(mailbox)).certificates

        received, sent = await until(shown, lambda found: len(found) == 2)
        assert received.direction is Direction.IMAP
        assert len(sent.fingerprint) == 64
        assert received.not_after > house.world.now()
