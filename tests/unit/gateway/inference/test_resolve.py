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
from tests.support.stored_models import ENCODER, REGRESSION, ROW, put, put_model, version_of

SOURCES = Path(__file__).resolve().parents[4]
MAY_CHOOSE = {
    "gateway/interlock_gateway/fastpath/app.py",
    "gateway/interlock_gateway/inference/resolve.py",
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

    assert chooses == MAY_CHOOSE
    assert takes == ["manager.py"]


async def answers(door: Door, channel: grpc.aio.Channel) -> dict[str, int]:
    """Return which version answers by each protocol."""
    http = door.http
    found = {
        "fast path": (await door.predict(ROW)).json()["version"],
        "route": (await door.predict(ROW | {"color": "violet"})).json()["version"],
        "open inference": (await http.post("/v2/models/flights/infer", json=TENSORS)).json()["model_version"],
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
    assert len(chosen) == 6


async def described(door: Door) -> None:
    """Ask everything about a model that has its signature, and answers no request with it."""
    http = door.http
    asked = [
        await http.get("/v2/models/flights"),
        await http.get("/v2/models/flights/ready"),
        await http.get("/models/flights/schema"),
        await http.get("/models/flights/ping"),
        await http.post("/models/flights/feedback", json={"feedback": [{"prediction": "a/0", "actual": "no number"}]}),
        await http.post("/models/flights/predictions", json={"rows": [ROW | {"size": "no number"}]}),
    ]
    assert [each.status_code for each in asked] == [200, 200, 200, 200, 422, 422]


async def test_a_look_at_the_signature_chooses_nothing_and_is_no_use(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would draw an arm of a canary, and keep a model in memory that nobody asks for predictions."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    (slot,) = dependency(door.app, ModelManager).slots()
    used = slot.used
    with monkeypatch.context() as patch:
        patch.setattr(ModelManager, "choose_version", lambda *_: pytest.fail("chosen"))
        await described(door)

    assert slot.used == used
    await door.predict(ROW)
    assert slot.used > used


LARGE = [ROW] * 2000
UNUSUAL = ROW | {"color": "violet"}
TOO_LARGE_A_NUMBER = {"size": 1e308}


@pytest.mark.parametrize("fast_path", [True, False])
async def test_one_request_chooses_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast_path: bool) -> None:
    """Also where the fast path hands it on, before or after the engine has computed: a canary would draw twice."""
    features = [each.model_copy(update={"min": None, "max": None}) for each in REGRESSION.features]
    boundless = REGRESSION.model_copy(update={"features": features})
    times_ten = LinearEngine(array([[10.0, 0.0, 0.0]]), array([0.0]), "identity")
    chosen: list[str] = []
    choose = ModelManager.choose_version

    def counted(manager: ModelManager[BatchedModel], model: str) -> BatchedModel | None:
        chosen.append(model)
        return choose(manager, model)

    async with opened(tmp_path, fast_path=fast_path) as door:
        door.behind.promote(put_model(door.store, 1), seq=1)
        door.behind.promote(put(door.store, boundless, times_ten, model="boundless"), seq=2)
        await door.serves(1)
        await door.serves(1, model="boundless")
        monkeypatch.setattr(ModelManager, "choose_version", counted)
        answers = [
            await door.predict(ROW),
            await door.predict(UNUSUAL),
            await door.predict(*LARGE),
            await door.predict(*LARGE, UNUSUAL),
            await door.predict(TOO_LARGE_A_NUMBER, model="boundless"),
            await door.http.post("/v2/models/flights/infer", json=TENSORS),
            await door.http.post("/models/flights/invocations", json={"dataframe_records": [ROW]}),
        ]

    assert [each.status_code for each in answers] == [200, 200, 200, 200, 422, 200, 200]
    assert chosen == ["flights"] * 4 + ["boundless"] + ["flights"] * 2


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
