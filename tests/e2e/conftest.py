"""What the end-to-end tests share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.stack_parts import Parts
from tests.support.stack_user import User


@pytest.fixture
async def user(stack: dict[str, str]) -> AsyncIterator[User]:
    """Return a user of the stack with the admin key."""
    made = User(stack)
    async with made.http:
        yield made


@pytest.fixture
def parts(stack: dict[str, str]) -> Iterator[Parts]:
    """Return the stack's parts."""
    made = Parts(Path(stack["INTERLOCK_HOME"]))
    yield made
    made.close()
