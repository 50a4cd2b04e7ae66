"""A mailbox that sends into a sink of its own and reads from Dovecot, and what came of its messages."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy

from tests.rig.dovecot import User
from tests.rig.proxy import Proxy
from tests.rig.sink import Sink
from tests.walks.postroom import settings_for


@dataclass
class Line:
    """A connected mailbox and where its messages go."""

    id: str
    user: User
    sink: Sink
    front: Proxy | None = None

    def log_ins(self) -> int:
        """How often somebody tried to sign in to send."""
        return self.sink.seen.count("AUTH")

    def numbers(self) -> list[int]:
        """The numbers of `send_many`, in the order in which the sink took the messages."""
        return [int(read(one.raw)["X-Number"]) for one in self.sink.accepted]


@contextlib.asynccontextmanager
async def line(postroom, dovecot, *, through=None, imap_port=None, **settings) -> AsyncIterator[Line]:
    """Connects a new user; `through` (the fixture `proxy`) is put before the sink, as `front`. What was cut off and is
    not in Sent is sent again, unless `unconfirmed` says otherwise."""
    settings = {"unconfirmed": "resend", **settings}
    user = dovecot.add_user()
    # One connection unless a test wants more: the sink then takes messages in the order in which they began.
    settings = {"budget": {"connections": 1}} | settings
    async with Sink(users={user.name: user.password}) as sink:
        front = await through(sink.port) if through else None
        port = front.port if front else sink.port
        mailbox = await postroom.connect(settings_for(user, imap_port or dovecot.imap_port, port, **settings))
        yield Line(mailbox["id"], user, sink, front)
        await postroom.api.delete(f"/v1/mailboxes/{mailbox['id']}")


async def send_many(postroom, mailbox_id, numbers):
    """Sends one message for each number, one after the other, and gives the deliveries."""
    return [
        await postroom.send(mailbox_id, subject=f"Answer {number}", headers={"X-Number": str(number)})
        for number in numbers
    ]


async def settled(postroom, deliveries, seconds=90.0, state="sent"):
    """Waits until all are in a state, and gives them with their attempts."""
    return [await postroom.delivery_in(one["id"], state, seconds) for one in deliveries]


class Heard:
    """Every event of one mailbox (or of all) from the beginning on, as (type, data): `async with Heard(…) as heard`."""

    def __init__(self, postroom, mailbox_id=None):
        self.events: list[tuple[str, dict]] = []
        self.positions: list[int] = []
        self._postroom, self._mailbox_id = postroom, mailbox_id
        self._more = asyncio.Event()

    def of(self, kind) -> list[dict]:
        return [data for found, data in self.events if found == kind]

    async def until(self, kind, count=1, seconds=90.0) -> list[dict]:
        """Waits until so many events of a type came."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.of(kind)) < count:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"{kind} did not come {count} times: {[name for name, _ in self.events]}") from None
        return self.of(kind)

    async def __aenter__(self):
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self):
        query = {"after": 0} | ({"mailbox_id": self._mailbox_id} if self._mailbox_id else {})
        async with self._postroom.api.stream("GET", "/v1/events", params=query, timeout=None) as stream:
            kind = ""
            async for text in stream.aiter_lines():
                name, _, value = text.partition(": ")
                if name == "id":
                    self.positions.append(int(value))
                elif name == "event":
                    kind = value
                elif name == "data":
                    self.events.append((kind, json.loads(value)["data"]))
                    self._more.set()


def logged(postroom, event, **values):
    """The lines of Postroom's log about an event."""
    lines = [json.loads(text) for text in postroom.log.read_text().splitlines() if text.startswith("{")]
    return [one for one in lines if one.get("event") == event and values.items() <= one.items()]


def read(raw: bytes):
    """A message as the standard library reads it."""
    return message_from_bytes(raw, policy=policy.default)
