"""A process that is stopped while it connects, whatever it connects for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from faststream.rabbit import RabbitRouter
from interlock_contracts.models import ModelServing
from interlock_messaging import Bus, bus
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span

EVENT = ModelServing(model="m", version=1, promotion_seq=1, worker="w", load_seconds=0.1)


async def running(bus: Bus) -> None:
    async with bus.running():
        pass


async def publish(bus: Bus) -> None:
    await bus.publish(EVENT, cause="c")


async def publish_unrecorded(bus: Bus) -> None:
    with use_span(NonRecordingSpan(SpanContext(1, 1, is_remote=False))):
        await bus.publish(EVENT, cause="c")


async def collect_metrics(bus: Bus) -> None:
    for collect in bus.metric_collectors:
        await collect()


@pytest.mark.parametrize("connects", [running, publish, publish_unrecorded, collect_metrics])
async def test_who_is_stopped_while_connecting_leaves_nothing_that_connects_on(
    connects: Callable[[Bus], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that accepts and does not answer holds no process that wants to end."""
    monkeypatch.setattr(bus, "CONNECT_SECONDS", 0.5)
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    before = asyncio.all_tasks()
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = Bus(f"amqp://127.0.0.1:{port}/", service="registry", router=RabbitRouter(), sessions=None)
        starting = asyncio.ensure_future(connects(made))
        await asyncio.wait_for(asked.wait(), 20)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        left = asyncio.all_tasks() - before
        assert not [task for task in left if "connection_factory" in repr(task)]
