"""A gateway of two workers, and the events of one model on its broker."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.gateway_process import Gateway, ModelEvents, model_events, running
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def gateway(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running(servers, tmp_path_factory.mktemp("gateway")) as gateway:
        await until(gateway.is_subscribed, seconds=90)
        yield gateway


@pytest.fixture
async def events(servers: dict[str, str]) -> AsyncIterator[ModelEvents]:
    async with model_events(servers["INTERLOCK_AMQP_URL"], f"m-{uuid4().hex[:8]}") as received:
        yield received
