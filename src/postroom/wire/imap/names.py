"""Folder names in modified UTF-7 (RFC 3501 5.1.3) or UTF-8 and strings in quotes, there and back. It asks no server."""

from __future__ import annotations

import binascii
import re
from typing import Final

from postroom.wire.imap.spool import Spooled
from postroom.wire.imap.tokens import Token

_OUTSIDE: Final = re.compile("[^\x20-\x7e]+")
_CONTROLS: Final = re.compile("[\0-\x1f\x7f]+")
_SHIFTED: Final = re.compile("&([^-]*)-")


def encode_folder(name: str) -> bytes:
    """A folder's name as the server knows it, in ASCII."""
    return _OUTSIDE.sub(_shift, name.replace("&", "&-")).encode("ascii")


def _shift(outside: re.Match[str]) -> str:
    utf16 = outside[0].encode("utf-16-be", errors="surrogatepass")
    return "&" + binascii.b2a_base64(utf16, newline=False).decode().rstrip("=").replace("/", ",") + "-"


def decode_folder(name: bytes) -> str:
    """A folder's name in Unicode. What is no modified UTF-7 stays as it is: some servers send UTF-8."""
    return _SHIFTED.sub(_unshift, name.decode(errors="replace"))


def _unshift(shifted: re.Match[str]) -> str:
    base64 = shifted[1].replace(",", "/")
    if not base64:
        return "&"
    try:
        return binascii.a2b_base64(base64 + "=" * (-len(base64) % 4), strict_mode=True).decode("utf-16-be")
    except ValueError:  # binascii.Error and UnicodeDecodeError are ValueErrors
        return shifted[0]


def folder_of(token: Token, *, utf8: bool = False) -> str | None:
    """A folder's name from a LIST response: atom, string or literal; a folder may be called NIL."""
    if isinstance(token, list | Spooled):
        return None
    name = b"NIL" if token is None else token.encode() if isinstance(token, str) else token
    return name.decode(errors="replace") if utf8 else decode_folder(name)


def quotable(text: bytes) -> bool:
    """Whether a string can be sent in quotes (RFC 9051 4.3): ASCII without CR, LF and NUL."""
    return text.isascii() and not any(control in text for control in (b"\r", b"\n", b"\0"))


def quoted(text: bytes) -> bytes:
    """A quoted string."""
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def folder_argument(name: str, *, utf8: bool = False) -> bytes:
    """A folder's name as a command's argument: in UTF-8 where the server agreed to that (RFC 6855 3). Controls, which a
    quoted string cannot hold, are in modified UTF-7 all the same: no folder has such a name."""
    return quoted(_CONTROLS.sub(_shift, name).encode(errors="replace") if utf8 else encode_folder(name))
