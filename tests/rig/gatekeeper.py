"""Says who may sign in, to servers that ask a daemon on a Unix socket: saslauthd's protocol for Cyrus, authdaemond's
for Courier. Users are made and changed at run time. It keeps no mail.
"""

import asyncio
import os
import secrets
from pathlib import Path

from tests.rig.dovecot import User


class Gatekeeper:
    """The users of one server, by name. `listen` and `close` belong to the loop that the server is started in."""

    def __init__(self, uid: int, gid: int, homes: Path) -> None:
        self.users: dict[str, User] = {}
        self._ids = uid, gid
        self._homes = homes
        self._listening: asyncio.Server | None = None

    def add(self, name: str | None = None, password: str | None = None) -> User:
        """A user; a name and a password are made up unless given."""
        user = User(name or f"u{secrets.token_hex(5)}", password or secrets.token_urlsafe(12))
        self.users[user.name] = user
        return user

    async def listen(self, socket: Path, protocol: str) -> None:
        """Answers on this socket, whose folder is there: "saslauthd" or "authdaemond"."""
        serve = self._saslauthd if protocol == "saslauthd" else self._authdaemond
        self._listening = await asyncio.start_unix_server(serve, socket)  # in place of one that a restart left
        os.chmod(socket, 0o777)  # servers ask without being root

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _knows(self, name: str, password: str) -> bool:
        return name in self.users and self.users[name].password == password

    async def _saslauthd(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Name, password, service and realm come, and OK or NO goes, each with its length before it."""
        try:
            told = [await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")) for _ in range(4)]
            answer = b"OK" if self._knows(told[0].decode(), told[1].decode()) else b"NO"
            writer.write(len(answer).to_bytes(2, "big") + answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def _authdaemond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Where the client is; `AUTH n` and n bytes: service, type (login), name, password, each on its line. The
        account's data go."""
        try:
            while line := await reader.readline():
                command, _, size = line.decode().strip().partition(" ")
                if command == "AUTH":
                    told = (await reader.readexactly(int(size))).decode().split("\n")
                    writer.write(self._account(told[2]) if self._knows(told[2], told[3]) else b"FAIL\n")
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def _account(self, name: str) -> bytes:
        uid, gid = self._ids
        home = self._homes / name
        return f"UID={uid}\nGID={gid}\nADDRESS={name}\nHOME={home}\nMAILDIR={home}/Maildir\n.\n".encode()
