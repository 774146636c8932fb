"""One function chooses the version that answers, whatever the protocol; and one decides what "no such model" is."""

import ast
from pathlib import Path
from typing import Any

import grpc
import pytest
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.protocols import open_inference_pb2 as pb
from interlock_modeling import Model
from interlock_modeling.engines import LinearEngine
from interlock_serving.manager import ModelManager
from numpy import array

from tests.support.api_keys import KEY
from tests.support.dependencies import dependency
from tests.support.gateway_app import Door, bound, opened
from tests.support.stored_models import ENCODER, REGRESSION, ROW, put_model, version_of

SOURCES = Path(__file__).resolve().parents[4]
MAY_CHOOSE = {
    "gateway/interlock_gateway/fastpath/app.py",
    "gateway/interlock_gateway/inference/resolve.py",
    "gateway/interlock_gateway/inference/async_route.py",
    "gateway/interlock_gateway/inference/feedback.py",
    "prediction/interlock_prediction/async_worker.py",
}
"""Where services choose; every protocol asks one of these."""

TENSORS = {
    "inputs": [
        {"name": "size", "shape": [1], "datatype": "FP64", "data": [3.0]},
        {"name": "color", "shape": [1], "datatype": "BYTES", "data": ["green"]},
    ]
}


def attributes(path: Path) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


def test_versions_are_chosen_in_few_places() -> None:
    """And a slot's own choice is the manager's to take: no protocol asks a slot past it."""
    chooses = {
        str(path.relative_to(SOURCES / "services"))
        for path in (SOURCES / "services").glob("*/interlock_*/**/*.py")
        if {"choose_version", "get_or_load"} & attributes(path)
    }
    takes = [path.name for path in SOURCES.glob("*/*/interlock_*/**/*.py") if "use" in attributes(path)]

    assert chooses - {"gateway/interlock_gateway/models/unload_requests.py"} == MAY_CHOOSE
    assert takes == ["manager.py"]


async def answers(door: Door, channel: grpc.aio.Channel) -> dict[str, int]:
    """Return which version answers by each protocol."""
    http = door.http
    found = {
        "fast path": (await door.predict(ROW)).json()["version"],
        "route": (await door.predict(ROW | {"color": "violet"})).json()["version"],
        "open inference": (await http.post("/v2/models/flights/infer", json=TENSORS)).json()["model_version"],
        "its metadata": (await http.get("/v2/models/flights")).json()["versions"][0],
        "document": (await http.get("/models/flights/schema")).json()["info"]["version"],
    }
    scored = await http.post("/models/flights/invocations", json={"dataframe_records": [ROW]})
    found["mlflow"] = version_of(scored.json()["predictions"][0])
    infer = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=pb.ModelInferRequest.SerializeToString,
        response_deserializer=pb.ModelInferResponse.FromString,
    )
    tensor = pb.ModelInferRequest.InferInputTensor
    request = pb.ModelInferRequest(model_name="flights")
    request.inputs.append(tensor(name="size", datatype="FP64", shape=[1]))
    request.inputs[0].contents.fp64_contents.append(3.0)
    request.inputs.append(tensor(name="color", datatype="BYTES", shape=[1]))
    request.inputs[1].contents.bytes_contents.append(b"green")
    found["grpc"] = (await infer(request, metadata=[("authorization", f"Bearer {KEY}")])).model_version
    manager = dependency(door.app, ModelManager)
    loaded = await manager.get_or_load("flights", newest=True)
    found["asynchronous"] = loaded.version if loaded is not None else 0
    return {way: int(version) for way, version in found.items()}


async def test_every_protocol_answers_with_the_version_that_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen in one function: whoever replaces it replaces the version of every answer."""
    other = Model(REGRESSION, ENCODER, LinearEngine(array([[1.0, 0.0, 0.0]]), array([7000.0]), "identity"))
    with bound() as sock:
        port = sock.getsockname()[1]
    async with opened(tmp_path, grpc_port=port) as door, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        door.behind.promote(put_model(door.store, 1), seq=1)
        await door.serves(1)
        champion = await answers(door, channel)
        canary = BatchedModel(7, 1, other)
        monkeypatch.setattr(ModelManager, "choose_version", lambda *_: canary)
        chosen = await answers(door, channel)

    assert set(champion.values()) == {1}
    assert {way for way, version in chosen.items() if version != 7} == set()
    assert len(chosen) == 8


@pytest.mark.parametrize(("name", "detail"), [("nobody-s", "no pipeline is called"), ("No%20Name", "cannot be a")])
async def test_every_protocol_refuses_an_unknown_model_in_the_same_words(door: Door, name: str, detail: str) -> None:
    """The same status, too; only the form is the protocol's."""
    rows: dict[str, Any] = {"rows": [ROW]}
    given = {
        f"/models/{name}/predict": rows,
        f"/models/{name}/predictions": rows,
        f"/models/{name}/feedback": {"feedback": [{"prediction": "a/0", "actual": 1.0}]},
        f"/models/{name}/invocations": {"dataframe_records": [ROW]},
        f"/v2/models/{name}/infer": TENSORS,
    }
    refused = {path: await door.http.post(path, json=body) for path, body in given.items()}
    said = [each.json() for each in refused.values()]
    words = {each.get("detail") or each.get("message") or each.get("error") for each in said}

    assert {each.status_code for each in refused.values()} == {404}
    assert len(words) == 1, words
    assert detail in words.pop()
