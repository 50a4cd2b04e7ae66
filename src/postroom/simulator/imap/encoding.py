"""How IMAP writes strings, folder names, dates and UID sets. It does not read commands."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")


def string(value: bytes) -> bytes:
    """A quoted string where that is allowed, else a literal (RFC 3501 4.3)."""
    if len(value) <= 512 and _QUOTABLE.fullmatch(value):
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return literal(value)


def literal(value: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)


def folder_name(name: str) -> bytes:
    """A folder's name as a string in modified UTF-7 (RFC 3501 5.1.3)."""
    return string(to_modified_utf7(name))


def to_modified_utf7(name: str) -> bytes:
    """Printable ASCII stands for itself, `&` is `&-`, all else is UTF-16 in base64 between `&` and `-`."""

    def shifted(match: re.Match[str]) -> str:
        encoded = base64.b64encode(match[0].encode("utf-16-be"), altchars=b"+,").decode("ascii")
        return f"&{encoded.rstrip('=')}-"

    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-")).encode("ascii")


def from_modified_utf7(name: bytes) -> str:
    """Raises ValueError for what is not modified UTF-7."""

    def plain(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        padded = match[1] + "=" * (-len(match[1]) % 4)
        return base64.b64decode(padded, altchars=b"+,", validate=True).decode("utf-16-be")

    try:
        text = name.decode("ascii")
        if re.search(r"&(?![A-Za-z0-9+,]*-)", text):
            raise ValueError("a shift that does not end")
        return re.sub(r"&([A-Za-z0-9+,]*)-", plain, text)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise ValueError("not modified UTF-7") from error


def date_time(moment: datetime) -> bytes:
    """INTERNALDATE (RFC 3501 `date-time`). The months are English whatever the locale."""
    return f'"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S} {moment:%z}"'.encode("ascii")


def parse_date_time(text: str) -> datetime:
    """Raises ValueError."""
    match = re.fullmatch(r" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a date-time")
    day, month, year, hour, minute, second = match[1], match[2], match[3], match[4], match[5], match[6]
    offset = timedelta(hours=int(match[8]), minutes=int(match[9])) * (-1 if match[7] == "-" else 1)
    moment = datetime(int(year), _month(month), int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
    moment.astimezone(UTC)  # a time that UTC cannot hold is refused here, not when it is compared
    return moment


def parse_date(text: str) -> date:
    """A search date, `1-Feb-1994` (RFC 3501 `date`). Raises ValueError."""
    match = re.fullmatch(r"(\d{1,2})-(\w{3})-(\d{4})", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is not a date")
    return date(int(match[3]), _month(match[2]), int(match[1]))


def _month(name: str) -> int:
    try:
        return _MONTHS.index(name.title()) + 1
    except ValueError:
        raise ValueError(f"{name!r} is not a month") from None


def uid_set(uids: Iterable[int]) -> bytes:
    """Ascending UIDs as ranges, `1:3,7`."""
    ranges: list[list[int]] = []
    for uid in uids:
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ranges).encode("ascii")


def flag_list(flags: Iterable[str]) -> bytes:
    return b"(" + " ".join(sorted(flags)).encode("ascii", "replace") + b")"
