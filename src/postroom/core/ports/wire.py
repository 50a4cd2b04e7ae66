"""What flows ask of the protocols: IMAP, SMTP, webhooks, discovery, OAuth. It holds no code of theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from postroom.core.budget import Told
from postroom.core.cursor import Selected, Sized
from postroom.core.diagnosis.evidence import Evidence, TlsFacts
from postroom.core.discovered import Discovered
from postroom.core.mailbox import Account, Direction
from postroom.core.oauth.request import OAuthRequest
from postroom.core.uids import Uids


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a probe: `name` is resolve, connect, tls, greeting, capabilities, starttls, sign_in, select, rights
    or sender; token where no access token was to be had; of a round trip: send, arrive or remove.

    `detail` says what came back, in a line; `milliseconds` how long it took; `evidence` is there when it failed.
    """

    name: str
    ok: bool
    detail: str
    milliseconds: float
    evidence: Evidence | None = None


OnStep = Callable[[Step], None]


class Spooled(Protocol):
    """The bytes of a message too big to be in memory while others come: on disk until they are read."""

    def __len__(self) -> int: ...

    def read(self) -> bytes:
        """All of them, once. Blocking: for a thread."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as the server gave it: exact bytes, those of a big one on disk."""

    uid: int
    raw: bytes | Spooled = field(repr=False)
    internal_date: datetime | None = None
    flags: frozenset[str] = frozenset()
    thread: str | None = None
    """The provider's own name for the conversation that it belongs to (X-GM-THRID, THREADID); None where none."""

    def whole(self) -> bytes:
        """The bytes, once; blocking where they lie on disk."""
        return self.raw if isinstance(self.raw, bytes) else self.raw.read()


class Idled(StrEnum):
    """Why waiting ended."""

    NEWS = "news"  # EXISTS, RECENT, EXPUNGE or FETCH came
    RENEW = "renew"  # the time to renew is over


class ImapSession(Protocol):
    """A signed-in IMAP session. Every method raises Failure with evidence (stage as named) and then is closed.

    Every wait is bounded; a server that falls silent is a Failure with `exception` "TimeoutError: …".
    """

    @property
    def capabilities(self) -> frozenset[str]:
        """As announced after sign-in, in capitals."""
        ...

    @property
    def tls(self) -> TlsFacts | None:
        """What the handshake showed; None without TLS."""
        ...

    @property
    def closed(self) -> bool: ...

    @property
    def news(self) -> bool:
        """Whether the server has announced something in the selected folder since `sizes`, `idle` or `noop`."""
        ...

    async def select(self, folder: str, *, read_only: bool = True) -> Selected:
        """SELECT, or EXAMINE when read_only (stage select). `folder` is Unicode; wire encodes it."""
        ...

    async def status(self, folder: str) -> Selected | None:
        """STATUS of a folder, while another one stays selected; None where the server will not say."""
        ...

    async def sizes(self, first_uid: int) -> list[Sized]:
        """UID FETCH first:* (UID RFC822.SIZE) of the selected folder, ascending, only UIDs >= first_uid."""
        ...

    async def sizes_of(self, uids: Uids) -> list[Sized]:
        """UID FETCH (UID RFC822.SIZE) of these, ascending; those that the folder does not have are missing."""
        ...

    async def uids(self, among: Uids | None = None, since: date | None = None) -> Uids:
        """UID SEARCH: what the selected folder has, of those `among` which is asked; without what the server took in on
        an earlier day than `since`, where it can tell."""
        ...

    def fetch(self, uids: Sequence[int]) -> AsyncIterator[Fetched]:
        """UID FETCH (UID FLAGS INTERNALDATE BODY.PEEK[]), with the thread where the server names it: each as it
        arrives; expunged UIDs are just missing."""
        ...

    async def part(self, uid: int, begin: int, size: int) -> Fetched | None:
        """UID FETCH (… BODY.PEEK[]<begin.size>): so many bytes of a message from `begin` on, fewer at its end; None
        where it is not there."""
        ...

    async def idle(self, seconds: float) -> Idled:
        """IDLE (RFC 2177) until there is news or `seconds` have passed; ends with DONE. Only where offered."""
        ...

    async def noop(self) -> Idled:
        """NOOP; says whether news came with it."""
        ...

    async def sent_folder(self) -> str | None:
        """The Sent folder: SPECIAL-USE \\Sent (RFC 6154), else by its usual names, else None."""
        ...

    async def junk_folder(self) -> str | None:
        """The Junk folder: SPECIAL-USE \\Junk (RFC 6154), else by its usual names, else None."""
        ...

    async def rights(self, folder: str) -> str | None:
        """What we may do in `folder`: the letters of MYRIGHTS (RFC 4314 2.1); None where the server does not say."""
        ...

    async def create(self, folder: str) -> None: ...

    async def remove(self, folder: str, message_id: str) -> bool:
        """Deletes the messages with this Message-ID (stage append). False, with nothing changed, where there is none
        or the server cannot delete it alone (UIDPLUS, RFC 4315)."""
        ...

    async def find(self, folder: str, message_id: str) -> list[int]:
        """UIDs in `folder` whose Message-ID header is this (without angle brackets). Selects the folder."""
        ...

    async def append(self, folder: str, raw: bytes, flags: Sequence[str], at: datetime) -> None:
        """APPEND (stage append)."""
        ...

    async def logout(self) -> None:
        """LOGOUT and close; never raises."""
        ...

    def abort(self) -> None:
        """Close at once; never raises."""
        ...


