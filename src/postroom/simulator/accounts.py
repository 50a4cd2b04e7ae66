"""The accounts of the simulated provider: who may sign in, their folders, what they sent. All of it in memory only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from itertools import count
from typing import TypedDict, Unpack

from postroom.simulator.fault import FieldError, NotThere
from postroom.simulator.folder import Folder, StoredMessage, read_headers
from postroom.simulator.sasl import Credentials

SPECIAL_USE = {"Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk"}
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f]+@[^\s@<>\x00-\x1f]+")


class _Options(TypedDict, total=False):
    access_token: str | None
    saves_sent: bool
    idle: bool
    threads: bool
    quota: int | None
    connection_limit: int | None


class AccountOptions(_Options, total=False):
    """What may be said of a new account; see Account."""

    folders: Iterable[str]


class AccountChanges(_Options, total=False):
    """What may be changed of an account; see Account."""

    password: str


class Composed(TypedDict, total=False):
    """What a composed message is made from."""

    sender: str
    subject: str
    text: str
    message_id: str
    in_reply_to: str


class OverQuota(Exception):
    """The account has no room for the message."""


@dataclass(slots=True)
class Account:
    """One account. `quota` is in bytes; `connection_limit` counts IMAP sessions; None is without limit.

    `saves_sent`: what is sent over SMTP is put into Sent by the provider. `idle`: whether IDLE is offered. `threads`:
    whether messages bear Gmail's thread (X-GM-EXT-1), which goes by the subject alone here.
    `access_token` is taken by XOAUTH2 and OAUTHBEARER beside those that the authorization server gave.
    """

    address: str
    password: str = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    saves_sent: bool = False
    idle: bool = True
    threads: bool = False
    quota: int | None = None
    connection_limit: int | None = None
    folders: dict[str, Folder] = field(default_factory=dict, repr=False)

    def accepts(self, credentials: Credentials) -> bool:
        expected = self.access_token if credentials.is_token else self.password
        return expected is not None and credentials.secret == expected

    def folder(self, name: str) -> Folder | None:
        """INBOX in any case (RFC 9051 5.1), all other names as they are."""
        return self.folders.get("INBOX" if name.upper() == "INBOX" else name)

    @property
    def size(self) -> int:
        return sum(folder.size for folder in self.folders.values())

    def has_room_for(self, size: int) -> bool:
        return self.quota is None or self.size + size <= self.quota


@dataclass(slots=True)
class Submission:
    """One message accepted over SMTP. `local` recipients got it into INBOX; `remote` ones are outside."""

    number: int
    account: str
    sender: str
    local: list[str]
    remote: list[str]
    raw: bytes = field(repr=False)
    accepted_at: datetime
    message_id: str
    subject: str


class Accounts:
    """All accounts, and the outbox: everything accepted over SMTP, in order."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.by_address: dict[str, Account] = {}
        self.outbox: list[Submission] = []
        self._uid_validities: Iterator[int] = count(1)
        self._composed: Iterator[int] = count(1)

    def create(
        self, address: str, password: str, folders: Iterable[str] = tuple(SPECIAL_USE), **options: Unpack[_Options]
    ) -> Account:
        """A new account with INBOX and these folders; well-known names get their special use (RFC 6154).
        Raises FieldError."""
        if not _ADDRESS.fullmatch(address):
            raise FieldError("address", f"{address!r} is not an address like anna@example.org")
        if address.casefold() in self.by_address:
            raise FieldError("address", f"{address} exists already")
        account = Account(address, password, **options)
        for name in ("INBOX", *folders):
            self.add_folder(account, name)
        self.by_address[address.casefold()] = account
        return account

    def change(self, address: str, **changes: Unpack[AccountChanges]) -> Account:
        """Raises NotThere, and FieldError for what cannot be changed."""
        account = self.get(address)
        for name, value in changes.items():
            if name not in AccountChanges.__annotations__:
                raise FieldError(name, f"cannot be changed; these can: {', '.join(AccountChanges.__annotations__)}")
            setattr(account, name, value)
        return account

    def add_folder(self, account: Account, name: str) -> Folder:
        folder = Folder(name, next(self._uid_validities), SPECIAL_USE.get(name))
        account.folders[name] = folder
        return folder

    def renumber(self, folder: Folder) -> None:
        folder.renumber(next(self._uid_validities))

    def find(self, address: str) -> Account | None:
        return self.by_address.get(address.casefold())

    def get(self, address: str) -> Account:
        """Raises NotThere where there is no such account."""
        if (account := self.find(address)) is None:
            raise NotThere("address", f"there is no account {address}")
        return account

    def deliver(self, account: Account, raw: bytes) -> StoredMessage:
        """Into INBOX, pushed to whoever idles there. Raises OverQuota."""
        if not account.has_room_for(len(raw)):
            raise OverQuota
        return account.folders["INBOX"].add(raw, self.now())

    def submit(self, account: Account, sender: str, recipients: list[str], raw: bytes) -> Submission:
        """Accept a message over SMTP: deliver what is ours, record all, save it to Sent where wanted."""
        local = [found for address in recipients if (found := self.find(address)) is not None]
        for receiver in {id(found): found for found in local}.values():
            receiver.folders["INBOX"].add(raw, self.now())
        if account.saves_sent and (sent := self.special(account, "\\Sent")) is not None:
            sent.add(raw, self.now(), ["\\Seen"])
        headers = read_headers(raw)
        submission = Submission(
            number=len(self.outbox) + 1,
            account=account.address,
            sender=sender,
            local=[found.address for found in local],
            remote=[address for address in recipients if self.find(address) is None],
            raw=raw,
            accepted_at=self.now(),
            message_id=str(headers.get("Message-ID", "")).strip(),
            subject=str(headers.get("Subject", "")),
        )
        self.outbox.append(submission)
        return submission

    @staticmethod
    def special(account: Account, use: str) -> Folder | None:
        return next((folder for folder in account.folders.values() if folder.special_use == use), None)

    def compose(
        self,
        to: str,
        *,
        sender: str = "customer@example.net",
        subject: str = "",
        text: str = "",
        message_id: str | None = None,
        in_reply_to: str | None = None,
    ) -> bytes:
        """A plain message. Its Message-ID differs between runs, because it holds the time. Raises FieldError."""
        now = self.now()
        message = EmailMessage(policy=SMTP)
        unique = f"<{now:%Y%m%d%H%M%S%f}.{next(self._composed)}@simulator.invalid>"
        headers = {
            "from": sender,
            "to": to,
            "subject": subject,
            "date": now.strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "message_id": message_id or unique,
            "in_reply_to": in_reply_to,
            "references": in_reply_to,
        }
        for name, value in headers.items():
            if value is None:
                continue
            try:
                message[name.replace("_", "-").title().replace("-Id", "-ID")] = value
            except ValueError as error:  # a line break: no header can hold it
                raise FieldError(name, str(error)) from None
        message.set_content(text)
        return message.as_bytes()
