"""A gateway of two workers, and the bus around it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.gateway_process import Ether, Gateway, ether, running
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def gateway(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with running(servers, tmp_path_factory.mktemp("gateway")) as gateway:
        await until(gateway.hears, seconds=90)
        yield gateway


@pytest.fixture
async def around(servers: dict[str, str]) -> AsyncIterator[Ether]:
    async with ether(servers["INTERLOCK_AMQP_URL"], f"m-{uuid4().hex[:8]}") as received:
        yield received
