"""One connection: TCP, optionally TLS, bounded waits, a transcript that becomes evidence. It speaks no protocol."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from math import inf
from typing import Any, Final

from postroom.core.diagnosis.evidence import Evidence, Failure, Stage, TlsFacts
from postroom.core.mailbox import Account, Security
from postroom.core.ports.wire import OnStep
from postroom.wire import tls as tls_facts
from postroom.wire.dial import dial, encrypt
from postroom.wire.look import answers_tls
from postroom.wire.pipe import Pipe
from postroom.wire.redact import Redaction
from postroom.wire.resolve import Guard, PlaintextRefused, PrivateHost, ascii_host, resolve
from postroom.wire.step import StepReport, reported

__all__ = ["Guard", "PrivateHost", "StepReport", "Stream"]

CHUNK: Final = 64 * 1024
TRANSCRIPT_LINES: Final = 60
TRANSCRIPT_WIDTH: Final = 400
SLOWEST: Final = 1024
"""Bytes a second: a peer that sends slower than this is given up, however steadily it trickles."""


Prelude = Callable[["Stream"], Awaitable[None]]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Stream:
    """One connection. Whatever goes wrong with it is a Failure; after one, or a cancelled wait, it is closed."""

    def __init__(
        self,
        account: Account,
        on_step: OnStep | None = None,
        *,
        timeout: float = 15,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.account = account
        self.timeout = timeout
        self.stage = Stage.DNS
        self.address = ""
        self.tls: TlsFacts | None = None
        self.mechanism: str | None = None
        self.transcript: deque[str] = deque(maxlen=TRANSCRIPT_LINES)
        self.on_step = on_step
        self._now = now
        # A probe is told to somebody who waits: all of its steps together take no longer than one may.
        self._ends = time.monotonic() + timeout if on_step is not None else inf
        self._redaction = Redaction(account.credential)
        self._pipe = Pipe()
        self._aborted = False
        self._left = False

    @classmethod
    async def open(
        cls,
        account: Account,
        guard: Guard,
        on_step: OnStep | None = None,
        *,
        timeout: float = 15,  # noqa: ASYNC109 - seconds for each step, kept by the stream for all later waits
        now: Callable[[], datetime] = _utc_now,
    ) -> Stream:
        """Looks the host up, connects to its addresses in turn, and does TLS where the endpoint asks for it at once.

        Raises Failure with stage dns, connect or tls.
        """
        stream = cls(account, on_step, timeout=timeout, now=now)
        try:
            await stream._connect(await stream._resolve(guard))
            if account.endpoint.security is Security.TLS:
                await stream._handshake()
        except BaseException:
            stream.abort()
            raise
        return stream

    @property
    def _host(self) -> str:
        return ascii_host(self.account.endpoint.host)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written. What came before the end can still be read."""
        return self._aborted or self._pipe.ended

    @property
    def buffered(self) -> bool:
        """Whether bytes wait to be read."""
        return bool(self._pipe.buffer)

    @asynccontextmanager
    async def step(self, name: str, stage: Stage) -> AsyncIterator[StepReport]:
        """One step of a probe: at most `timeout` seconds, reported to `on_step` with what became of it."""
        self.stage = stage
        seconds = min(self.timeout, max(0.0, self._ends - time.monotonic()))
        async with reported(name, self.on_step) as report:
            try:
                async with asyncio.timeout(seconds):
                    yield report
            except TimeoutError as error:
                raise self.silence(round(seconds, 2)) from error

    # Opening

    async def _resolve(self, guard: Guard) -> list[str]:
        endpoint = self.account.endpoint
        async with self.step("resolve", Stage.DNS) as report:
            try:
                if endpoint.security is Security.NONE:
                    guard.check_plaintext(endpoint.host)
                addresses = await resolve(endpoint.host, endpoint.port, guard)
            except (OSError, ValueError, PrivateHost, PlaintextRefused) as error:
                raise self.failure(exception=error) from error
            report.detail = ", ".join(addresses)
        return addresses

    async def _connect(self, addresses: list[str]) -> None:
        async with self.step("connect", Stage.CONNECT) as report:
            last: OSError | None = None
            ends = time.monotonic() + self.timeout
            for number, address in enumerate(addresses, 1):
                self.address = address
                self._pipe = Pipe()  # an attempt that was given up may still end the one it had
                try:
                    # A silent first address must leave time for the next.
                    async with asyncio.timeout((ends - time.monotonic()) / (len(addresses) - number + 1)):
                        await dial(self._pipe, address, self.account.endpoint.port)
                except OSError as error:  # TimeoutError is one
                    last = error
                    continue
                report.detail = f"{address} ({number} of {len(addresses)})"
                return
            if isinstance(last, TimeoutError) and last.errno is None:
                raise self.silence(self.timeout) from last
            raise self.failure(exception=last) from last

    async def start_tls(self, prelude: Prelude | None = None) -> None:
        """TLS from here on (RFC 9051 6.2.1, RFC 3207), after the server has agreed to STARTTLS.

        Bytes that came behind the server's agreement in plain text are an attack (CVE-2011-0411) and a Failure.
        `prelude` speaks the protocol on a fresh connection up to that agreement: it is asked for where the certificate
        was refused and has to be looked at.
        """
        if self._pipe.buffer:
            self.stage = Stage.STARTTLS
            raise self.failure(exception="ProtocolError: the server sent plain text behind its answer to STARTTLS")
        await self._handshake(prelude)

    async def _handshake(self, prelude: Prelude | None = None) -> None:
        async with self.step("tls", Stage.TLS) as report:
            try:
                context = tls_facts.trusting_context(self.account.ca_certificate)
            except ssl.SSLError as error:
                self.tls = TlsFacts(fault="other", detail="the CA certificate given is not a certificate in PEM form")
                raise self.failure(exception=f"SSLError: {self.tls.detail}") from error
            try:
                # A little longer than the step, which ends it with words of its own.
                session = await encrypt(self._pipe, context, self._host, self.timeout + 5)
            except ssl.SSLError as error:
                self.tls = TlsFacts(fault=tls_facts.fault_of(error), detail=_words(error))
                self.tls = await self._looked_at(self.tls, prelude)
                raise self.failure(exception=error) from error
            except OSError as error:
                raise self.failure(exception=f"ConnectionLost: closed during the TLS handshake ({error})") from error
            self.tls = tls_facts.facts_of_session(session)
            report.detail = tls_facts.describe(self.tls, self.account.endpoint.host)

    async def _looked_at(self, bare: TlsFacts, prelude: Prelude | None) -> TlsFacts:
        """One more connection, only to see what was refused: the certificate, or the plain text of a plain port. What
        fails in it changes nothing."""
        if bare.fault == "protocol":
            return bare
        look = Stream(self.account, timeout=self.timeout / 4)
        try:
            async with asyncio.timeout(self.timeout / 3):
                await dial(look._pipe, self.address, self.account.endpoint.port)
                if bare.fault == "plain_port":
                    said = (await look.read_line())[:TRANSCRIPT_WIDTH].decode(errors="replace")
                    return replace(bare, detail=f"{bare.detail}; in plain text the server says: {said}")
                if prelude is not None:
                    await prelude(look)
                session = await encrypt(look._pipe, tls_facts.looking_context(), self._host, self.timeout)
            der = session.getpeercert(binary_form=True)
            seen = tls_facts.facts_of_certificate(der) if der else bare
            return replace(seen, fault=bare.fault, detail=bare.detail, protocol=session.version())
        except (OSError, Failure):
            return bare
        finally:
            look.abort()

    # Reading

    async def first_word(self) -> None:
        """Waits a third of a step for the server to speak first, as mail servers do. Of one that stays silent it is
        seen whether it waits for TLS; Failure where it does."""
        if self.account.endpoint.security is Security.TLS or await self.arrival(self.timeout / 3):
            return
        if await answers_tls(self.address, self.account.endpoint.port, self._host, self.timeout / 3):
            raise self.failure(exception="TlsExpected: silent in plain text, and TLS from the first byte is answered")

    async def read_line(self, limit: int = 65536, *, record: bool = True) -> bytes:
        """The next line without its CRLF (or LF). `record` False keeps a line that may hold message text out of the
        transcript. Raises Failure: closed, silent, or no end of line within `limit` bytes."""
        buffer = self._pipe.buffer
        end = buffer.find(b"\n", 0, limit + 2)
        if end < 0:
            end = await self._line_end(limit)
        line = self._pipe.take(end + 1)
        line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        if record:
            self.record("S", line)
        return line

    async def _line_end(self, limit: int) -> int:
        buffer = self._pipe.buffer
        ends = time.monotonic() + 4 * self.timeout
        searched = 0
        while True:
            end = buffer.find(b"\n", searched, limit + 2)
            if end >= 0:
                return end
            if len(buffer) > limit + 1:
                raise self.failure(exception=f"ProtocolError: a line of more than {limit} bytes")
            searched = len(buffer)
            await self._more(ends)

    async def read_exactly(self, n: int) -> bytes:
        """Exactly `n` bytes, in memory once however many they are. Never in the transcript."""
        if len(self._pipe.buffer) >= n:
            return self._pipe.take(n)
        spool = BytesIO()
        async for chunk in self.read_chunks(n):
            spool.write(chunk)
        return spool.getvalue()

    async def read_chunks(self, n: int) -> AsyncIterator[bytes]:
        """The next `n` bytes in pieces, as they come."""
        ends = time.monotonic() + 4 * self.timeout + n / SLOWEST
        while n:
            if not self._pipe.buffer:
                await self._more(ends)
            chunk = self._pipe.take(min(n, len(self._pipe.buffer)))
            n -= len(chunk)
            yield chunk

    async def arrival(self, seconds: float) -> bool:
        """Waits until something can be read or the connection has ended; False where neither came in `seconds`."""
        return bool(self._pipe.buffer) or self.closed or await self._waited(self._pipe.arrival(seconds))

    async def _more(self, ends: float) -> None:
        if self._pipe.ended or self._aborted:
            raise self.lost()
        seconds = min(self.timeout, max(0.0, ends - time.monotonic()))
        had = len(self._pipe.buffer)
        if not await self._waited(self._pipe.arrival(seconds)):
            raise self.silence(self.timeout)
        if len(self._pipe.buffer) == had:
            raise self.lost()

    async def _waited(self, wait: Awaitable[bool]) -> bool:
        try:
            return await wait
        except asyncio.CancelledError:
            self.abort()  # the conversation cannot be taken up again in the middle
            raise

    # Writing

    async def write(self, data: bytes, *, secret: bool = False) -> None:
        """Writes and waits until the transport can take more. `secret` for credentials and message text: the
        transcript shows three stars. Raises Failure where the connection is lost or nothing moves for four timeouts;
        a slow peer that takes its bytes is waited for."""
        self.record("C", b"***" if secret else data.rstrip(b"\r\n"))
        view = memoryview(data)
        for start in range(0, len(data), CHUNK):
            if self.closed or self._pipe.transport is None:
                raise self.lost()
            self._pipe.transport.write(view[start : start + CHUNK])
            if not await self._waited(self._pipe.drained(4 * self.timeout)):
                raise self.silence(4 * self.timeout)
        if self.closed:
            raise self.lost()

    # Evidence

    def hide(self, secret: str) -> None:
        """Takes one more spelling of the secret out of everything that is kept."""
        self._redaction.add(secret)

    def rest_of(self, line: bytes) -> str:
        """A line that is not what was expected, with what came behind it: at most 2 KB."""
        return b"\n".join((line, bytes(self._pipe.buffer)))[:2048].decode(errors="replace").strip()

    def record(self, who: str, line: bytes) -> None:
        """Adds to the transcript: C for what we said, S for what the server said."""
        text = self._redaction.clean(line[: 4 * TRANSCRIPT_WIDTH].decode(errors="replace"))
        self.transcript.append(f"{who}: {text[:TRANSCRIPT_WIDTH]}")

    def evidence(
        self,
        raw: str = "",
        *,
        exception: BaseException | str | None = None,
        **facts: Any,  # noqa: ANN401 - any field of Evidence
    ) -> Evidence:
        """What was seen, with everything filled in that the connection knows; `facts` are further fields of Evidence.

        Where the server said nothing, `raw` is the exception's words.
        """
        words = _words(exception) if isinstance(exception, BaseException) else exception
        endpoint = self.account.endpoint
        seen = Evidence(
            direction=self.account.direction,
            stage=self.stage,
            raw=self._redaction.clean(raw or words or ""),
            provider=self.account.provider,
            exception=self._redaction.clean(words) if words else None,
            host=endpoint.host,
            port=endpoint.port,
            security=str(endpoint.security),
            address=self.address or None,
            username=endpoint.username,
            mechanism=self.mechanism,
            tls=self.tls,
            seen_at=self._now(),
        )
        return replace(seen, **facts) if facts else seen

    def failure(
        self,
        raw: str = "",
        *,
        exception: BaseException | str | None = None,
        **facts: Any,  # noqa: ANN401 - as for evidence
    ) -> Failure:
        """A Failure with that evidence, to be raised; the connection is closed."""
        failure = Failure(self.evidence(raw, exception=exception, **facts))
        self.abort()
        return failure

    def lost(self, raw: str = "") -> Failure:
        """The Failure of a connection that has ended."""
        why = self._pipe.error
        words = f"the connection broke ({_words(why)})" if why else "the server closed the connection"
        if self._left:
            words = "the connection was closed on our side"
        return self.failure(raw or self._unread(), exception=f"ConnectionLost: {words}")

    def silence(self, seconds: float, raw: str = "") -> Failure:
        """The Failure of a server that does not answer."""
        return self.failure(raw or self._unread(), exception=f"TimeoutError: no answer for {seconds:g} seconds")

    def _unread(self) -> str:
        """The last words of a server that nobody was listening to; not where they may be a message."""
        if self.stage is Stage.FETCH:
            return ""
        return bytes(self._pipe.buffer[:2048]).decode(errors="replace").strip()

    # The end

    def abort(self) -> None:
        """Closes at once. Never raises."""
        if not self._aborted:
            self._left = not self._pipe.ended
        self._aborted = True
        if self._pipe.transport is not None:
            self._pipe.transport.abort()

    async def close(self) -> None:
        """Closes in good order within two seconds. Never raises but CancelledError."""
        try:
            if not self.closed:
                await self._pipe.gone(2)
        finally:
            self.abort()


def _words(error: BaseException | None) -> str:
    """An exception as `TypeName: text`."""
    return f"{type(error).__name__}: {error}" if error is not None else ""
