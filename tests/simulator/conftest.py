"""A running simulator with two accounts. It checks at the end that no session died of a defect; it tests nothing."""

from collections.abc import AsyncIterator

import pytest

from postroom.simulator import Simulator

ANNA = "anna@example.org"
BEN = "ben@example.org"
PASSWORD = "correct horse"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        running.create_account(ANNA, PASSWORD)
        running.create_account(BEN, PASSWORD)
        yield running
        assert running.crashes == []
