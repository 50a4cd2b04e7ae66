"""Postroom as an operator runs it: a process of its own, an API key, a client. It knows no test."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2

from postroom import keyfile
from postroom.core import apikey
from postroom.core.apikey import ApiKey
from postroom.core.identity import Kind
from postroom.settings import Settings
from postroom.store import open_store
from postroom.world import RealWorld

PROGRAM = (sys.executable, "-m", "postroom")
PLAIN = "localhost,127.0.0.1,127.0.0.2"
"""Where the servers of the rig are: most tests speak to them without TLS."""


class Postroom:
    """`async with Postroom(folder, database_url) as postroom`; settings as in the environment, in small letters."""

    def __init__(self, folder: Path, database: str = "", **settings):
        self.folder = folder
        self.log = folder / "postroom.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")},
            "POSTROOM_DATA": str(folder / "data"),
            "POSTROOM_DATABASE": database,
            "POSTROOM_PORT": "0",
            "POSTROOM_ALLOW_PRIVATE_HOSTS": "true",
            "POSTROOM_PLAINTEXT_HOSTS": PLAIN,
            "POSTROOM_CONFIRM_SECONDS": "0.5",
            "POSTROOM_UNCONFIRMED_MINUTES": "0.05",
            "POSTROOM_LOG_LEVEL": "debug",
            "POSTROOM_LOG_FORMAT": "json",
            **{f"POSTROOM_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: asyncio.subprocess.Process | None = None
        self.key = ""
        self.api: httpx2.AsyncClient | None = None

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        """Starts the server and makes a key on first start."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *PROGRAM, "serve", env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        line = (await asyncio.wait_for(self.process.stdout.readline(), 90)).decode().strip()
        assert line.startswith("Postroom listens on "), self.last_words()
        self.url = line.rpartition(" ")[2]
        if not self.key:
            self.key = await self._new_key()
        self.api = httpx2.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60, trust_env=False
        )

    async def _new_key(self):
        """As `postroom key create` makes one, without a process of its own."""
        data, database = Path(self.environment["POSTROOM_DATA"]), self.environment["POSTROOM_DATABASE"]
        chosen = Settings(data=data, database=database, secret_key=self.environment.get("POSTROOM_SECRET_KEY"))
        world = RealWorld()
        store = await open_store(chosen.database_url, secret_key=keyfile.keys(chosen)[0], world=world)
        token = apikey.token(world.secret())
        await store.add_key(ApiKey(world.identifier(Kind.KEY), "tests", world.now()), apikey.digest(token))
        await store.close()
        return token

    async def stop(self):
        """SIGTERM, as an operator does; it must end by itself."""
        if self.api is not None:
            await self.api.aclose()
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 90)
            except TimeoutError:
                self.process.kill()
                raise AssertionError("postroom serve did not end on SIGTERM: " + self.last_words()) from None

    async def kill(self):
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await self.api.aclose()

    async def command(self, *arguments, code=0, **environment):
        """Runs `postroom …` beside the server; what it printed. Its exit code must be `code`."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *arguments,
            env=self.environment | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode == code, (arguments, process.returncode, out.decode(), err.decode())
        return out.decode() + (err.decode() if code else "")

    def last_words(self):
        return self.log.read_text()[-4000:]

    async def get(self, path, **query):
        answer = await self.api.get(f"/v1{path}", params=query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def post(self, path, body=None, *, status=None, **headers):
        """POST; the answer's JSON. Without a status any 2xx will do."""
        answer = await self.api.post(f"/v1{path}", json=body, headers=headers)
        expected = answer.is_success if status is None else answer.status_code == status
        assert expected, (path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def everything(self, path, **query):
        """All pages of a list."""
        items, cursor = [], None
        while True:
            page = await self.get(path, limit=200, **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def connect(self, settings, status=201):
        return await self.post("/mailboxes", settings, status=status)

    async def mailbox(self, mailbox_id):
        return await self.get(f"/mailboxes/{mailbox_id}")

    async def send(self, mailbox_id, to="customer@elsewhere.test", **more):
        body = {"mailbox_id": mailbox_id, "to": [to], "subject": "An answer", "text": "It is here.", **more}
        return await self.post("/messages", body, status=202)

    async def messages(self, mailbox_id):
        """Every message of a mailbox, whatever its conversation."""
        found = []
        for conversation in await self.everything("/conversations", mailbox_id=mailbox_id):
            cursor = None
            while True:
                more = {"cursor": cursor} if cursor else {}
                page = (await self.get(f"/conversations/{conversation['id']}", limit=200, **more))["messages"]
                found += page["items"]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
        return found

    async def delivery_in(self, delivery_id, state, seconds=90.0):
        return await self.until(
            lambda: self.get(f"/deliveries/{delivery_id}"), lambda one: one["state"] == state, seconds
        )

    async def mailbox_in(self, mailbox_id, seconds=90.0, **states):
        """Waits for `receiving="connected"` and the like."""
        return await self.until(
            lambda: self.mailbox(mailbox_id),
            lambda one: all(one[direction]["state"] == state for direction, state in states.items()),
            seconds,
        )

    async def until(self, look, holds, seconds=90.0):
        """Looks until it holds, and gives what was seen."""
        ends = time.monotonic() + seconds
        while True:
            seen = await look()
            if holds(seen):
                return seen
            assert time.monotonic() < ends, f"not within {seconds} s: {seen}\n{self.last_words()}"
            await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def events(self, after=None) -> AsyncIterator[Callable]:
        """Follows /v1/events; gives a function that waits for the next event of a type."""
        queue = asyncio.Queue()

        async def follow():
            headers = {} if after is None else {"Last-Event-ID": str(after)}
            async with self.api.stream("GET", "/v1/events", headers=headers, timeout=None) as stream:
                position = None
                async for line in stream.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        position = value
                    elif name == "data" and position is not None:
                        queue.put_nowait({"position": position, **json.loads(value)})

        task = asyncio.create_task(follow())

        async def following(kind, seconds=90.0):
            async with asyncio.timeout(seconds):
                while (event := await queue.get())["type"] != kind:
                    pass
                return event

        try:
            yield following
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def settings_for(user, imap_port, smtp_port, *, security="none", ca_pem=None, **more):
    """The body of POST /v1/mailboxes for servers of the rig; `user` has name, password and address."""

    def end(port):
        return {"host": "127.0.0.1", "port": port, "security": security, "username": user.name}

    body = {
        "address": user.address,
        "name": "Support",
        "imap": end(imap_port),
        "smtp": end(smtp_port),
        "auth": {"kind": "password", "password": user.password},
        **more,
    }
    return body | ({"ca_certificate": ca_pem} if ca_pem else {})


def attachment(content: bytes, filename="a.bin", content_type="application/octet-stream"):
    return {"filename": filename, "content_type": content_type, "content": base64.b64encode(content).decode()}
