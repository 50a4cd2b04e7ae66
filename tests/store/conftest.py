"""The store under test, on either database."""

from collections.abc import AsyncIterator

import pytest

from postroom.core.ports.store import Store
from postroom.store import open_store
from tests.store.make import KEY, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def store(database_url: str, world: World) -> AsyncIterator[Store]:
    opened = await open_store(database_url, secret_key=KEY, world=world)
    yield opened
    await opened.close()
