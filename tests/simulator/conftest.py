"""A running simulator with two accounts. It checks at the end that no session died of a defect; it tests nothing."""

from collections.abc import AsyncIterator

import pytest

from postroom.simulator import Simulator

ANNA = "anna@example.org"
BEN = "ben@example.org"
PASSWORD = "correct horse"


@pytest.fixture
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """Without its control API, except for the tests of that."""
    wants_control = request.module.__name__.endswith("test_control")
    async with Simulator(control_port=0 if wants_control else None) as running:
        running.create_account(ANNA, PASSWORD)
        running.create_account(BEN, PASSWORD)
        yield running
        assert running.crashes == []
