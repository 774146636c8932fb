"""The gateway answers whatever is down behind it, catches up when it is back, and goes when it is told to."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.gateway_app import bound
from tests.support.gateway_process import Gateway, model_events, running, store_of
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

pytestmark = pytest.mark.integration


class Cable:
    """A TCP line to the broker that can be cut."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._socket = bound()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = url.replace(self._to.netloc.rpartition("@")[2], f"127.0.0.1:{self._socket.getsockname()[1]}")

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._forward, sock=self._socket.dup())

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        await self.cut()
        self._socket.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer), return_exceptions=True)
        self._writers -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def cabled(servers: dict[str, str], folder: Path) -> AsyncIterator[tuple[Gateway, Cable]]:
    """Run a gateway whose line to the broker is not plugged in yet."""
    cable = Cable(servers["INTERLOCK_AMQP_URL"])
    async with running(servers, folder, amqp_url=cable.url) as gateway:
        try:
            yield gateway, cable
        finally:
            await cable.close()


async def test_without_the_broker_it_serves_and_when_it_is_back_it_catches_up(
    servers: dict[str, str], tmp_path: Path
) -> None:
    """Start without it, serve by the registry alone; consume when it comes; lose it, serve on; miss nothing."""
    store, model = store_of(servers), f"m-{uuid4().hex[:8]}"
    async with (
        cabled(servers, tmp_path) as (gateway, cable),
        model_events(servers["INTERLOCK_AMQP_URL"], model) as events,
    ):
        gateway.behind.promote(put_model(store, 1, model=model), seq=1)

        async def serve(version: int) -> bool:
            found = await gateway.workers()
            return len(found) == 2 and all(each.get(model) == version for each in found.values())

        async def answers() -> int:
            answer = await gateway.ask("POST", f"/models/{model}/predict", json={"rows": [ROW]})
            return answer.status_code

        await until(lambda: serve(1), seconds=90)
        assert not await gateway.ready()
        assert await answers() == 200
        assert not events.received

        await cable.plug()
        await until(gateway.is_subscribed, seconds=90)
        await events.all_serve(1)
        await events.promote(put_model(store, 2, model=model), 2)
        await events.all_serve(2)

        await cable.cut()
        gateway.behind.trainable.add(model)
        retrain = await gateway.ask("POST", f"/models/{model}/retrain")
        assert (retrain.status_code, retrain.headers["retry-after"]) == (503, "2")
        gateway.behind.promote(put_model(store, 3, model=model), seq=3)
        assert await answers() == 200
        await until(gateway.ready)  # without its broker it still answers, so it must get requests

        await cable.plug()
        await events.all_serve(3)
        await until(lambda: serve(3))


async def test_told_to_stop_it_finishes_what_it_has_in_hand(servers: dict[str, str], tmp_path: Path) -> None:
    """A client whose request was taken gets its answer; then parent and workers are gone."""
    async with running(servers, tmp_path) as gateway:
        await until(gateway.is_subscribed, seconds=90)
        workers = gateway.children()

        async def closed() -> bool:
            return not await gateway.ready()

        async def slowly() -> AsyncIterator[bytes]:
            yield b"first part, "
            await until(lambda: gateway.behind.largest_chunk)
            gateway.process.send_signal(signal.SIGTERM)
            await until(closed)
            yield b"second part"

        answer = await gateway.ask("POST", "/datasets/flights", content=slowly(), timeout=30)
        code = await asyncio.to_thread(gateway.process.wait, 30)

    assert (answer.status_code, answer.json()) == (202, {"bytes": len(b"first part, second part")})
    assert code == 0
    assert not any(_alive(each) for each in workers)


async def test_workers_do_not_outlive_a_killed_parent(servers: dict[str, str], tmp_path: Path) -> None:
    """Nobody would stop them, and the port would be theirs when the parent is started again."""
    async with running(servers, tmp_path) as gateway:
        await until(gateway.is_subscribed, seconds=90)
        workers = gateway.children()
        assert len(workers) == 2
        gateway.process.kill()
        await asyncio.to_thread(gateway.process.wait, 30)

        await until(lambda: not any(_alive(each) for each in workers))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
