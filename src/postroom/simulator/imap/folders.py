"""The commands about folders: listing, making, opening, and adding a message to one. Messages in a folder: messages."""

from __future__ import annotations

import re
from collections.abc import Callable

from postroom.simulator.accounts import Account
from postroom.simulator.folder import Folder
from postroom.simulator.imap.command import Arguments, Bad, No
from postroom.simulator.imap.encoding import flag_list, folder_name, parse_date_time
from postroom.simulator.imap.session import Command, ImapSession, State
from postroom.simulator.imap.view import View

_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
_STATUS: dict[str, Callable[[Folder], int]] = {
    "MESSAGES": lambda folder: len(folder.messages),
    "RECENT": lambda folder: sum(uid >= folder.recent_from for uid in folder.messages),
    "UIDNEXT": lambda folder: folder.uid_next,
    "UIDVALIDITY": lambda folder: folder.uid_validity,
    "UNSEEN": lambda folder: folder.unseen,
    "SIZE": lambda folder: folder.size,
}


def account_of(session: ImapSession) -> Account:
    if session.account is None:
        raise Bad("Sign in first")
    return session.account


def existing(session: ImapSession, name: str, code: str = "NONEXISTENT") -> Folder:
    folder = account_of(session).folder(name)
    if folder is None:
        raise No(f"[{code}] There is no such folder")
    return folder


async def _open(session: ImapSession, args: Arguments, *, read_only: bool) -> str:
    session.select(None)  # a failed SELECT leaves no folder selected (RFC 3501 6.3.1)
    args.space()
    folder = existing(session, args.folder())
    args.end()
    view = View(folder, read_only=read_only)
    session.select(view)
    used = {flag for message in folder.messages.values() for flag in message.flags}
    flags = flag_list({*_FLAGS, *used})
    permanent = b"()" if read_only else flags[:-1] + b" \\*)"
    unseen = next((n for n, m in enumerate(folder.messages.values(), 1) if "\\Seen" not in m.flags), None)
    await session.connection.send(
        b"* FLAGS %b\r\n* OK [PERMANENTFLAGS %b] Flags kept\r\n" % (flags, permanent)
        + b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(view.uids), view.recent)
        + (b"* OK [UNSEEN %d] First unseen\r\n" % unseen if unseen else b"")
        + b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % folder.uid_validity
        + b"* OK [UIDNEXT %d] Predicted next UID\r\n" % folder.uid_next
    )
    return "[READ-ONLY] Examined" if read_only else "[READ-WRITE] Selected"


