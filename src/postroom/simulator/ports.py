"""The ports of the provider: IMAP and SMTP, each plain and with TLS, and OAuth, up or down. What is said: sessions."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from postroom.simulator.connection import Connection
from postroom.simulator.fault import CERTIFICATE_FAULTS, HANDSHAKE_FAILURE_ALERT, Behaviour, Service
from postroom.simulator.imap import folders, messages
from postroom.simulator.imap.session import ImapSession
from postroom.simulator.listener import Listener
from postroom.simulator.oauth.session import OAuthSession
from postroom.simulator.session import House, Session
from postroom.simulator.smtp import SmtpSession

_log = logging.getLogger(__name__)
_HANDSHAKE_SECONDS = 30.0
_CLOSING_SECONDS = 2.0


class Ports:
    """Listens on all, serves what connects, suffers outages. `wanted` maps (service, TLS) to a port number."""

    def __init__(self, host: str, wanted: dict[tuple[Service, bool], int], house: House) -> None:
        self._host = host
        self._wanted = wanted
        self._house = house
        self._listeners: dict[tuple[Service, bool], Listener] = {}
        self._outages: dict[Service, asyncio.Task[None] | None] = {}
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises OSError when a port is taken."""
        for (service, tls), port in self._wanted.items():
            self._listeners[service, tls] = Listener(self._host, port, self._accepter(service, tls))
        await self.follow_faults()

    async def close(self) -> None:
        for listener in self._listeners.values():
            await listener.close()
        tasks = [*self._serving, *(task for task in self._outages.values() if task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def number(self, service: Service, *, tls: bool) -> int:
        return self._listeners[service, tls].port

    @property
    def issuer(self) -> str:
        """The address of the authorization server."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.number(Service.OAUTH, tls=False)}"

    def listens(self, service: Service) -> bool:
        return all(listener.is_up for (of, _), listener in self._listeners.items() if of is service)

    async def follow_faults(self) -> None:
        """Let each port listen, or not, as outages and faults want it."""
        for (service, _), listener in self._listeners.items():
            if service in self._outages or self._house.faults.refuses(service):
                await listener.down()
            else:
                listener.up()

    async def outage(self, service: Service, seconds: float | None) -> None:
        """Stop listening and drop every session; for good where `seconds` is None."""
        self._cancel_return(service)
        returning = None if seconds is None else asyncio.create_task(self._return_after(service, seconds))
        self._outages[service] = returning
        await self.follow_faults()
        for session in list(self._house.sessions.values()):
            if session.service is service:
                session.connection.abort()

    async def restore(self, service: Service) -> None:
        self._cancel_return(service)
        self._outages.pop(service, None)
        await self.follow_faults()

    async def _return_after(self, service: Service, seconds: float) -> None:
        await asyncio.sleep(seconds)
        del self._outages[service]
        await self.follow_faults()

    def _cancel_return(self, service: Service) -> None:
        if (returning := self._outages.get(service)) is not None:
            returning.cancel()

    def _accepter(self, service: Service, tls: bool) -> Callable[[socket.socket], None]:
        def accepted(connection: socket.socket) -> None:
            task = asyncio.get_running_loop().create_task(self._serve(connection, service, tls))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

        return accepted

    async def _serve(self, accepted: socket.socket, service: Service, tls: bool) -> None:
        faults = self._house.faults
        fault = faults.strike(service, "connect")
        if fault is None and tls:
            fault = faults.strike(service, "tls")
        behaviour = fault.behaviour if fault is not None else None
        if behaviour in (Behaviour.CLOSE, Behaviour.RESET, Behaviour.HANG, Behaviour.HANDSHAKE_FAILURE):
            await _drop(accepted, behaviour)
            return
        certificate = behaviour if behaviour in CERTIFICATE_FAULTS else None
        speaks_tls = tls and behaviour is not Behaviour.PLAIN
        context = self._house.certificates.context(certificate) if speaks_tls else None
        try:
            async with _stream(accepted, context) as (reader, writer):
                connection = Connection(reader, writer, secure=speaks_tls)
                await self._session(service, connection).run()
                await connection.closed(_CLOSING_SECONDS)
        except (OSError, ssl.SSLError) as error:
            _log.info("%s: a client did not finish the TLS handshake: %s", service, error)

    def _session(self, service: Service, connection: Connection) -> Session:
        if service is Service.SMTP:
            return SmtpSession(connection, self._house)
        if service is Service.OAUTH:
            return OAuthSession(connection, self._house, self.issuer)
        return ImapSession(connection, self._house, folders.COMMANDS | messages.COMMANDS)


@asynccontextmanager
async def _stream(
    accepted: socket.socket, context: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Streams over an accepted socket, aborted at the end if they are still open. Raises OSError."""
    loop = asyncio.get_running_loop()
    writers: list[asyncio.StreamWriter] = []
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader, lambda _, writer: writers.append(writer))
    timeout = _HANDSHAKE_SECONDS if context is not None else None
    try:
        await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=context, ssl_handshake_timeout=timeout)
        yield reader, writers[0]
    finally:
        for writer in writers:
            writer.transport.abort()
        if not writers:
            accepted.close()


async def _drop(accepted: socket.socket, behaviour: Behaviour) -> None:
    """Close, reset, fail the handshake, or say nothing until the client gives up."""
    loop = asyncio.get_running_loop()
    with accepted:
        try:
            if behaviour is Behaviour.RESET:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif behaviour is Behaviour.HANDSHAKE_FAILURE:
                await loop.sock_recv(accepted, 16 * 1024)
                await loop.sock_sendall(accepted, HANDSHAKE_FAILURE_ALERT)
            elif behaviour is Behaviour.HANG:
                while await loop.sock_recv(accepted, 16 * 1024):
                    pass
        except OSError as error:
            _log.debug("a client that was to be dropped left first: %s", error)
