"""What every part of the store stands on: the database, the vault, the world. It has no method of a port."""

from __future__ import annotations

from datetime import datetime

from postroom.core.identity import Kind
from postroom.core.mailbox import Direction
from postroom.core.ports.world import World
from postroom.store.database import Database
from postroom.store.vault import Vault


class Base:
    """Part of SqlStore."""

    def __init__(self, database: Database, vault: Vault, world: World) -> None:
        self._database = database
        self._read, self._write, self._note = database.read, database.write, database.note
        self._vault = vault
        self._world = world
        self._heard: dict[tuple[str, Direction], datetime] = {}
        self._resigned: set[str] = set()  # workers of this process that ended

    def _event_id(self) -> str:
        return self._world.identifier(Kind.EVENT)
