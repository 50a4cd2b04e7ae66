"""Commands out, responses in, on one stream: framing, tags, news, a refusal's evidence. It knows no command by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from postroom.core.diagnosis.evidence import Failure, Stage
from postroom.wire.imap.grammar import Continuation, Data, Response, Status, literal_behind, parse, without_announcement
from postroom.wire.imap.spool import SPOOLED, spool
from postroom.wire.imap.tokens import Piece, Unparsable
from postroom.wire.stream import Stream

LONGEST_LINE: Final = 1024 * 1024
LARGEST_RESPONSE: Final = 256 * 1024 * 1024
MOST_LITERALS: Final = 1000
LONGEST_QUOTED: Final = 400
SMALL_LITERAL: Final = 64 * 1024
"""Up to this size a literal is sent without asking, where the server allows that (LITERAL+, RFC 7888)."""
LITERAL_MINUS: Final = 4096
"""The same under LITERAL- (RFC 7888 5), which IMAP4rev2 has in it."""

OnData = Callable[[Data], None]


class Dialogue:
    """One IMAP connection. One exchange at a time; a Failure closes the stream.

    `exists` is how many messages the selected folder has; `news` that it changed since `news` was last taken away.
    `examined` is the folder that is open for reading only. `names` are the server's names of folders that people call
    otherwise. `utf8`: names go and come in UTF-8 (RFC 6855).
    """

    def __init__(self, stream: Stream, folder: Path | None = None) -> None:
        """`folder` is where big literals are spooled; None: where temporary files are."""
        self.stream = stream
        self.folder = folder
        self.capabilities: frozenset[str] = frozenset()
        self.exists = 0
        self.recent = 0
        self.news = False
        self.leaving = False
        self.utf8 = False
        self.examined: str | None = None
        self.names: dict[str, str] = {}
        self.on_status: Callable[[Status], object] | None = None
        self._folder: str | None = None
        self._tags = count(1)
        self._notable: list[Status] = []

    def begin(self, stage: Stage, folder: str | None = None) -> None:
        """A new exchange: what fails from here on has this stage and folder."""
        self.stream.stage = stage
        self._folder = folder
        self._notable = []

    # Out

    async def send(self, words: bytes, *, secret: bool = False) -> str:
        """Writes a command and gives its tag."""
        tag = f"p{next(self._tags)}"
        await self._write(tag.encode() + b" " + words + b"\r\n", secret=secret)
        return tag

    async def _write(self, data: bytes, *, secret: bool) -> None:
        try:
            await self.stream.write(data, secret=secret)
        except Failure:
            if not self.stream.buffered:
                raise
            # The server has left and said why: that is read next, and fails with better words.

    async def send_literals(self, parts: Sequence[bytes], *, secret: bool = False) -> str | Status:
        """Like `send`, of text, literal, text … text: the tag, or the status with which the server would not go on."""
        tag = f"p{next(self._tags)}"
        text = tag.encode() + b" " + parts[0]
        for literal, following in zip(parts[1::2], parts[2::2], strict=True):
            at_once = self._without_asking(len(literal))
            await self._write(text + b"{%d%s}\r\n" % (len(literal), b"+" if at_once else b""), secret=secret)
            if not at_once:
                refused = await self.continuation(tag)
                if isinstance(refused, Status):
                    return refused
            await self._write(literal, secret=True)
            text = following
        await self._write(text + b"\r\n", secret=secret)
        return tag

    def _without_asking(self, size: int) -> bool:
        small = bool(self.capabilities & {"LITERAL-", "IMAP4REV2"}) and size <= LITERAL_MINUS
        return small or ("LITERAL+" in self.capabilities and size <= SMALL_LITERAL)

    # In

    async def response(self) -> Response:
        """The next response; what any response may bring (news, capabilities, BYE) is taken note of.

        Raises Failure for BYE (unless we are leaving), for what is no IMAP, and as the stream does.
        """
        line = b""
        try:
            line = await self.stream.read_line(LONGEST_LINE, record=False)
            pieces = await self._pieces(line)
            response = parse(pieces)
            if isinstance(response, Data):
                self._note_data(response)
        except Unparsable as error:
            raise self.nonsense(str(error), line) from error
        except Failure as failure:
            raise self._with_notable(failure) from failure
        if isinstance(response, Status):
            await self.take_note(response)
        return response

    async def _pieces(self, line: bytes) -> Sequence[Piece]:
        size = literal_behind(line)
        if size is None:
            return (line,)
        pieces: list[Piece] = []
        total = 0
        while size is not None:
            total += size
            if total > LARGEST_RESPONSE or len(pieces) > 2 * MOST_LITERALS:
                raise Unparsable(f"a response of more than {LARGEST_RESPONSE // 2**20} MiB or {MOST_LITERALS} literals")
            pieces += (without_announcement(line), await self._literal(size))
            line = await self.stream.read_line(LONGEST_LINE, record=False)
            size = literal_behind(line)
        pieces.append(line)
        return pieces

    async def _literal(self, size: int) -> Piece:
        if size < SPOOLED:
            return await self.stream.read_exactly(size)
        try:
            return await spool(self.stream.read_chunks(size), size, self.folder)
        except OSError as error:
            raise self.stream.failure(exception=error) from error

    def _note_data(self, data: Data) -> None:
        if data.name == "FETCH":
            return
        self.stream.record("S", f"* {data.number or ''} {data.name}".replace("  ", " ").encode())
        if data.name == "EXISTS" and data.number is not None:
            # Some servers repeat the number at every IDLE: only another number is news.
            self.news = self.news or data.number != self.exists
            self.exists = data.number
        elif data.name == "RECENT" and data.number is not None:
            self.news = self.news or (data.number != self.recent and data.number > 0)
            self.recent = data.number
        elif data.name == "EXPUNGE":
            self.news = True
            self.exists = max(0, self.exists - 1)
        elif data.name == "VANISHED":
            self.news = True
        elif data.name == "CAPABILITY":
            self.capabilities = frozenset(str(token).upper() for token in data.tokens() if isinstance(token, str))

    async def take_note(self, status: Status) -> None:
        """Keeps what a status says beyond its exchange. Raises Failure for BYE, unless we are leaving."""
        self.stream.record("S", status.line.encode())
        if status.code == "CAPABILITY":
            self.capabilities = frozenset(status.argument.upper().split())
        if self.on_status is not None:
            self.on_status(status)
        if status.untagged and (status.word in ("NO", "BAD", "BYE") or status.code == "ALERT"):
            self._notable.append(status)
            if status.word == "BYE" and not self.leaving:
                raise await self._farewell(status)

    async def _farewell(self, bye: Status) -> Failure:
        """BYE: what the server still says within a second, and the Failure."""
        lines = [*(one.line for one in self._notable)]
        self.leaving = True
        try:
            async with asyncio.timeout(1):
                # What follows while fetching may be a message.
                while len(lines) < 20 and self.stream.stage is not Stage.FETCH:
                    lines.append((await self.stream.read_line()).decode(errors="replace"))
        except (Failure, TimeoutError):
            pass
        return self._failure("\n".join(lines), status="BYE", code=bye.code or self._notable_code())

    # Exchanges

    async def continuation(self, tag: str) -> Continuation | Status:
        """Waits for "+"; gives the status where the command was over without it."""
        while True:
            response = await self.response()
            if isinstance(response, Continuation) or (isinstance(response, Status) and response.tag == tag):
                return response

    async def result(self, tag: str, on_data: OnData | None = None) -> Status:
        """Reads until the command's own status, whatever it is, and hands the data on the way to `on_data`."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + 10 * self.stream.timeout
        while True:
            response = await self.response()
            if isinstance(response, Status) and response.tag == tag:
                return response
            if isinstance(response, Data) and on_data is not None:
                try:
                    on_data(response)
                except Unparsable as error:
                    raise self.nonsense(str(error)) from error
            elif isinstance(response, Continuation):
                raise self.nonsense("the server asks for more where nothing is missing")
            if loop.time() > ends:
                raise self.stream.silence(10 * self.stream.timeout)

    async def ask(self, words: bytes, on_data: OnData | None = None) -> Status:
        """A whole command: its status, whatever it is."""
        return await self.result(await self.send(words), on_data)

    async def must(self, words: bytes, on_data: OnData | None = None) -> Status:
        """A whole command that has to succeed. Raises Failure."""
        return self.accepted(await self.ask(words, on_data))

    def accepted(self, status: Status) -> Status:
        """Raises the refusal where it is one."""
        if status.word != "OK":
            raise self.refusal(status)
        return status

    # Failures

    def refusal(self, status: Status, challenge: str | None = None) -> Failure:
        """NO or BAD: every line of the exchange that says why."""
        raw = "\n".join([*(one.line for one in self._notable), status.line])
        return self._failure(raw, status=status.word, code=status.code or self._notable_code(), challenge=challenge)

    def nonsense(self, what: str, line: bytes = b"") -> Failure:
        """The Failure of a server that speaks no IMAP; `line` is what it said, quoted unless it may be a message."""
        lines = [one.line for one in self._notable]
        if line and self.stream.stage is not Stage.FETCH:
            lines.append(line[:LONGEST_QUOTED].decode(errors="replace"))
        return self._failure("\n".join(lines), exception=f"ProtocolError: {what}")

    def _failure(
        self,
        raw: str,
        *,
        status: str | None = None,
        code: str | None = None,
        exception: str | None = None,
        challenge: str | None = None,
    ) -> Failure:
        return self.stream.failure(
            raw, exception=exception, status=status, response_code=code, challenge=challenge, folder=self._folder
        )

    def _with_notable(self, failure: Failure) -> Failure:
        """A lost connection is better understood with what the server said before."""
        seen = failure.evidence
        raw = "\n".join([*(one.line for one in self._notable), *([seen.raw] if seen.raw != seen.exception else [])])
        return self._failure(raw, exception=seen.exception, code=self._notable_code())

    def _notable_code(self) -> str | None:
        codes = [one.code for one in self._notable if one.code]
        return codes[-1] if codes else None
