"""One console for each file."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.console_service import Console, console_on


@pytest.fixture(scope="module")
async def console(servers: dict[str, str]) -> AsyncIterator[Console]:
    async with console_on(servers) as made:
        yield made


@pytest.fixture
def model() -> str:
    return f"m-{uuid4().hex[:8]}"
