"""Keys at the door: on the fast path, over connections that stay open, over gRPC, and while the registry is down."""

from pathlib import Path

import grpc
import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_gateway.app import served
from interlock_gateway.protocols import open_inference_pb2 as pb
from interlock_gateway.protocols.grpc_server import _SCOPES, _SERVICE
from interlock_runtime import access

from tests.support.api_keys import SETTINGS, ring_key
from tests.support.gateway_app import Behind, Door, bound, client, gateway, listening, opened
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

APP, LOOKER = "ilk_of-an-app", "ilk_of-somebody-who-looks"
KEYS = [ring_key(APP, "app", "predict"), ring_key(LOOKER, "looker", "read")]


async def predict(http: httpx.AsyncClient) -> httpx.Response:
    return await http.post("/models/flights/predict", json={"rows": [ROW]})


@pytest.fixture
async def keyed(serving: Door) -> Door:
    serving.behind.keys = KEYS
    return serving


async def test_a_key_with_predict_predicts_and_does_nothing_else(keyed: Door) -> None:
    """The scope that is missing is named; the caller's own key goes along to the service behind."""
    async with client(str(keyed.http.base_url), key=APP) as app, client(str(keyed.http.base_url), key=LOOKER) as looker:
        assert (await predict(app)).status_code == 200
        assert (await app.get("/serving")).status_code == 403
        refused = await predict(looker)
        assert (await looker.get("/serving")).status_code == 200
        keyed.behind.asked.clear()
        await keyed.http.put("/pipelines/p", content=b"{}")

    assert refused.status_code == 403
    assert refused.json()["detail"] == "this needs the scope 'predict'; 'looker' has read"
    assert keyed.behind.asked[0]["authorization"] == keyed.http.headers["authorization"]


async def test_a_key_revoked_during_a_connection_stops_working(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also on the fast path, which remembers whom it let in."""
    monkeypatch.setattr(access, "REFRESH_SECONDS", 0.1)
    async with opened(tmp_path) as door, client(str(door.http.base_url), key=APP) as app:
        door.behind.promote(put_model(door.store, 1), seq=1)
        door.behind.keys = KEYS
        await door.serves(1)
        for _ in range(3):
            assert (await predict(app)).status_code == 200
        door.behind.keys = []

        async def refused() -> bool:
            return (await predict(app)).status_code == 401

        await until(refused)
        assert (await door.predict(ROW)).status_code == 200


async def test_keys_go_on_without_a_registry_and_over_a_restart(tmp_path: Path) -> None:
    """What the host served last it serves on, to those who were let in last."""
    store, behind = MemoryStore(), Behind()
    behind.promote(put_model(store, 1), seq=1)
    behind.keys = KEYS
    async with (
        listening(behind.app()) as address,
        listening(served(gateway(store, tmp_path, address))) as url,
        client(url, key=APP) as app,
    ):
        await until(lambda: _is_answered(app))
    async with listening(served(gateway(store, tmp_path, address))) as url, client(url, key=APP) as app:
        await until(lambda: _is_answered(app))
        async with client(url, key="ilk_wrong") as stranger:
            assert (await predict(stranger)).status_code == 401


async def _is_answered(http: httpx.AsyncClient) -> bool:
    return (await predict(http)).status_code == 200


async def test_every_call_over_grpc_asks_for_its_scope(tmp_path: Path) -> None:
    """The codes are those that clients know; what probes ask is open."""
    with bound() as sock:
        port = sock.getsockname()[1]
    async with opened(tmp_path, grpc_port=port) as door, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        door.behind.keys = KEYS
        for called in _SERVICE.methods:
            wanted = _SCOPES[called.name]
            for key, scope in ((None, None), ("wrong", None), (APP, "predict"), (LOOKER, "read")):
                code = await _code(channel, called.name, key)
                if wanted is None or wanted == scope:
                    assert code not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED), called.name
                elif scope is None:
                    assert code == grpc.StatusCode.UNAUTHENTICATED, called.name
                else:
                    assert code == grpc.StatusCode.PERMISSION_DENIED, called.name

    assert {name for name, scope in _SCOPES.items() if scope is None} == {"ServerLive", "ServerReady"}


async def _code(channel: grpc.aio.Channel, name: str, key: str | None) -> grpc.StatusCode:
    request, response = getattr(pb, f"{name}Request"), getattr(pb, f"{name}Response")
    call = channel.unary_unary(
        f"/inference.GRPCInferenceService/{name}", request.SerializeToString, response.FromString
    )(request(), metadata=[("authorization", f"Bearer {key}")] if key else None)
    code: grpc.StatusCode = await call.code()
    return code


async def test_mlflows_password_is_a_key_with_the_scope_predict(keyed: Door) -> None:
    """And nowhere but at the scoring routes."""
    async with httpx.AsyncClient(base_url=keyed.http.base_url, trust_env=False) as http:
        for key, status in ((APP, 200), (LOOKER, 403), ("wrong", 401)):
            body = {"dataframe_records": [ROW]}
            answer = await http.post("/models/flights/invocations", json=body, auth=("interlock", key))
            assert answer.status_code == status, answer.text
        assert (await http.get("/serving", auth=("interlock", LOOKER))).status_code == 401
        assert (await http.get("/serving", auth=("interlock", SETTINGS["service_key"]))).status_code == 401
