from collections.abc import AsyncIterator

import pytest

from tests.unit.gateway.door import Door, opened


@pytest.fixture(scope="module")
async def _door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with opened(tmp_path_factory.mktemp("models")) as door:
        yield door


@pytest.fixture
def door(_door: Door) -> Door:
    """Return the module's gateway; what is behind it has forgotten everything, what it loaded it serves on."""
    _door.behind.forget()
    return _door
