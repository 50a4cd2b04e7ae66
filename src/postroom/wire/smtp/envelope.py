"""Plans one mail transaction: its MAIL and RCPT commands, and what this server cannot take. It sends nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

from postroom.core.ports.wire import Envelope, Reply
from postroom.wire.smtp.reply import Capabilities

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f<>\ud800-\udfff]")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Transaction:
    """`recipients` are the commands by the address as it was given; `refused` and `sender_refused` are our own
    replies, for what the server would refuse or misunderstand."""

    mail: bytes
    recipients: dict[str, bytes]
    refused: dict[str, Reply]
    sender_refused: Reply | None = None


def transaction(envelope: Envelope, raw: bytes, capabilities: Capabilities) -> Transaction:
    """The commands for this message and server.

    Domains are written in punycode, so SMTPUTF8 (RFC 6531) is asked for only where a local part or the message's
    headers are not ASCII, whatever `envelope.utf8` says: asked for without need it makes later servers refuse.
    Raises ValueError for addresses that hold control characters or angle brackets, and where there are no recipients.
    """
    addresses = (envelope.sender, *envelope.recipients)
    if any(_FORBIDDEN.search(address) for address in addresses):
        raise ValueError("an address must not hold control characters, line ends or angle brackets")
    if not envelope.recipients:
        raise ValueError("a message needs a recipient")
    utf8 = "SMTPUTF8" in capabilities
    commands: dict[str, bytes] = {}
    refused: dict[str, Reply] = {}
    for recipient in dict.fromkeys(envelope.recipients):
        try:
            commands[recipient] = f"RCPT TO:<{_written(recipient, utf8=utf8)}>".encode()
        except _Unwritable as unwritable:
            refused[recipient] = Reply(553, f"{unwritable.code or '5.1.3'} {unwritable}")
    parameters = []
    if "SIZE" in capabilities:
        parameters.append(f"SIZE={len(raw)}")
    if "8BITMIME" in capabilities and not raw.isascii():
        parameters.append("BODY=8BITMIME")
    plain_headers = _headers(raw).isascii()
    if utf8 and not (plain_headers and all(_ascii_local(address) for address in addresses)):
        parameters.append("SMTPUTF8")
    return Transaction(
        " ".join([f"MAIL FROM:<{_quietly_written(envelope.sender)}>", *parameters]).encode(),
        commands,
        refused,
        _sender_refused(envelope.sender, len(raw), capabilities, plain_headers=plain_headers),
    )


def _sender_refused(sender: str, size: int, capabilities: Capabilities, *, plain_headers: bool) -> Reply | None:
    most = capabilities.told.size
    if most is not None and size > most:
        return Reply(552, f"5.3.4 the message has {size} bytes; this server takes {most}")
    utf8 = "SMTPUTF8" in capabilities
    if not plain_headers and not utf8:
        return Reply(553, "5.6.7 the message's headers are not ASCII, and this server does not offer SMTPUTF8")
    try:
        _written(sender, utf8=utf8)
    except _Unwritable as unwritable:
        return Reply(553, f"{unwritable.code or '5.1.7'} {unwritable}")
    return None


class _Unwritable(Exception):
    """The address cannot be written for this server; `code` is the enhanced code where it is no syntax error."""

    def __init__(self, words: str, code: str | None = None) -> None:
        super().__init__(words)
        self.code = code


def _written(address: str, *, utf8: bool) -> str:
    if not utf8 and not _ascii_local(address):
        words = "the part before the @ is not ASCII, and this server does not offer SMTPUTF8"
        raise _Unwritable(words, "5.6.7")
    local, at, domain = address.rpartition("@")
    if not at or domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError as error:
        raise _Unwritable(f"the domain of this address is not a valid name: {error}") from error


def _quietly_written(address: str) -> str:
    try:
        return _written(address, utf8=True)
    except _Unwritable:
        return address  # refused as a whole: never sent


def _ascii_local(address: str) -> bool:
    return (address.rpartition("@")[0] or address).isascii()


def _headers(raw: bytes) -> bytes:
    end = _END_OF_HEADERS.search(raw)
    return raw[: end.start()] if end else raw
