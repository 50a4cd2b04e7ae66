"""The store's port of the leases: each method hands one query to one transaction. It holds no SQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from postroom.core.ports.store import Lease
from postroom.store import directions, leases, setback
from postroom.store.sqlstore.base import Base


class LeaseMethods(Base):
    """Part of SqlStore."""

    async def heartbeat(self, worker_id: str, host: str, now: datetime, ttl: timedelta) -> None:
        heard, self._heard = self._heard, {}

        def beat(connection: Connection) -> None:
            if worker_id in self._resigned:
                return  # a beat that was under way when its worker ended must not let it live on
            leases.heartbeat(connection, worker_id, host, now, ttl)
            directions.note_heard(connection, heard)

        try:
            await self._note(beat)
        except BaseException:
            self._heard = heard | self._heard  # for the next one
            raise

    async def claim(
        self, worker_id: str, now: datetime, limit: int = 1000, *, patience: timedelta = timedelta(0)
    ) -> list[Lease]:
        async with self._database.alone() as alone:
            return await self._write(leases.claim, worker_id, now, limit, alone, patience)

    async def give_back(self, worker_id: str, now: datetime, limit: int, *, patience: timedelta = timedelta(0)) -> int:
        return await self._write(leases.give_back, worker_id, now, limit, patience)

    async def leases(self, worker_id: str) -> list[Lease]:
        return await self._read(leases.of_worker, worker_id)

    async def alive(self, now: datetime) -> int:
        return await self._read(leases.alive, now)

    async def resign(self, worker_id: str) -> None:
        self._resigned.add(worker_id)
        await self._write(leases.resign, worker_id)

    async def ahead(self, worker_id: str, now: datetime) -> dict[str, datetime]:
        return await self._read(setback.ahead, worker_id, now)

    async def set_back(self, lease: Lease, by: timedelta, now: datetime) -> int:
        return await self._write(setback.set_back, lease, by, now)
