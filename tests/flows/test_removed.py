"""A mailbox is removed while work for it is under way: that ends the work, and is nobody's fault."""

import pytest
from structlog.testing import capture_logs

from postroom.core.diagnosis import Evidence, Failure, Stage
from postroom.core.mailbox import Direction
from postroom.core.ports.store import MailboxGone
from postroom.flows.raw import raw_of
from postroom.flows.recover import Recover
from postroom.flows.sync import Sync
from postroom.flows.turns import Turns
from postroom.flows.watch import Watch
from postroom.store import open_store
from postroom.world import RealWorld
from tests.rig.clients import until
from tests.store.make import acceptance, add_mailbox, own

WORLD = RealWorld()


@pytest.fixture
async def store(database_url):
    opened = await open_store(database_url, secret_key=bytes(32), world=WORLD)
    yield opened
    await opened.close()


class Removing:
    """An IMAP server at whose sign-in the mailbox is removed here; `breaks` tells whether it then hangs up."""

    capabilities = frozenset()

    def __init__(self, store, *, breaks):
        self.store, self.breaks, self.opened = store, breaks, 0

    async def open(self, account):
        self.opened += 1
        (view,) = (await self.store.mailboxes()).items
        await self.store.delete_mailbox(view.mailbox.id)
        if self.breaks:
            raise Failure(Evidence(Direction.IMAP, Stage.AUTH, exception="ConnectionLost: of the test"))
        return self

    async def receiving(self, mailbox):
        return await self.open(mailbox)

    async def select(self, folder):
        return None

    def abort(self):
        return None


@pytest.mark.parametrize("breaks", [True, False])
async def test_a_session_of_a_mailbox_that_is_removed_ends_without_a_fault(store, breaks):
    mailbox = await add_mailbox(store, WORLD)
    lease = (await own(store, WORLD))[mailbox.id]
    server = Removing(store, breaks=breaks)
    watch = Watch(store, server, Sync(store, WORLD, max_message_bytes=1024), Recover(store, WORLD), WORLD)
    with capture_logs() as logs:
        await watch.run(lease)
    assert server.opened == 1
    assert [(one["event"], one["log_level"]) for one in logs] == [("the mailbox was removed", "info")]


async def test_the_bytes_of_a_delivery_whose_mailbox_is_removed_are_gone_with_it(store):
    mailbox = await add_mailbox(store, WORLD)
    accepted = acceptance(WORLD, mailbox.id)
    delivery = (await store.accept(accepted)).delivery
    assert await raw_of(store, delivery)
    await store.delete_mailbox(mailbox.id)
    with pytest.raises(MailboxGone):
        await raw_of(store, delivery)


async def test_work_for_a_mailbox_that_is_removed_ends_without_a_fault(store):
    mailbox = await add_mailbox(store, WORLD)
    lease = (await own(store, WORLD))[mailbox.id]

    async def story(lease):
        await store.delete_mailbox(lease.mailbox_id)
        await store.health(lease.mailbox_id, Direction.SMTP)

    turns = Turns("test", WORLD, at_once=1, rest=WORLD.now() - WORLD.now())
    with capture_logs() as logs:
        turns.give(lease, story)
        await until(lambda: bool(logs))
    assert [(one["event"], one["log_level"]) for one in logs] == [("the mailbox was removed", "info")]
