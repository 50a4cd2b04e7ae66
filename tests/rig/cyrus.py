"""Cyrus for tests: IMAP with and without TLS, and LMTP delivery. Unless told otherwise its folders stand below INBOX,
with dots between levels ("INBOX.Sent"), as Cyrus had it for twenty years and Courier still has.
"""

import asyncio
import shutil
import smtplib
import string
from collections.abc import Sequence
from pathlib import Path

from tests.rig.certificates import Certificates
from tests.rig.dovecot import DOMAIN, User
from tests.rig.gatekeeper import Gatekeeper
from tests.rig.ports import HOST, PATIENCE, free_port
from tests.rig.process import Server, need_root
from tests.rig.unpacked import Unpacked

ACCOUNT = "mail"  # of every Debian; Cyrus' own is made by its package, which cannot be installed beside Dovecot
_TEMPLATE = Path(__file__).with_name("cyrus.conf.template")


class Cyrus(Server):
    """A Cyrus with users made at run time. `below_inbox=False` shows folders beside INBOX, with slashes."""

    def __init__(self, certificates: Certificates, *, below_inbox: bool = True) -> None:
        need_root("Cyrus")
        self._package = Unpacked("cyrus-imapd")
        super().__init__("cyrus")
        self.imap_port, self.imaps_port, self.lmtp_port = self.ports = tuple(free_port() for _ in range(3))
        self.host = "localhost"
        self.ca_pem = certificates.ca_pem
        self.prefix = "INBOX." if below_inbox else ""
        self._gatekeeper = Gatekeeper(0, 0, self.folder)
        for part in (
            "gate",
            "conf/db",
            "conf/socket",
            "conf/proc",
            "conf/log",
            "conf/msg",
            "conf/user",
            "conf/quota",
            "spool",
        ):
            (self.folder / part).mkdir(parents=True)
        cert, key = certificates.good().write(self.folder)
        for place in (
            self.folder,
            *(self.folder / "conf").rglob("*"),
            self.folder / "conf",
            self.folder / "spool",
            key,
        ):
            shutil.chown(place, ACCOUNT, ACCOUNT)
        settings = {
            "configdirectory": self.folder / "conf",
            "partition-default": self.folder / "spool",
            "defaultpartition": "default",
            "cyrus_user": ACCOUNT,
            "cyrus_group": ACCOUNT,
            "admins": "cyrus",
            "sasl_pwcheck_method": "saslauthd",
            "sasl_saslauthd_path": self.folder / "gate/mux",
            "sasl_mech_list": "PLAIN LOGIN",
            "allowplaintext": "yes",
            "tls_server_cert": cert,
            "tls_server_key": key,
            "altnamespace": "no" if below_inbox else "yes",
            "unixhierarchysep": "no" if below_inbox else "yes",
            "autocreate_quota": 0,
            "munge8bit": "no",
            "imapidlepoll": 1,
            "duplicatesuppression": "no",
            "sync_log": "no",
        }
        self._config = self.folder / "imapd.conf"
        self._config.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        places = {
            "programs": self._package.path("usr/lib/cyrus/bin"),
            "config": self._config,
            "imap_port": self.imap_port,
            "imaps_port": self.imaps_port,
            "lmtp_port": self.lmtp_port,
        }
        self._services = self.folder / "cyrus.conf"
        self._services.write_text(string.Template(_TEMPLATE.read_text()).substitute(places))

    def command(self) -> Sequence[str]:
        """Cyrus' master in the foreground."""
        return [
            *("/usr/bin/env", f"LD_LIBRARY_PATH={self._package.libraries}"),
            *(self._package.path("usr/lib/cyrus/bin/master"), "-C", str(self._config), "-M", str(self._services)),
            *("-p", str(self.folder / "master.pid")),
        ]

    async def start(self) -> None:
        await self._gatekeeper.listen(self.folder / "gate/mux", "saslauthd")
        await super().start()
        reader, writer = await asyncio.open_connection(HOST, self.imap_port)
        try:
            await asyncio.wait_for(reader.readline(), PATIENCE)
        finally:
            writer.close()

    async def stop(self) -> None:
        await super().stop()
        self._gatekeeper.close()

    def add_user(self, name: str | None = None, password: str | None = None) -> User:
        """A user; INBOX is made at the first sign-in."""
        return self._gatekeeper.add(name, password)

    async def deliver(self, name: str, raw: bytes, sender: str = "customer@example.test") -> None:
        """Deliver a message by LMTP (RFC 2033). Raises smtplib.SMTPRecipientsRefused when the user has no INBOX yet."""
        await asyncio.to_thread(self._deliver, name, raw, sender)

    def _deliver(self, name: str, raw: bytes, sender: str) -> None:
        with smtplib.LMTP(HOST, self.lmtp_port, local_hostname=DOMAIN, timeout=30) as peer:
            peer.sendmail(sender, [name], raw)
