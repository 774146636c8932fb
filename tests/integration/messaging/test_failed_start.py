"""A start that fails ends: what is left of it must not go on consuming, out of reach of whoever starts it again."""

import asyncio
from typing import Any

import pytest
from interlock_messaging import topology

from tests.integration.gateway.test_outages import Cable
from tests.integration.messaging.test_delivery import Lab
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_a_start_that_the_broker_breaks_off_leaves_nothing_running(
    servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker dies between a service's two connections; reconnecting would leave it without a consumer."""
    cable = Cable(servers["INTERLOCK_AMQP_URL"])
    lab = Lab({**servers, "INTERLOCK_AMQP_URL": cable.url})
    begin = asyncio.all_tasks()

    async def broken_off(*_: Any) -> None:
        await lab.bus.consumer.connect()
        await cable.cut()
        raise ConnectionError("the broker is gone")

    monkeypatch.setattr(topology, "wait_for_topology", broken_off)
    await cable.plug()
    try:
        async with lab.database.ready("interlock_messaging"):
            with pytest.raises(ConnectionError, match="gone"):
                async with lab.bus.running():
                    pass
    finally:
        await cable.close()

    await until(lambda: asyncio.all_tasks() <= begin)
