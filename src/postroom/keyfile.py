"""The keys of the vault: from the environment, or from the key file, which is made here. It seals nothing.

The key file holds one key a line, the newest first. More than one stand there only while everything is sealed anew.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from postroom.settings import BadSettings, Settings

KEY_BYTES = 32


def path(settings: Settings) -> Path | None:
    """Where the key file is; None where the key comes from the environment."""
    return settings.data / "secret.key" if settings.secret_key is None else None


def keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys, the one that seals first; the key file is made on first start. Raises BadSettings."""
    file = path(settings)
    old = settings.secret_key_old
    if file is None and settings.secret_key is not None:
        first = _key("POSTROOM_SECRET_KEY", settings.secret_key.get_secret_value())
        return (first, _key("POSTROOM_SECRET_KEY_OLD", old.get_secret_value())) if old else (first,)
    if old is not None:
        raise BadSettings("POSTROOM_SECRET_KEY_OLD: is of use together with POSTROOM_SECRET_KEY only. Unset it.")
    file = settings.data / "secret.key"
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _make(file)
        if file.stat().st_mode & 0o077:
            raise BadSettings(f"{file} can be read by others. Mend it: chmod 600 {file}")
        lines = file.read_text().split() or [""]
        return tuple(_key(str(file), line) for line in lines)
    except OSError as fault:
        raise BadSettings(
            f"POSTROOM_DATA: {settings.data.absolute()} cannot be used ({fault.strerror}). "
            "Choose a folder that this user may write to."
        ) from None


def new_key() -> bytes:
    """From the system's own chance."""
    return secrets.token_bytes(KEY_BYTES)


def replace(file: Path, held: Sequence[bytes]) -> None:
    """Writes the key file anew, whole or not at all, on disk when it returns."""
    name = _written(file, held)
    Path(name).replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make(file: Path) -> None:
    """Whole or not at all: a start that is cut off, or a second one beside it, must not leave half a key."""
    name = _written(file, [new_key()])
    with contextlib.suppress(FileExistsError):
        os.link(name, file)
    Path(name).unlink()


def _written(file: Path, held: Sequence[bytes]) -> str:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)  # readable by its owner only
    with os.fdopen(descriptor, "w") as written:
        written.write("".join(one.hex() + "\n" for one in held))
        written.flush()
        os.fsync(written.fileno())
    return name


def _key(name: str, text: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise BadSettings(f"{name}: must be {2 * KEY_BYTES} hexadecimal digits, for example from: openssl rand -hex 32")
    return key
