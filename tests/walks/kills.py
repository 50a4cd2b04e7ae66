"""Workers that are killed with `kill -9` at random moments while they send, and the count at the sink.

By hand: `python -m tests.walks.kills --kills 200 --seed 7 [--policy resend] [--postgresql]`; the suite runs fewer. Each
worker is a process of its own that runs what `postroom worker` runs; a process that has imported everything forks them,
because importing takes longer than sending does. A kill counts where the worker had begun to send and was not done.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import uvloop

from postroom import logs, serve
from postroom.core.compose import Draft
from postroom.core.delivery import Delivery, State
from postroom.core.mailbox import Credential, Endpoint, Security, UnconfirmedPolicy
from postroom.core.message import Address
from postroom.flows import own
from postroom.flows.connect import Connection, NewMailbox
from postroom.settings import Settings
from tests.rig.certificates import Certificates
from tests.rig.clients import until
from tests.rig.dovecot import Dovecot, User
from tests.rig.postgres import Postgres
from tests.rig.sink import Sink
from tests.walks.postroom import PLAIN

MOST = 0.06
"""Seconds from the first command of a message to the kill, at most: some ten messages."""
LEFT = 20
"""Fewer waiting messages than this, and more are accepted before the next worker starts."""
WAITING = (State.QUEUED, State.DEFERRED, State.HELD, State.SENDING)


class Workers:
    """Forks workers: `async with Workers(folder, database) as workers`."""

    def __init__(self, folder: Path, database: str, *, ttl: float | None = None):
        self._told = {"folder": str(folder), "database": database, "ttl": ttl}

    async def __aenter__(self):
        self._parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.walks.kills", "--fork", json.dumps(self._told)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._alive: set[int] = set()
        return self

    async def __aexit__(self, *_):
        for pid in list(self._alive):
            await self.kill(pid)
        self._parent.stdin.close()
        await self._parent.wait()

    async def start(self) -> int:
        self._parent.stdin.write(b"fork\n")
        pid = int(await asyncio.wait_for(self._parent.stdout.readline(), 90))
        self._alive.add(pid)
        return pid

    async def kill(self, pid: int, how: int = signal.SIGKILL) -> None:
        os.kill(pid, how)
        self._alive.discard(pid)
        await until(lambda: not Path(f"/proc/{pid}").exists(), 30)


def _fork(told: dict) -> None:
    """Forks a worker for each line on standard input and says its process id."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for _ in sys.stdin.buffer.raw:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _work(told)
            os._exit(0)
        _say(str(pid))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _work(told: dict) -> None:
    settings = settings_of(Path(told["folder"]), told["database"])
    log = os.open(f"{told['folder']}/worker.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logs.configure(settings)
    if told["ttl"]:
        own.TTL = timedelta(seconds=told["ttl"])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve.work(settings, lambda _: None))


def settings_of(folder: Path, database: str) -> Settings:
    data = folder / "data"
    open_doors = {"allow_private_hosts": True, "plaintext_hosts": PLAIN}
    return Settings(data=data, database=database, **open_doors, log_format="json", log_level="debug")


@dataclass
class Line:
    """A mailbox and the sink that its messages go to."""

    id: str
    user: User
    sink: Sink
    accepted: list[Delivery] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """How often the sink took each delivery."""
        ids = {f"<{one.rfc_message_id}>": one.id for one in self.accepted}
        return Counter({ids[name]: number for name, number in self.sink.counts.items()})

    def begun(self) -> int:
        return sum(command.startswith("MAIL") for command in self.sink.seen)


@dataclass
class Outcome:
    """What came of it, as numbers for people and for tests."""

    kills: int
    accepted: int
    lost: int  # neither at the sink nor known to be unconfirmed
    repeated: int
    most: int  # how often the sink took one message, at most
    unconfirmed: int
    of_these_taken: int
    seconds: float
    lines: list[Line] = field(repr=False)


