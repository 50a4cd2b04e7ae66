"""A literal too big to be in memory while others come: on disk, in a file without a name, until somebody reads it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final, cast

SPOOLED: Final = 4 * 1024 * 1024
"""Bytes from which on a literal is spooled."""
_AT_ONCE: Final = 1024 * 1024


class Spooled:
    """Implements core.ports.wire.Spooled. The file is gone once it was read, nobody wants it or the process ends."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def __len__(self) -> int:
        return self._size

    def read(self) -> bytes:
        """All of it, once. Blocking."""
        with self._file as file:
            file.seek(0)
            return file.read(self._size)

    def __del__(self) -> None:
        self._file.close()


async def spool(chunks: AsyncIterator[bytes], size: int, folder: Path | None) -> Spooled:
    """Writes what comes to a file in `folder` (None: where temporary files are). Raises OSError, when the disk is full
    for instance, and what `chunks` raises."""
    file = cast(BinaryIO, await asyncio.to_thread(tempfile.TemporaryFile, dir=folder, buffering=0))
    spooled = Spooled(file, size)
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= _AT_ONCE:
            await asyncio.to_thread(_write, file, waiting)
            waiting = bytearray()
    await asyncio.to_thread(_write, file, waiting)
    return spooled


def _write(file: BinaryIO, data: bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
