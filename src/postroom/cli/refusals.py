"""Remembers sign-ins that an import saw refused, so that the next run does not repeat them. It keeps no password."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from postroom.core.events import rfc3339
from postroom.core.ports.world import World
from postroom.flows.bulk import Applicant, Why

FILE = "refused-sign-ins.jsonl"
KEPT = timedelta(days=7)
"""After which an account that was locked or switched off may well be open again."""


class RefusalFile:
    """`flows.bulk.Refusals` in the data folder, one JSON object a line, for its owner alone.

    What was refused is known by a keyed digest (HMAC-SHA-256) of address, password and servers: nothing can be read
    from it without the key. `writable` is False where nothing could be kept.
    """

    def __init__(self, folder: Path, key: bytes, world: World) -> None:
        self._file = folder / FILE
        self._key = hmac.digest(key, b"refused sign-ins", hashlib.sha256)
        self._world = world
        self._known: dict[str, Why] = {}
        self.writable = True
        self._load()

    def known(self, applicant: Applicant) -> Why | None:
        return self._known.get(self._digest(applicant))

    def note(self, applicant: Applicant, why: Why) -> None:
        at = rfc3339(self._world.now())
        again = f"{why.message} (refused at {at}; not tried again with the same password: --again does)"
        digest = self._digest(applicant)
        self._known[digest] = Why(why.code, again, why.first_step)
        self._append({"at": at, "digest": digest, "code": why.code, "message": again, "first_step": why.first_step})

    def _load(self) -> None:
        oldest = rfc3339(self._world.now() - KEPT)
        try:
            lines = self._file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return
        except OSError:
            self.writable = False
            return
        for line in lines:
            try:
                kept = json.loads(line)
                if datetime.fromisoformat(kept["at"]) >= datetime.fromisoformat(oldest):
                    self._known[kept["digest"]] = Why(kept["code"], kept["message"], kept["first_step"])
            except (ValueError, KeyError, TypeError):  # half a line, from a run that was killed
                continue

    def _append(self, kept: dict[str, str]) -> None:
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                # A line of its own, whatever a run that was killed left behind.
                file.write("\n" + json.dumps(kept, ensure_ascii=False) + "\n")
        except OSError:
            self.writable = False

    def _digest(self, one: Applicant) -> str:
        parts = (one.address.casefold(), one.credential.password, one.username, repr(one.imap), repr(one.smtp))
        return hmac.new(self._key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()
