"""Polls all services: readiness of each, and the gateway's metrics; the result is kept in memory.

Every replica of the console polls for itself. A poll costs a service what a readiness probe costs it, and the gateway
a scrape by Prometheus, which no prediction waits for.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic

import httpx
from interlock_contracts.console import StatusView
from interlock_contracts.deployment import NAMES, READY, SERVERS
from interlock_runtime.http import readiness
from interlock_runtime.metrics import Ping
from pydantic import TypeAdapter, ValidationError

from interlock_console.home.health import HealthHistory, Probe, server_health, service_health
from interlock_console.home.traffic import TrafficWindow, samples_of
from interlock_console.settings import ConsoleSettings

logger = logging.getLogger(__name__)

POLL_SECONDS = 10.0
ANSWER_SECONDS = 4.0
"""How long a service may take to answer; readiness waits for whatever the service needs."""

ALIVE_SECONDS = 3 * POLL_SECONDS
"""For how long a gateway worker counts after it was last seen."""

_DEPENDENCIES = TypeAdapter(dict[str, str])


def polling_client() -> httpx.AsyncClient:
    """Return a client without kept connections: behind a load balancer each scrape may reach another host."""
    limits = httpx.Limits(max_connections=2 * len(NAMES), max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits, trust_env=False)


class StatusMonitor:
    """Polls, and keeps what was seen last and lately."""

    def __init__(self, settings: ConsoleSettings, client: httpx.AsyncClient, own: Mapping[str, Ping]) -> None:
        self._urls = settings.peer_urls
        self._authorization = {"Authorization": f"Bearer {settings.service_key.get_secret_value()}"}
        self._client = client
        self._own = own
        self._history = HealthHistory()
        self._window = TrafficWindow()
        self._measured_at: datetime | None = None

    async def poll(self) -> None:
        """Ask all services at once, and record what they answer; whatever they answer, it does not fail."""
        probes = dict(zip(NAMES, await asyncio.gather(*(self._probe(name) for name in NAMES)), strict=True))
        now = datetime.now(UTC)
        for name, probe in probes.items():
            self._history.record(name, *service_health(probe), now)
        for server in SERVERS:
            self._history.record(server.name, *server_health(server.name, probes), now)
        await self._scrape()

    async def _probe(self, name: str) -> Probe | None:
        if name == "console":
            return Probe(await self._own_readiness())
        url = self._urls[name]
        return None if url is None else await self._asked(url.rstrip("/") + READY)

    async def _asked(self, address: str) -> Probe:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._client.get(address)
            return Probe(_DEPENDENCIES.validate_json(answer.content))
        except (TimeoutError, httpx.TimeoutException):
            return Probe({}, f"no answer within {ANSWER_SECONDS:g} seconds")
        except httpx.HTTPError as error:
            return Probe({}, f"no connection: {error}")
        except ValidationError:
            return Probe({}, f"what answers at its address is no service: status {answer.status_code}")

    async def _own_readiness(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await readiness(self._own)
        except TimeoutError:
            return dict.fromkeys(self._own, f"no answer within {ANSWER_SECONDS:g} seconds")

    async def _scrape(self) -> None:
        """Read the counters of the gateway's workers; where it does not answer, what was measured before stays."""
        url = f"{(self._urls['gateway'] or '').rstrip('/')}/metrics"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._client.get(url, headers=self._authorization)
            samples = await asyncio.to_thread(samples_of, answer.raise_for_status().text)
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as error:
            logger.info("the gateway's metrics cannot be read: %r", error)
            return
        self._window.record(monotonic(), samples)
        self._measured_at = datetime.now(UTC)

    def view(self) -> StatusView:
        """Return what is known, without asking anybody."""
        return StatusView(
            services=self._history.views(NAMES),
            servers=self._history.views(server.name for server in SERVERS),
            traffic=self._window.traffic(ALIVE_SECONDS),
            seconds=self._window.seconds,
            measured_at=self._measured_at,
            workers=self._window.workers(ALIVE_SECONDS),
        )
