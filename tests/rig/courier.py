"""Courier for tests: IMAP with STARTTLS. Its folders stand below INBOX, with dots between levels ("INBOX.Sent")."""

import os
from collections.abc import Sequence
from pathlib import Path

from tests.rig.certificates import Certificates
from tests.rig.dovecot import MAIL_UID, User
from tests.rig.gatekeeper import Gatekeeper
from tests.rig.maildir import Maildir
from tests.rig.ports import HOST, free_port
from tests.rig.process import Server, need_root
from tests.rig.unpacked import Unpacked

# Where Courier asks authdaemond and as whom it does TLS is compiled in, so it gets a /run and accounts of its own. Its
# package's settings are those of every Courier; ours come after them: its locks and its watch want a daemon, FAM.
_START = """
mount --make-rprivate /
mount --bind "$FOLDER/run" /run
mount --bind "$FOLDER/passwd" /etc/passwd
mount --bind "$FOLDER/group" /etc/group
set -a
. "$ROOT/etc/courier/imapd"
. "$ROOT/etc/courier/imapd-ssl"
IMAP_IDLE_TIMEOUT=1
IMAP_ENHANCEDIDLE=0
IMAP_USELOCKS=0
IMAP_STARTTLS=YES
COURIERTLS=$ROOT/usr/bin/couriertls
TLS_CERTFILE=$FOLDER/both.pem
TLS_TRUSTCERTS=
TLS_DHPARAMS=
TLS_CACHEFILE=
IMAPLOGINTAG=LOGIN
exec "$ROOT/usr/sbin/couriertcpd" -address=$ADDRESS_HERE -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup \
    "$PORT_HERE" "$ROOT/usr/lib/courier/courier/imaplogin" "$ROOT/usr/bin/imapd" Maildir
"""


class Courier(Server):
    """A Courier with users made at run time; their mail is in Maildirs, where it is also delivered."""

    prefix = "INBOX."

    def __init__(self, certificates: Certificates) -> None:
        need_root("Courier")
        self._package = Unpacked("courier-imap")
        super().__init__("courier")
        self.imap_port = free_port()
        self.ports = (self.imap_port,)
        self.host = "localhost"
        self.ca_pem = certificates.ca_pem
        self._gatekeeper = Gatekeeper(MAIL_UID, MAIL_UID, self.folder / "mail")
        for part in ("run/courier/authdaemon", "mail"):
            (self.folder / part).mkdir(parents=True)
        os.chown(self.folder / "mail", MAIL_UID, MAIL_UID)
        cert, key = certificates.good().write(self.folder)
        both = self.folder / "both.pem"
        both.write_bytes(key.read_bytes() + cert.read_bytes())
        os.chown(both, MAIL_UID, MAIL_UID)
        for name, line in (
            ("passwd", f"courier:x:{MAIL_UID}:{MAIL_UID}::/:/bin/false"),
            ("group", f"courier:x:{MAIL_UID}:"),
        ):
            (self.folder / name).write_text(f"{Path('/etc', name).read_text()}{line}\n")

    def command(self) -> Sequence[str]:
        """Courier's listener in the foreground, in a mount namespace of its own."""
        here = {
            "LD_LIBRARY_PATH": self._package.libraries,
            "ROOT": str(self._package.root),
            "FOLDER": str(self.folder),
            "ADDRESS_HERE": HOST,
            "PORT_HERE": str(self.imap_port),
        }
        settings = [f"{name}={value}" for name, value in here.items()]
        return ["unshare", "--mount", "/usr/bin/env", *settings, "/bin/sh", "-ec", _START]

    async def start(self) -> None:
        await self._gatekeeper.listen(self.folder / "run/courier/authdaemon/socket", "authdaemond")
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        self._gatekeeper.close()

    def add_user(self, name: str | None = None, password: str | None = None) -> User:
        """A user with an empty mailbox."""
        user = self._gatekeeper.add(name, password)
        self.maildir(user.name).create()
        return user

    def maildir(self, name: str) -> Maildir:
        """The user's mail on disk."""
        return Maildir(self.folder / "mail" / name / "Maildir", MAIL_UID, MAIL_UID)

    async def deliver(self, name: str, raw: bytes) -> None:
        """Put a message into the user's INBOX as a delivery agent does, with the line ends of this system."""
        self.maildir(name).drop(raw.replace(b"\r\n", b"\n"))
