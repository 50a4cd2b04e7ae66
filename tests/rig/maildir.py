"""A Maildir on disk (cr.yp.to/proto/maildir.html, Maildir++ for subfolders), written and read past the server.

Writes messages in bulk with sizes in their names (`S=` as stored, `W=` with CRLF), so that Dovecot need not open
them to index them. Knows nothing of UIDs and flags beyond what is in a file's name.
"""

import itertools
import os
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

_bare_lf = re.compile(rb"(?<!\r)\n")
_serial = itertools.count(1)


class Maildir:
    """One user's Maildir, INBOX and its subfolders."""

    def __init__(self, root: Path, uid: int, gid: int) -> None:
        self.root = root
        self._uid, self._gid = uid, gid

    def folder(self, name: str = "INBOX") -> Path:
        """Where a folder's cur, new and tmp are. ASCII names, levels parted by a dot."""
        return self.root if name.upper() == "INBOX" else self.root / f".{name}"

    def create(self, name: str = "INBOX") -> Path:
        """Make the folder unless it is there, and give its path."""
        path = self.folder(name)
        missing = [p for p in (*reversed(path.parents), path) if not p.exists()]
        for level in (*missing, *(path / part for part in ("cur", "new", "tmp"))):
            if not level.exists():
                level.mkdir()
                self._give(level)
        return path

    def drop(self, raw: bytes, folder: str = "INBOX", flags: str | None = None) -> Path:
        """Put one message there exactly as it is, as a delivery agent does: without flags it is new and \\Recent."""
        path = self.create(folder)
        name = _name(raw)
        written = path / "tmp" / name
        written.write_bytes(raw)
        self._give(written)
        final = path / "new" / name if flags is None else path / "cur" / f"{name}:2,{flags}"
        return written.rename(final)

    def fill(self, messages: Iterable[bytes], folder: str = "INBOX", flags: str = "") -> int:
        """Write many messages straight into cur and give their number. Not for a folder that somebody has open."""
        path = self.create(folder) / "cur"
        number = 0
        for raw in messages:
            descriptor = os.open(path / f"{_name(raw)}:2,{flags}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, raw)
                if os.geteuid() == 0:
                    os.fchown(descriptor, self._uid, self._gid)
            finally:
                os.close(descriptor)
            number += 1
        return number

    def messages(self, folder: str = "INBOX") -> list[bytes]:
        """Every message on disk as raw bytes, oldest first."""
        path = self.folder(folder)
        files = [file for part in ("cur", "new") if (path / part).is_dir() for file in (path / part).iterdir()]
        return [file.read_bytes() for file in sorted(files, key=_arrival)]

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._uid, self._gid)


def _name(raw: bytes) -> str:
    second, nano = divmod(time.time_ns(), 1_000_000_000)
    size = len(raw)
    virtual = size + len(_bare_lf.findall(raw))
    return f"{second}.M{nano // 1000:06d}P{os.getpid()}Q{next(_serial)}.rig,S={size},W={virtual}"


def _arrival(file: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", file.name.partition(",")[0]))


def letters(count: int, size: int = 8192, to: str = "team@rig.test") -> Iterator[bytes]:
    """Distinct plain messages of about `size` bytes with CRLF line ends and Message-IDs <letter-N@rig.test>."""
    line = b"The parcel was to come on Monday and has not come yet. Where is it now?\r\n"
    first = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
    for number in range(1, count + 1):
        head = (
            f"From: Customer {number} <customer{number}@example.test>\r\nTo: {to}\r\n"
            f"Subject: Question {number}\r\nMessage-ID: <letter-{number}@rig.test>\r\n"
            f"Date: {format_datetime(first + timedelta(minutes=number))}\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        ).encode("ascii")
        lines = max(1, (size - len(head)) // len(line))
        yield head + line * lines
