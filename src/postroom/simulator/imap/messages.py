"""The commands about messages in the selected folder, and those of every state. Folders themselves: folders."""

from __future__ import annotations

from collections.abc import Iterable

from postroom.simulator.folder import StoredMessage, canonical_flags
from postroom.simulator.imap.command import Arguments, Bad, No
from postroom.simulator.imap.encoding import flag_list, uid_set
from postroom.simulator.imap.fetch import Item, answer, read_items
from postroom.simulator.imap.folders import account_of, existing
from postroom.simulator.imap.search import read_criteria
from postroom.simulator.imap.session import Command, ImapSession, State
from postroom.simulator.imap.view import View
from postroom.simulator.session import first


def _view(session: ImapSession) -> View:
    if session.view is None:
        raise Bad("Select a folder first")
    return session.view


def _writable(session: ImapSession) -> View:
    view = _view(session)
    if view.read_only:
        raise No("[READ-ONLY] The folder was opened with EXAMINE")
    return view


async def fetch(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    view = _view(session)
    args.space()
    chosen = args.sequence_set()
    args.space()
    items = read_items(args, by_uid=by_uid)
    args.end()
    marks_seen = not view.read_only and any(not item.peek for item in items)
    for number, message in view.select(chosen, by_uid=by_uid):
        wanted = items
        if marks_seen and "\\Seen" not in message.flags:
            view.folder.set_flags(message.uid, {*message.flags, "\\Seen"})
            session.told.add(message.uid)
            if not any(item.label == "FLAGS" for item in items):
                wanted = [*items, Item("FLAGS")]
        data = answer(message, wanted, recent=view.is_recent(message))
        await session.connection.send(b"* %d FETCH %b\r\n" % (number, data))
    return "Fetched"


async def search(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    view = _view(session)
    args.space()
    fits = read_criteria(args, view)
    messages = view.folder.messages
    found = [
        uid if by_uid else number for number, uid in enumerate(view.uids, 1) if uid in messages and fits(messages[uid])
    ]
    await session.connection.send(" ".join(["* SEARCH", *map(str, found)]).encode() + b"\r\n")
    return "Searched"


async def store(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    view = _writable(session)
    args.space()
    chosen = args.sequence_set()
    args.space()
    item = args.keyword()
    args.space()
    flags = canonical_flags(args.flags())
    args.end()
    sign = item[0] if item[0] in "+-" else ""
    if item.removeprefix(sign) not in ("FLAGS", "FLAGS.SILENT"):
        raise Bad(f"{item} cannot be stored")
    folded = {flag.casefold() for flag in flags}
    for number, message in view.select(chosen, by_uid=by_uid):
        kept = {flag for flag in message.flags if flag.casefold() not in folded}
        new = flags if not sign else kept | flags if sign == "+" else kept
        view.folder.set_flags(message.uid, new)
        session.told.add(message.uid)
        if not item.endswith(".SILENT"):
            shown = message.flags | {"\\Recent"} if view.is_recent(message) else message.flags
            uid = b"UID %d " % message.uid if by_uid else b""
            await session.connection.send(b"* %d FETCH (%bFLAGS %b)\r\n" % (number, uid, flag_list(shown)))
    return "Stored"


async def expunge(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    """EXPUNGE, or UID EXPUNGE of a set (RFC 4315). The session is told with the other updates."""
    view = _writable(session)
    uids = view.uids
    if by_uid:
        args.space()
        uids = args.sequence_set().of(view.uids)
    args.end()
    _expunge_deleted(view, uids)
    return "Expunged"


def _expunge_deleted(view: View, uids: Iterable[int]) -> None:
    messages = view.folder.messages
    view.folder.expunge([uid for uid in uids if uid in messages and "\\Deleted" in messages[uid].flags])


def _copy(session: ImapSession, args: Arguments, by_uid: bool) -> tuple[list[StoredMessage], str]:
    """Copy what the arguments name; returns the originals and the COPYUID code (RFC 4315)."""
    view = _view(session)
    args.space()
    chosen = args.sequence_set()
    args.space()
    target = existing(session, args.folder(), "TRYCREATE")
    args.end()
    originals = [message for _, message in view.select(chosen, by_uid=by_uid)]
    if not account_of(session).has_room_for(sum(len(message.raw) for message in originals)):
        raise No("[OVERQUOTA] The mailbox is full")
    copies = [target.add(message.raw, message.internal_date, message.flags) for message in originals]
    if not copies:
        return originals, ""
    source, copied = (uid_set(message.uid for message in group).decode() for group in (originals, copies))
    return originals, f"[COPYUID {target.uid_validity} {source} {copied}] "


async def copy(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    return f"{_copy(session, args, by_uid)[1]}Copied"


async def move(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    view = _writable(session)
    originals, code = _copy(session, args, by_uid)
    if originals:
        await session.connection.send(f"* OK {code}Moved\r\n".encode())
        view.folder.expunge(message.uid for message in originals)
    return "Moved"


async def idle(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    """RFC 2177. Changes are pushed at once."""
    if not account_of(session).idle:
        raise Bad("IDLE is not offered")
    args.end()
    connection = session.connection
    await connection.send(b"+ idling\r\n")
    while True:
        await connection.send(session.updates())
        if not connection.has_input:
            await first(connection.wait_for_input(), session.changed.wait())
        if connection.has_input:
            if (await connection.read_line()).strip().upper() != b"DONE":
                raise Bad("DONE expected")
            return "Idled"


async def close(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    view = _view(session)
    args.end()
    if not view.read_only:
        _expunge_deleted(view, view.uids)
    session.select(None)
    return "Closed"


async def unselect(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.end()
    session.select(None)
    return "Unselected"


async def capability(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.end()
    await session.connection.send(f"* CAPABILITY {session.capabilities()}\r\n".encode())
    return "Capabilities given"


async def noop(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.end()
    return "Done"


async def client_id(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    """RFC 2971. What the client says of itself is not kept."""
    await session.connection.send(b'* ID ("name" "Postroom simulator")\r\n')
    return "Identified"


async def enable(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    """RFC 5161. There is nothing that could be enabled, which is a valid answer."""
    await session.connection.send(b"* ENABLED\r\n")
    return "Enabled"


async def logout(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.end()
    await session.connection.send(session.goodbye("Logging out"))
    session.select(None)
    return "Logged out"


async def starttls(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.end()
    if session.connection.secure or not session.offered("STARTTLS"):
        raise Bad("STARTTLS is not offered")
    session.begin_tls()
    return "Begin TLS"


COMMANDS = {
    "CAPABILITY": Command(capability, State.ANY, "capability"),
    "NOOP": Command(noop, State.ANY, "noop"),
    "ID": Command(client_id, State.ANY),
    "LOGOUT": Command(logout, State.ANY, "logout"),
    "STARTTLS": Command(starttls, State.NOT_AUTHENTICATED, "starttls"),
    "ENABLE": Command(enable, State.AUTHENTICATED),
    "CHECK": Command(noop, State.SELECTED),
    "FETCH": Command(fetch, State.SELECTED, "fetch", expunges=False),
    "STORE": Command(store, State.SELECTED, "store", expunges=False),
    "SEARCH": Command(search, State.SELECTED, "search", expunges=False),
    "EXPUNGE": Command(expunge, State.SELECTED),
    "COPY": Command(copy, State.SELECTED),
    "MOVE": Command(move, State.SELECTED),
    "IDLE": Command(idle, State.AUTHENTICATED, "idle"),
    "CLOSE": Command(close, State.SELECTED),
    "UNSELECT": Command(unselect, State.SELECTED),
}
