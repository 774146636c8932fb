from collections.abc import AsyncIterator

import pytest

from tests.support.gateway_app import Door, opened
from tests.support.stored_models import put_classifier, put_model


@pytest.fixture(scope="module")
async def _door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with opened(tmp_path_factory.mktemp("models")) as door:
        yield door


@pytest.fixture
def door(_door: Door) -> Door:
    """Return the module's gateway; what is behind it has forgotten everything, what it loaded it serves on."""
    _door.behind.forget()
    return _door


@pytest.fixture
async def serving(door: Door) -> Door:
    """Return the module's gateway with a regression, `flights`, and a classification, `sales`, that serve."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    door.behind.promote(put_classifier(door.store, model="sales"), seq=1)
    await door.serves(1)
    await door.serves(1, model="sales")
    return door
