"""What a service tells Prometheus, whatever is down."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from interlock_contracts import metrics
from interlock_runtime import metrics as told
from interlock_runtime.http import SCOPE, http_app
from interlock_runtime.metrics import HttpMetricsMiddleware, gauge
from litestar import get
from litestar.params import FromPath
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.api_keys import KEY, letting_in


@get("/things/{name:str}", opt={SCOPE: "read"})
async def thing(name: FromPath[str]) -> str:
    """Answer, or fail."""
    if name == "bad":
        raise RuntimeError
    return name


async def two_wait() -> Iterable[Metric]:
    return [gauge(metrics.DATASETS_WAITING, [(["flights"], 2)])]


async def refused() -> Iterable[Metric]:
    raise ConnectionRefusedError("no database")


async def hanging() -> Iterable[Metric]:
    await asyncio.Event().wait()
    return []


async def fine() -> None:
    """Answer a ping."""


async def asked(path: str, client: str = "127.0.0.1", key: str | None = None, **options: Any) -> httpx.Response:
    app = http_app("any", letting_in(), routes=[thing], lifespan=[], **{"pings": {}, **options})
    transport = httpx.ASGITransport(app=HttpMetricsMiddleware(app), client=(client, 1), raise_app_exceptions=False)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://any", headers=headers) as http:
        return await http.get(path)


def samples(text: str) -> dict[tuple[Any, ...], float]:
    return {
        (each.name, *sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


async def test_requests_are_counted_by_route_whatever_clients_make_up() -> None:
    """A name in the address is no label, nor is an address that there is not, nor a method."""
    before = samples((await asked("/metrics")).text)
    for path in ("/things/a", "/things/b", "/things/bad", "/nowhere", "/nowhere/else"):
        await asked(path, key=KEY)
    after = samples((await asked("/metrics")).text)

    def more(route: str, status: str) -> float:
        about = {"http_request_method": "GET", "http_route": route, "http_response_status_code": status}
        key = ("http_server_request_duration_seconds_count", *sorted(about.items()))
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert more("/things/{name}", "200") == 2
    assert more("/things/{name}", "500") == 1
    assert more("", "404") == 2
    assert "nowhere" not in str(after)


async def test_a_scrape_has_what_can_be_collected_while_something_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be collected is left out, what hangs is not waited for, and what is down is reported so."""
    monkeypatch.setattr(told, "COLLECT_SECONDS", 0.1)
    answer = await asked(
        "/metrics",
        metric_collectors=[refused, two_wait, hanging],
        pings={"postgres": refused, "rabbitmq": fine, "s3": hanging},
    )
    found = samples(answer.text)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert found["interlock_datasets_waiting", ("pipeline", "flights")] == 2
    up = {labels[0][1]: value for (name, *labels), value in found.items() if name == "interlock_dependency_up"}
    assert up == {"postgres": 0, "rabbitmq": 1, "s3": 0}
    assert ("process_resident_memory_bytes",) in found


async def test_metrics_are_served_to_this_machine_or_for_a_key() -> None:
    """As everything else that anybody may read."""
    assert (await asked("/metrics")).status_code == 200
    assert (await asked("/metrics", client="10.0.0.7")).status_code == 401
    assert (await asked("/metrics", client="10.0.0.7", key=KEY)).status_code == 200
