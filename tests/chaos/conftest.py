"""One system for all tests in which something dies or is said twice."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.processes import running
from tests.chaos.world import World, world_of


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return a running system with models that are ready to train."""
    with running(tmp_path_factory.mktemp("logs")) as system:
        async with world_of(system) as made:
            yield made
