"""Dovecot for tests: IMAP with and without TLS, LMTP delivery, and the SASL service that Postfix asks.

Users live in one file each, so a password changed here is changed for the very next log-in.
"""

import asyncio
import json
import os
import secrets
import smtplib
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.certificates import Certificate, Certificates
from tests.rig.maildir import Maildir
from tests.rig.ports import HOST, PATIENCE, free_port
from tests.rig.process import Server, need_root, program, run
from tests.rig.tokens import Issuer

DOMAIN = "rig.test"
MAIL_UID = 5005  # owns the mailboxes; needs no entry in /etc/passwd

_TEMPLATE = Path(__file__).with_name("dovecot.conf.template")
_OAUTH2 = """introspection_mode = local
local_validation_key_dict = fs:posix:prefix=${folder}/keys/
username_attribute = sub
"""
_USERS = """uri = fs:posix:prefix=${folder}/users/
default_pass_scheme = PLAIN
iterate_disable = yes
key passdb {
  key = passdb/%n
  format = json
}
key userdb {
  key = userdb/%n
  format = json
}
passdb_objects = passdb
userdb_objects = userdb
"""
# What Dovecot 2.3 announces after log-in, IDLE taken out.
_WITHOUT_IDLE = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS THREAD=ORDEREDSUBJECT "
    "MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC "
    "ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW "
    "STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE"
)


@dataclass(frozen=True)
class User:
    """A mailbox on the rig."""

    name: str
    password: str = field(repr=False)

    @property
    def address(self) -> str:
        """The user's address, which is also accepted as the user name."""
        return f"{self.name}@{DOMAIN}"


