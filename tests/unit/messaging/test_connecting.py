"""A process that is stopped while it connects."""

import asyncio

import pytest
from faststream.rabbit import RabbitRouter
from interlock_messaging import Bus, bus


async def test_who_is_stopped_while_connecting_leaves_nothing_that_connects_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that accepts and says nothing holds no process that wants to end."""
    monkeypatch.setattr(bus, "CONNECT_SECONDS", 0.5)
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    before = asyncio.all_tasks()
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        running = Bus(f"amqp://127.0.0.1:{port}/", service="registry", router=RabbitRouter(), sessions=None).running()
        starting = asyncio.create_task(running.__aenter__())
        await asyncio.wait_for(asked.wait(), 5)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        left = asyncio.all_tasks() - before
        assert not [task for task in left if "connection_factory" in repr(task)]