class Killing:
    """A house without an engine, that accepts and looks, and the workers beside it that send."""

    def __init__(self, house: serve.House, workers: Workers, dice: random.Random):
        self.house, self.workers, self.dice = house, workers, dice
        self.lines: list[Line] = []

    async def line(self, stack: AsyncExitStack, dovecot: Dovecot, policy: UnconfirmedPolicy) -> None:
        user = dovecot.add_user()
        sink = await stack.enter_async_context(Sink(users={user.name: user.password}))
        ends = [Endpoint("localhost", port, Security.NONE, user.name) for port in (dovecot.imap_port, sink.port)]
        connection = Connection(user.address, "Support", *ends, Credential(password=user.password))
        made = await self.house.connect.add(NewMailbox(connection, unconfirmed=policy))
        self.lines.append(Line(made.mailbox.id, user, sink))

    async def fill(self, count: int) -> None:
        """So many more messages for each mailbox."""

        async def accept(line: Line, number: int) -> None:
            to = (Address(f"customer{number}@elsewhere.test"),)
            draft = Draft(line.id, to, subject=f"Answer {number}", text="It is here.\n" * self.dice.randrange(200))
            line.accepted.append((await self.house.accept.accept(draft)).delivery)

        known = len(self.lines[0].accepted)
        await asyncio.gather(*(accept(line, known + number) for line in self.lines for number in range(count)))

    async def waiting(self) -> int:
        states = (await self.house.store.counts()).deliveries
        return sum(states.get(state, 0) for state in WAITING)

    async def in_state(self, line: Line, state: State) -> list[Delivery]:
        found, cursor = [], None
        while True:
            page = await self.house.store.deliveries(mailbox_id=line.id, state=state, limit=200, cursor=cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def kill_at_random(self, running: list[int]) -> int:
        """Kills one of the running workers a while after a message was begun; gives its place among them."""
        before, ends = [line.begun() for line in self.lines], time.monotonic() + 60
        while [line.begun() for line in self.lines] == before:
            assert time.monotonic() < ends, "the worker does not send"
            await asyncio.sleep(0.001)
        await asyncio.sleep(self.dice.uniform(0, MOST))
        place = self.dice.randrange(len(running))
        await self.workers.kill(running[place])
        return place

    async def sent_to_the_end(self, seconds: float = 120) -> None:
        ends = time.monotonic() + seconds
        while waiting := await self.waiting():
            assert time.monotonic() < ends, f"{waiting} are not sent"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def killing(
    folder: Path, dovecot: Dovecot, database: str, *, seed: int, policy: UnconfirmedPolicy, ttl: float | None = None
) -> AsyncIterator[tuple[Killing, AsyncExitStack]]:
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(serve.build(settings_of(folder, database)))
        workers = await stack.enter_async_context(Workers(folder, database, ttl=ttl))
        yield Killing(house, workers, random.Random(seed)), stack


async def kill_many(
    folder: Path,
    dovecot: Dovecot,
    *,
    kills: int,
    seed: int,
    policy: UnconfirmedPolicy,
    database: str = "",
    workers: int = 1,
    ttl: float | None = None,
    fill: int = 5 * LEFT,
) -> Outcome:
    """So many kills, then one worker that may end its work; a person decides about what is unconfirmed."""
    began = time.monotonic()
    async with killing(folder, dovecot, database, seed=seed, policy=policy, ttl=ttl) as (scene, stack):
        for _ in range(workers):
            await scene.line(stack, dovecot, policy)
        running: list[int] = []
        done = 0
        while done < kills:
            if await scene.waiting() < LEFT * len(scene.lines):
                await scene.fill(fill)
            while len(running) < workers:
                running.append(await scene.workers.start())
            place = await scene.kill_at_random(running)
            del running[place]
            done += await scene.waiting() > 0
        while len(running) < workers:
            running.append(await scene.workers.start())
        await scene.sent_to_the_end()
        left = [(line, one) for line in scene.lines for one in await scene.in_state(line, State.UNCONFIRMED)]
        taken = [(line, one) for line, one in left if line.counts()[one.id]]
        for line, one in left:  # as a person who asks the recipient
            await (scene.house.accept.confirm if line.counts()[one.id] else scene.house.accept.retry)(one.id)
        await scene.sent_to_the_end()
        assert not await scene.in_state(scene.lines[0], State.UNCONFIRMED)
        counts = Counter({one.id: line.counts()[one.id] for line in scene.lines for one in line.accepted})
        return Outcome(
            kills=done,
            accepted=len(counts),
            lost=sum(number == 0 for number in counts.values()),
            repeated=sum(number > 1 for number in counts.values()),
            most=max(counts.values()),
            unconfirmed=len(left),
            of_these_taken=len(taken),
            seconds=time.monotonic() - began,
            lines=scene.lines,
        )


async def _by_hand(options: argparse.Namespace) -> Outcome:
    certificates = Certificates()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postroom-kills-")))
        dovecot = await stack.enter_async_context(Dovecot(certificates))
        database, workers, ttl = "", 1, None
        if options.postgresql:
            postgres = await stack.enter_async_context(Postgres())
            database, workers, ttl = postgres.url(await postgres.create_database()), 2, 2.0
        return await kill_many(
            folder,
            dovecot,
            kills=options.kills,
            seed=options.seed,
            policy=UnconfirmedPolicy(options.policy),
            database=database,
            workers=workers,
            ttl=ttl,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--policy", choices=[str(one) for one in UnconfirmedPolicy], default="ask")
    parser.add_argument("--postgresql", action="store_true", help="two workers on one PostgreSQL, two mailboxes")
    parser.add_argument("--fork", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fork:
        _fork(json.loads(options.fork))
        return
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's words about itself
    _say(f"seed {options.seed}")
    _say(str(asyncio.run(_by_hand(options))))


if __name__ == "__main__":
    main()
