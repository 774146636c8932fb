"""The door as a whole: locked by default, open before everything behind it is there, and right in the end."""

from pathlib import Path

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_runtime.http import PUBLIC
from litestar.routes import HTTPRoute

from tests.support.gateway_app import KEY, Behind, Door, bound, client, gateway, listening
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until


@pytest.mark.parametrize("key", [None, "wrong-key-of-some-length", KEY[:-1]])
async def test_every_route_but_health_asks_for_the_key(door: Door, key: str | None) -> None:
    """A walk over all routes, so that a new one is locked before anyone thinks of it."""
    walked = set()
    async with client(str(door.http.base_url), key=key) as stranger:
        for route in door.app.routes:
            assert isinstance(route, HTTPRoute)
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    path = route.path_format.replace("{number}", "1").replace("{name}", "flights")
                    answer = await stranger.request(str(method), path)
                    locked = answer.status_code == 401 and "www-authenticate" in answer.headers
                    assert locked != bool(handler.opt.get(PUBLIC)), f"{method} {path}: {answer.status_code}"
                    walked.add(f"{method} {route.path_format}")

    assert {"POST /models/{name}/predict", "POST /models/{name}/retrain", "GET /schema", "GET /serving"} <= walked


async def test_what_is_promoted_serves_without_any_event(door: Door) -> None:
    """The broker is nowhere, yet every promotion arrives: events only make it faster."""
    for version in (1, 2, 3):
        door.behind.promote(put_model(door.store, version, model="sales"), seq=version)
        await door.serves(version, model="sales")

    assert (await door.predict(ROW, model="sales")).json()["version"] == 3


async def test_start_order_does_not_matter(tmp_path: Path) -> None:
    """Without a registry the gateway runs and asks on; once it is there, models serve."""
    store, behind = MemoryStore(), Behind()
    behind.promote(put_model(store, 4), seq=1)
    sock = bound()
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    async with listening(gateway(store, tmp_path, address)) as url, client(url) as http:
        assert (await http.get("/health/live")).status_code == 200
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json().keys()) == (503, {"rabbitmq", "registry"})
        assert (await http.post("/models/flights/predict", json={"rows": [ROW]})).status_code == 503

        async with listening(behind.app(), sock):

            async def answered() -> httpx.Response | None:
                answer = await http.post("/models/flights/predict", json={"rows": [ROW]})
                return answer if answer.is_success else None

            async def reconciled() -> bool:
                state: str = (await http.get("/health/ready")).json()["registry"]
                return state == "ok"

            assert (await until(answered)).json()["version"] == 4
            assert await until(reconciled)

        assert (await answered()) is not None, "predictions go on without the registry"


async def test_a_damaged_version_is_refused_and_the_next_one_serves(door: Door) -> None:
    """The worker tells why it does not serve what it should."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    bad = put_model(door.store, 12)
    door.store.objects[bad.artifact.key] = door.store.objects[bad.artifact.key].replace(b"size", b"sizf")
    door.behind.promote(bad, seq=2)

    async def refused() -> str | None:
        models = (await door.http.get("/serving")).json()["models"]
        reason: str | None = next(each["failure"] for each in models if each["name"] == "flights")
        return reason

    assert "CorruptArtifactError" in await until(refused)
    assert (await door.predict(ROW)).json()["version"] == 1
    door.behind.promote(put_model(door.store, 3), seq=3)
    await door.serves(3)
