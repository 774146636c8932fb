"""What the end-to-end tests share."""

from pathlib import Path

import pytest

from tests.e2e.client import User
from tests.e2e.parts import Parts


@pytest.fixture
def user(stack: dict[str, str]) -> User:
    """Return a user of the stack with the admin key."""
    return User(stack)


@pytest.fixture
def parts(stack: dict[str, str]) -> Parts:
    """Return the stack's parts."""
    return Parts(Path(stack["INTERLOCK_HOME"]))