class Dovecot(Server):
    """A Dovecot with users made and changed at run time.

    `idle=False` announces no IDLE; `capability` replaces the whole list. `mechanisms` are the SASL mechanisms.
    `connections_per_user` (0: no limit) refuses more of one user from one address. `plaintext=False` refuses
    log-ins without TLS; `host` is 127.0.0.2 then, for Dovecot trusts a connection from an address to itself.
    `hibernate` is how long IDLE lasts before the process is parked ("0": never). `connections` is how many clients
    may be logged in at once. `rights=True` keeps access control lists (RFC 4314): see `restrict`.
    """

    def __init__(
        self,
        certificates: Certificates,
        *,
        certificate: Certificate | None = None,
        idle: bool = True,
        capability: str | None = None,
        mechanisms: Sequence[str] = ("plain", "login", "xoauth2", "oauthbearer"),
        connections_per_user: int = 0,
        plaintext: bool = True,
        hibernate: str = "0",
        connections: int = 1000,
        rights: bool = False,
    ) -> None:
        need_root("Dovecot")
        self._program = program("dovecot", "dovecot-imapd dovecot-lmtpd")
        for part in ("imap", "lmtp"):
            program(part, f"dovecot-{part}d", "/usr/lib/dovecot", "/usr/libexec/dovecot")
        super().__init__("dovecot")
        self.imap_port, self.imaps_port, self.lmtp_port, self.sasl_port = self.ports = tuple(
            free_port() for _ in range(4)
        )
        self.host = "localhost" if plaintext else "127.0.0.2"
        self.ca_pem = certificates.ca_pem
        self.issuer = Issuer()
        self.issuer.publish(self.folder / "keys")
        for part in ("run", "state", "mail", "users/passdb", "users/userdb"):
            (self.folder / part).mkdir(parents=True)
        os.chown(self.folder / "mail", MAIL_UID, MAIL_UID)
        cert, key = (certificate or certificates.good()).write(self.folder)
        announced = capability if capability is not None else None if idle else _WITHOUT_IDLE
        values = {
            "folder": self.folder,
            "instance": self.folder.name,
            "cert": cert,
            "key": key,
            "disable_plaintext_auth": "no" if plaintext else "yes",
            "mechanisms": " ".join(mechanisms),
            "connections_per_user": connections_per_user,
            "hibernate": hibernate,
            "idle_check": "2 secs" if connections <= 1000 else "30 secs",
            "rights": "acl" if rights else "",
            "capability": f"imap_capability = {announced}" if announced else "",
            "client_limit": max(1000, connections * 2),
            "connections": connections,
            "login_processes": 4 if connections > 1000 else 1,
            "imap_port": self.imap_port,
            "imaps_port": self.imaps_port,
            "lmtp_port": self.lmtp_port,
            "sasl_port": self.sasl_port,
        }
        self._config = self.folder / "dovecot.conf"
        for path, text in (
            (self._config, _TEMPLATE.read_text()),
            (self.folder / "oauth2.conf.ext", _OAUTH2),
            (self.folder / "users.conf.ext", _USERS),
        ):
            path.write_text(string.Template(text).substitute(values))

    def command(self) -> Sequence[str]:
        """Dovecot in the foreground."""
        return [self._program, "-F", "-c", str(self._config)]

    async def start(self) -> None:
        """Start and wait for every service's greeting: Dovecot opens its ports long before it can use them."""
        await super().start()
        for port in (self.imap_port, self.lmtp_port, self.sasl_port):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                await asyncio.wait_for(reader.readline(), PATIENCE)
            finally:
                writer.close()

    def add_user(self, name: str | None = None, password: str | None = None, **settings: str) -> User:
        """Make a user with an empty mailbox; a name and a password are made up unless given. `settings` of Dovecot's
        are for this user alone."""
        user = User(name or f"u{secrets.token_hex(5)}", password or secrets.token_urlsafe(12))
        self._write("userdb", user.name, {"uid": str(MAIL_UID), "gid": str(MAIL_UID), **settings})
        self.set_password(user.name, user.password)
        self.maildir(user.name).create()
        return user

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password, from the next log-in on. Sessions that are open stay open: see `kick`."""
        self._write("passdb", name, {"password": password})

    def disable(self, user: User, reason: str) -> None:
        """Refuse a user's log-ins though the password is right, with the administrator's words."""
        self._write("passdb", user.name, {"password": user.password, "nologin": "y", "reason": reason})

    def restrict(self, name: str, rights: str) -> None:
        """What the user may do in INBOX, by the letters of RFC 4314 2.1."""
        (self.maildir(name).folder() / "dovecot-acl").write_text(f"owner {rights}\n")

    def remove(self, name: str) -> None:
        """Take a user away: log-ins and deliveries are refused from now on. The mail stays on disk."""
        for kind in ("passdb", "userdb"):
            (self.folder / "users" / kind / name).unlink()

    def token(
        self, name: str, *, expires_in: int = 3600, forged: bool = False, more: dict[str, str] | None = None
    ) -> str:
        """An OAuth access token for XOAUTH2 and OAUTHBEARER, good for `expires_in` seconds; `more` claims in it."""
        return self.issuer.token(name, expires_in=expires_in, forged=forged, more=more)

    def maildir(self, name: str) -> Maildir:
        """The user's mail on disk."""
        return Maildir(self.folder / "mail" / name / "Maildir", MAIL_UID, MAIL_UID)

    def drop(self, name: str, raw: bytes, folder: str = "INBOX", flags: str | None = None) -> None:
        """Put a message into the user's mailbox byte for byte, past LMTP."""
        self.maildir(name).drop(raw, folder, flags)

    def fill(self, name: str, messages: Iterable[bytes], folder: str = "INBOX", flags: str = "") -> int:
        """Put many messages there at once, before anybody opens the folder, and give their number."""
        return self.maildir(name).fill(messages, folder, flags)

    def messages(self, name: str, folder: str = "INBOX") -> list[bytes]:
        """The user's messages as they are on disk, oldest first."""
        return self.maildir(name).messages(folder)

    async def deliver(self, name: str, raw: bytes, sender: str = "customer@example.test") -> None:
        """Deliver a message by LMTP (RFC 2033), which adds Return-Path, Delivered-To and Received to it.

        Raises smtplib.SMTPRecipientsRefused when there is no such user.
        """
        await asyncio.to_thread(self._deliver, name, raw, sender)

    def _deliver(self, name: str, raw: bytes, sender: str) -> None:
        with smtplib.LMTP(HOST, self.lmtp_port, local_hostname=DOMAIN, timeout=30) as peer:
            peer.sendmail(sender, [f"{name}@{DOMAIN}"], raw)

    async def kick(self, name: str) -> None:
        """Disconnect every session of the user, as an administrator would."""
        await self.doveadm("kick", name)

    async def doveadm(self, *arguments: str) -> str:
        """Run doveadm on this Dovecot and give its output. Raises RuntimeError with its words."""
        return await run(program("doveadm", "dovecot-imapd"), "-c", self._config, *arguments)

    def _write(self, kind: str, name: str, fields: dict[str, str]) -> None:
        place = self.folder / "users" / kind / name
        fresh = place.with_name(f".{name}.{secrets.token_hex(4)}")
        fresh.write_text(json.dumps(fields))
        fresh.chmod(0o644)
        fresh.replace(place)
