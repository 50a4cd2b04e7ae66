"""Postfix for tests: submission with STARTTLS and with TLS, log-ins checked by the rig's Dovecot.

Mail for rig.test goes into Dovecot's mailboxes, mail for bounce.test is refused and comes back as a real report
(RFC 3464), everything else ends in `sink`. Nothing leaves the machine.
"""

import json
import shutil
import string
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.rig.certificates import Certificate, Certificates
from tests.rig.dovecot import Dovecot
from tests.rig.ports import free_port
from tests.rig.process import Server, need_root, program, run
from tests.rig.sink import Sink

_DAEMONS = ("/usr/lib/postfix/sbin", "/usr/libexec/postfix")
_TEMPLATES = (("main.cf", "postfix.cf.template"), ("master.cf", "postfix.master.template"))


class Postfix(Server):
    """A Postfix with its own queue. `settings` are parameters of main.cf, as in message_size_limit=20_000."""

    host = "localhost"

    def __init__(
        self,
        certificates: Certificates,
        dovecot: Dovecot,
        *,
        certificate: Certificate | None = None,
        **settings: str | int,
    ) -> None:
        need_root("Postfix")
        self._postfix = program("postfix", "postfix")
        self._master = Path(program("master", "postfix", *_DAEMONS))
        super().__init__("postfix")
        self.submission_port, self.smtps_port = self.ports = (free_port(), free_port())
        self.ca_pem = certificates.ca_pem
        self.sink = Sink()
        self._refusing = Sink()
        self._refusing.answer("RCPT", "550 5.1.1 No such user here")
        self._settings = settings
        (self.folder / "queue").mkdir()
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        shutil.chown(data, "postfix")
        cert, key = (certificate or certificates.good()).write(self.folder)
        values = {
            "folder": self.folder,
            "command_directory": Path(self._postfix).parent,
            "daemon_directory": self._master.parent,
            "cert": cert,
            "key": key,
            "lmtp_port": dovecot.lmtp_port,
            "sasl_port": dovecot.sasl_port,
            "sink_port": self.sink.port,
            "refusing_port": self._refusing.port,
            "submission_port": self.submission_port,
            "smtps_port": self.smtps_port,
        }
        for name, template in _TEMPLATES:
            text = Path(__file__).with_name(template).read_text()
            (self.folder / name).write_text(string.Template(text).substitute(values))

    def command(self) -> Sequence[str]:
        """Postfix's master in the foreground."""
        return [str(self._master), "-c", str(self.folder), "-s"]

    async def start(self) -> None:
        """Start the sinks, make the queue's folders, start Postfix."""
        if self._settings:
            await self._set(self._settings)
            self._settings = {}
        await self.sink.start()
        await self._refusing.start()
        if not (self.folder / "queue" / "active").exists():
            await run(self._postfix, "-c", self.folder, "check")  # makes the queue's folders with their owners
        await super().start()

    async def stop(self) -> None:
        """Stop Postfix and its sinks. The queue stays."""
        await super().stop()
        await self.sink.stop()
        await self._refusing.stop()

    @asynccontextmanager
    async def configured(self, **settings: str | int) -> AsyncIterator[None]:
        """Other settings within this block: `async with postfix.configured(message_size_limit=2000)`."""
        shown = await run(program("postconf", "postfix"), "-c", self.folder, *settings)
        before = dict(line.split(" =", 1) for line in shown.splitlines())
        await self._set(settings)
        await self.restart()
        try:
            yield
        finally:
            await self._set({name.strip(): value.strip() for name, value in before.items()})
            await self.restart()

    async def queue(self) -> list[dict[str, object]]:
        """What waits in Postfix's own queue, as `postqueue -j` shows it."""
        lines = await run(program("postqueue", "postfix"), "-c", self.folder, "-j")
        return [json.loads(line) for line in lines.splitlines()]

    async def _set(self, settings: dict[str, str | int]) -> None:
        changes = [f"{name}={value}" for name, value in settings.items()]
        await run(program("postconf", "postfix"), "-c", self.folder, "-e", *changes)