async def select(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    return await _open(session, args, read_only=False)


async def examine(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    return await _open(session, args, read_only=True)


def _words(args: Arguments) -> list[str]:
    args.expect(b"(")
    words: list[str] = []
    while not args.skip(b")"):
        if words:
            args.space()
        words.append(args.keyword())
    return words


def _patterns(args: Arguments) -> list[str]:
    if not args.skip(b"("):
        return [args.list_pattern()]
    patterns = [args.list_pattern()]
    while not args.skip(b")"):
        args.space()
        patterns.append(args.list_pattern())
    return patterns


def _matches(reference: str, patterns: list[str], name: str) -> bool:
    for pattern in patterns:
        wanted = re.sub(r"[*%]*\*[*%]*", "*", reference + pattern)
        expression = "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in wanted)
        if re.fullmatch(expression, name, re.IGNORECASE if name == "INBOX" else re.NOFLAG):
            return True
    return False


def _attributes(account: Account, folder: Folder) -> bytes:
    inside = any(name.startswith(folder.name + "/") for name in account.folders)
    names = ["\\HasChildren" if inside else "\\HasNoChildren"]
    if folder.special_use:
        names.append(folder.special_use)
    if folder.subscribed:
        names.append("\\Subscribed")
    return flag_list(names)


async def list_folders(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    """LIST with the extensions of RFC 5258 (selection, several patterns), RFC 6154 and RFC 5819."""
    account = account_of(session)
    args.space()
    selection = _words(args) if args.at(b"(") else []
    if selection:
        args.space()
    reference = args.folder()
    args.space()
    patterns = _patterns(args)
    status: list[str] = []
    if args.skip(b" "):
        if args.keyword() != "RETURN":
            raise Bad("RETURN expected")
        args.space()
        status = _return_options(args)
    args.end()
    if patterns == [""]:
        await session.connection.send(b'* LIST (\\Noselect) "/" ""\r\n')
        return "Listed"
    for folder in list(account.folders.values()):
        unwanted = ("SUBSCRIBED" in selection and not folder.subscribed) or (
            "SPECIAL-USE" in selection and not folder.special_use
        )
        if unwanted or not _matches(reference, patterns, folder.name):
            continue
        line = b'* LIST %b "/" %b\r\n' % (_attributes(account, folder), folder_name(folder.name))
        await session.connection.send(line + (_status_line(folder, status) if status else b""))
    return "Listed"


def _return_options(args: Arguments) -> list[str]:
    """The STATUS items asked for; all other options are given anyway."""
    status: list[str] = []
    args.expect(b"(")
    while not args.skip(b")"):
        args.skip(b" ")
        if args.keyword() == "STATUS":
            args.space()
            status = _status_items(args)
    return status


async def lsub(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.space()
    reference = args.folder()
    args.space()
    patterns = _patterns(args)
    args.end()
    for folder in account_of(session).folders.values():
        if folder.subscribed and _matches(reference, patterns, folder.name):
            await session.connection.send(b'* LSUB () "/" %b\r\n' % folder_name(folder.name))
    return "Listed"


def _status_items(args: Arguments) -> list[str]:
    items = _words(args)
    for item in items:
        if item not in _STATUS:
            raise Bad(f"{item} is not a STATUS item of this server")
    return items


def _status_line(folder: Folder, items: list[str]) -> bytes:
    values = " ".join(f"{item} {_STATUS[item](folder)}" for item in items)
    return b"* STATUS %b (%b)\r\n" % (folder_name(folder.name), values.encode())


async def status(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    args.space()
    folder = existing(session, args.folder())
    args.space()
    items = _status_items(args)
    args.end()
    await session.connection.send(_status_line(folder, items))
    return "Status given"


def _one_name(args: Arguments) -> str:
    args.space()
    name = args.folder()
    args.end()
    return name


async def create(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    account, name = account_of(session), _one_name(args).rstrip("/")
    if not name or account.folder(name) is not None:
        raise No("[ALREADYEXISTS] The folder exists already" if name else "[CANNOT] A folder needs a name")
    session.house.accounts.add_folder(account, name)
    return "Created"


async def delete(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    folder = existing(session, _one_name(args))
    if folder.name == "INBOX":
        raise No("[CANNOT] INBOX cannot be deleted")
    del account_of(session).folders[folder.name]
    return "Deleted"


async def rename(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    account = account_of(session)
    args.space()
    folder = existing(session, args.folder())
    new = _one_name(args)
    if folder.name == "INBOX":
        raise No("[CANNOT] INBOX cannot be renamed here")
    if not new or account.folder(new) is not None:
        raise No("[ALREADYEXISTS] The folder exists already")
    old = folder.name
    for name in [name for name in account.folders if name == old or name.startswith(old + "/")]:
        moved = account.folders.pop(name)
        moved.name = new + name[len(old) :]
        account.folders[moved.name] = moved
    return "Renamed"


async def subscribe(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    existing(session, name := _one_name(args)).subscribed = True
    return f"Subscribed to {'INBOX' if name.upper() == 'INBOX' else 'the folder'}"


async def unsubscribe(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    existing(session, _one_name(args)).subscribed = False
    return "Unsubscribed"


async def namespace(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    await session.connection.send(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return "Namespaces given"


async def append(session: ImapSession, args: Arguments, by_uid: bool) -> str:
    """One message (RFC 3501 6.3.11), answered with its UID (RFC 4315). MULTIAPPEND is not offered."""
    account = account_of(session)
    args.space()
    folder = existing(session, args.folder(), "TRYCREATE")
    args.space()
    flags: list[str] = []
    moment = session.house.accounts.now()
    if args.at(b"("):
        flags = args.flags()
        args.space()
    if args.at(b'"'):
        try:
            moment = parse_date_time(args.text())
        except (ValueError, OverflowError) as error:
            raise Bad(str(error)) from None
        args.space()
    raw = args.literal()
    args.end()
    if not account.has_room_for(len(raw)):
        raise No("[OVERQUOTA] The mailbox is full")
    message = folder.add(raw, moment, flags)
    return f"[APPENDUID {folder.uid_validity} {message.uid}] Appended"


COMMANDS = {
    "SELECT": Command(select, State.AUTHENTICATED, "select"),
    "EXAMINE": Command(examine, State.AUTHENTICATED, "select"),
    "LIST": Command(list_folders, State.AUTHENTICATED, "list"),
    "LSUB": Command(lsub, State.AUTHENTICATED, "list"),
    "STATUS": Command(status, State.AUTHENTICATED),
    "CREATE": Command(create, State.AUTHENTICATED),
    "DELETE": Command(delete, State.AUTHENTICATED),
    "RENAME": Command(rename, State.AUTHENTICATED),
    "SUBSCRIBE": Command(subscribe, State.AUTHENTICATED),
    "UNSUBSCRIBE": Command(unsubscribe, State.AUTHENTICATED),
    "NAMESPACE": Command(namespace, State.AUTHENTICATED),
    "APPEND": Command(append, State.AUTHENTICATED, "append"),
}
