"""IMAP's date-time and date (RFC 9051 9), there and back, whatever the locale. It reads no clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS: Final = {name.lower().encode(): number for number, name in enumerate(_MONTHS, 1)}
_DATE_TIME: Final = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$")


def parse_date_time(text: bytes) -> datetime | None:
    """INTERNALDATE as an aware datetime in UTC; None for what is no date."""
    found = _DATE_TIME.match(text)
    if not found or found[2].lower() not in _NUMBERS:
        return None
    offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
    year, day, hour, minute, second = (int(found[part]) for part in (3, 1, 4, 5, 6))
    try:
        zone = timezone(offset if found[7] == b"+" else -offset)
        local = datetime(year, _NUMBERS[found[2].lower()], day, hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(of: date) -> bytes:
    """A date, for SEARCH."""
    return f"{of.day}-{_MONTHS[of.month - 1]}-{of.year:04d}".encode()


def date_time(at: datetime) -> bytes:
    """An aware datetime as a quoted date-time, for APPEND."""
    utc = at.astimezone(UTC)
    return f'"{utc.day:02d}-{_MONTHS[utc.month - 1]}-{utc.year:04d} {utc:%H:%M:%S} +0000"'.encode()
