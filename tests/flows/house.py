"""Postroom without its web room, in this process, with a clock that the test moves, beside a simulated provider."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from postroom.core.compose import Draft
from postroom.core.mailbox import Credential, Direction, Endpoint, Security
from postroom.core.message import Address
from postroom.flows.connect import Connection, NewMailbox
from postroom.serve import House, build
from postroom.settings import Settings
from postroom.simulator import Simulator
from postroom.world import RealWorld

PASSWORD = "correct horse"


class MovedWorld(RealWorld):
    """This machine's, so many hours or minutes ahead or behind."""

    def __init__(self):
        self.moved = timedelta(0)
        super().__init__()

    def now(self):
        return super().now() + self.moved

    def move(self, **by):
        self.moved += timedelta(**by)


class Running:
    """A house whose engine runs, with what tests ask of it."""

    def __init__(self, house: House, world: MovedWorld, simulator: Simulator, engine: asyncio.Task[None]):
        self.house, self.world, self.simulator, self.engine = house, world, simulator, engine
        self.store = house.store

    async def connect(
        self, address="team@shop.test", *, smtp_port=None, smtp_security=Security.NONE, ca=None, **settings
    ):
        """Makes the account at the simulated provider and connects it; the mailbox's id. With `smtp_port` it sends over
        another server."""
        if self.simulator.accounts.find(address) is None:
            self.simulator.create_account(address, PASSWORD)
        imap = Endpoint(self.simulator.host, self.simulator.imap_port, Security.NONE, address)
        smtp = Endpoint("localhost", smtp_port or self.simulator.smtp_port, Security(smtp_security), address)
        connection = Connection(address, "Support", imap, smtp, Credential(password=PASSWORD), ca)
        return (await self.house.connect.add(NewMailbox(connection, **settings))).mailbox.id

    async def send(self, mailbox_id, subject="An answer", to="anna@customer.test", **more):
        draft = Draft(mailbox_id, (Address(to),), subject=subject, text="It is here.", **more)
        return (await self.house.accept.accept(draft)).delivery

    async def delivery_in(self, delivery_id, state, seconds=90.0):
        return await until(lambda: self.store.delivery(delivery_id), lambda one: one.state == state, seconds)

    async def sent_in_time(self, delivery_id, minutes=3):
        """Waits until it is sent, with a clock that goes on by a minute whenever nothing happens for a second."""
        for _ in range(minutes):
            with contextlib.suppress(AssertionError):
                return await self.delivery_in(delivery_id, "sent", seconds=1)
            self.world.move(minutes=1)
        return await self.delivery_in(delivery_id, "sent", seconds=5)

    async def sending(self, mailbox_id, holds, seconds=90.0):
        """The health of sending, once it is so."""
        return await until(lambda: self.store.health(mailbox_id, Direction.SMTP), holds, seconds)

    async def pass_time(self, mailbox_id, direction=Direction.SMTP, seconds=90.0, **by):
        """Moves the clock, and waits until the direction was tried in vain since: the engine has looked at the clock
        before it tried."""
        before = (await self.store.health(mailbox_id, direction)).failures
        self.world.move(**by)
        return await until(lambda: self.store.health(mailbox_id, direction), lambda one: one.failures > before, seconds)

    async def events(self, *kinds):
        """The data of every event of these types so far."""
        return [one.event.data for one in await self.store.events(0) if str(one.event.type) in kinds]

    def subjects(self):
        """Of what the provider took, in its order."""
        return [one.subject for one in self.simulator.outbox]


@contextlib.asynccontextmanager
async def running(folder, database="", world=None, simulator=None, **settings) -> AsyncIterator[Running]:
    """`world` and `simulator` of an earlier life may be given; its database is in the same folder."""
    world = world or MovedWorld()
    given = {"allow_private_hosts": True, "plaintext_hosts": "localhost,127.0.0.1", **settings}
    chosen = Settings(data=folder / "data", database=database, **given)
    own = Simulator(control_port=None) if simulator is None else contextlib.nullcontext(simulator)
    async with own as simulator, build(chosen, world) as house:
        engine = asyncio.create_task(house.engine.run())
        try:
            yield Running(house, world, simulator, engine)
        finally:
            engine.cancel()
            await asyncio.gather(engine, return_exceptions=True)
        assert simulator.crashes == []


async def until(look, holds, seconds=90.0):
    """Looks until it holds, and gives what was seen."""
    ends = time.monotonic() + seconds
    while not holds(seen := await look()):
        assert time.monotonic() < ends, f"not within {seconds} s: {seen}"
        await asyncio.sleep(0.02)
    return seen