class ImapWire(Protocol):
    """Opens IMAP sessions: name lookup, connect, TLS, greeting, capabilities, sign-in."""

    async def open(self, account: Account, on_step: OnStep | None = None) -> ImapSession:
        """Raises Failure with the evidence of the step that failed, within 15 seconds a step; with `on_step`, which
        is a probe, within 15 seconds in all."""
        ...

    async def reach(self, account: Account, on_step: OnStep | None = None) -> None:
        """Every step before the sign-in. Raises as `open` does."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321 MAIL FROM and RCPT TO. `utf8` asks for SMTPUTF8 (RFC 6531)."""

    sender: str
    recipients: tuple[str, ...]
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 4.2) with all its lines, as evidence where it refuses."""

    code: int
    text: str
    evidence: Evidence | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered to one message. `sender` to MAIL; `recipients` to each RCPT; `data` the last word, None
    where it never came to DATA (MAIL or all RCPT refused)."""

    sender: Reply
    recipients: dict[str, Reply]
    data: Reply | None


class SmtpSession(Protocol):
    """A signed-in SMTP session (RFC 5321, 4954)."""

    @property
    def told(self) -> Told:
        """The limits that EHLO named, after the sign-in's last EHLO."""
        ...

    @property
    def tls(self) -> TlsFacts | None:
        """What the handshake showed; None without TLS."""
        ...

    @property
    def closed(self) -> bool: ...

    async def send(self, envelope: Envelope, raw: bytes, before_data: Callable[[], Awaitable[bool]]) -> Answer:
        """One message. `before_data` is awaited before the first byte of the message is written: it commits that the
        message is being handed over; where it returns False the transaction is given up with RSET and Failure raised.

        Raises Failure where the session failed before the final dot was written (safe to send again), Unanswered after.
        A refusal is no failure: it is in the answer. Size and SMTPUTF8 that the server cannot take are refused here
        with a Reply of 552 or 553 made by us.
        """
        ...

    async def offer(self, sender: str, recipient: str) -> Answer:
        """What the server says to this envelope, which is then withdrawn (RSET): no message. `data` is None."""
        ...

    async def noop(self) -> None: ...

    async def quit(self) -> None:
        """QUIT and close; never raises."""
        ...

    def abort(self) -> None: ...


class SmtpWire(Protocol):
    """Opens SMTP sessions: name lookup, connect, TLS, greeting, EHLO, sign-in."""

    async def open(self, account: Account, on_step: OnStep | None = None) -> SmtpSession:
        """Raises Failure with the evidence of the step that failed, within 15 seconds a step; with `on_step`, which
        is a probe, within 15 seconds in all."""
        ...

    async def reach(self, account: Account, on_step: OnStep | None = None) -> None:
        """Every step before the sign-in. Raises as `open` does."""
        ...


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a webhook's receiver answered; `status` is None where no answer came."""

    status: int | None
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class WebhookWire(Protocol):
    """Posts events, signed as the Standard Webhooks specification says."""

    async def post(self, url: str, secret: str, event_id: str, at: datetime, body: bytes) -> CallResult:
        """Never raises; within 15 seconds. Redirects are not followed; private addresses are refused unless allowed."""
        ...


class DiscoveryWire(Protocol):
    """Finds settings: provider table, autoconfig, SRV (RFC 6186, 8314), MX of a known provider, guesses."""

    async def discover(self, address: str) -> Discovered:
        """Best first, in parallel, each way bounded (5 seconds); never raises for what the network does. With every
        lookup that was made, so that a misspelt domain is told apart from a name server that is down."""
        ...


class OAuthWire(Protocol):
    """Asks authorization servers: token, device and userinfo endpoints, discovery metadata."""

    async def ask(self, request: OAuthRequest, direction: Direction = Direction.IMAP) -> str:
        """The body of an answer of success, at most 1 MB, within 15 seconds; redirects are not followed.

        Raises Failure, stage oauth: no answer, or one that is no success, its body in `raw` (without our secrets) and
        its HTTP status in `status`. `direction` is for whose sake is asked.
        """
        ...
