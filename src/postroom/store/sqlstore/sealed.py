"""What is done to everything that is sealed: a new key, or the loss of one. It holds no SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postroom.store import sealed
from postroom.store.sealed import Lost
from postroom.store.sqlstore.base import Base


class SealedMethods(Base):
    """Part of SqlStore; commands alone use it, so it stands in no port."""

    async def reseal(self) -> AsyncIterator[tuple[int, tuple[str, ...]]]:
        """Seals everything with the newest key, batch by batch, each on disk when it is told: how many, and whose
        secrets no key opens. Can be broken off anywhere and begun again."""
        for place in sealed.PLACES:
            after: str | None = ""
            while after is not None:
                batch = await self._note(sealed.reseal, self._vault, place, after)
                after = batch.after
                yield batch.done, batch.unreadable

    async def forget_earlier_keys(self) -> bool:
        """False, and nothing done, while a value is sealed with one of them."""
        return await self._note(sealed.forget_others, self._vault)

    async def lost(self) -> Lost:
        """What no key opens."""
        return await self._read(sealed.lost, self._vault)

    async def give_up(self, gone: Lost) -> None:
        """Puts nothing in the place of lost secrets: see store.sealed."""
        secrets = {identifier: self._world.secret() for identifier, _ in gone.webhooks}
        await self._write(sealed.give_up, self._vault, gone, secrets, self._world.now())
