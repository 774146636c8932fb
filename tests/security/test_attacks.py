"""What was done to others (the advisories named), tried on us: one test for each line of the table in SECURITY.md."""

import pickle
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from interlock_contracts import http as bodies
from interlock_contracts.batch import Batch
from interlock_contracts.catalog import ROUTES
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.domain import invalid_object_key
from interlock_modeling.engines import ModelFormatError
from onnx import TensorProto
from pydantic import BaseModel, ValidationError

from tests.support.gateway_app import Door, opened
from tests.support.stored_models import ROW, put_model
from tests.unit.modeling.engines.test_onnx import engine, graph

ELSEWHERE = [
    "/etc/passwd",
    "../flights/data.csv",
    "incoming/../sha256/ab/cd",
    "incoming\\flights\\data.csv",
    "incoming/other/data.csv",
    "incoming/flights/a\0b",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "s3://bucket/key",
    "holdout/sha256/ab/cd",
]


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """Return a gateway with one model that serves."""
    async with opened(tmp_path_factory.mktemp("models")) as door:
        door.behind.promote(put_model(door.store, 1), seq=1)
        await door.serves(1)
        yield door


class Opens:
    """What a pickle may do when it is read: here, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.e2e
async def test_rays_job_api_runs_nothing_for_strangers(stack: dict[str, str]) -> None:
    """CVE-2023-48022 (ShadowRay): the Jobs API is code execution, so it asks for the token, and listens here only."""
    address = stack["INTERLOCK_RAY_ADDRESS"]
    job = {"entrypoint": "touch /tmp/owned-by-a-stranger"}
    async with httpx.AsyncClient(base_url=address, trust_env=False) as stranger:
        for headers in ({}, {"Authorization": "Bearer nobody"}):
            answer = await stranger.post("/api/jobs/", json=job, headers=headers)
            assert answer.status_code in (401, 403), answer.text
    assert httpx.URL(address).host == "127.0.0.1"
    others = {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for other in others:
        with socket.socket() as tried:
            tried.settimeout(2)
            assert tried.connect_ex((other, httpx.URL(address).port)) != 0, f"Ray listens on {other}"


@pytest.mark.parametrize("key", ELSEWHERE)
def test_an_object_elsewhere_is_never_read(key: str) -> None:
    """CVE-2023-1177 and 2023-2780 (MLflow): a path from a client, and the fix that a backslash got around."""
    assert invalid_object_key("flights", key) is not None
    assert invalid_object_key("flights", "incoming/flights/2026/data.csv") is None


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_pipeline_names_no_object_elsewhere(key: str) -> None:
    """The same for the files that a pipeline has answered by schedule."""
    columns = {"x": {"type": "number"}, "y": {"type": "number"}}
    spec = {"name": "flights", "task": "regression", "target": "y", "data": {"columns": columns}}
    with pytest.raises(ValidationError):
        Pipeline.model_validate({**spec, "batch": [{"name": "all", "schedule": "0 3 * * *", "object": key}]})
    assert Batch(name="all", schedule="0 3 * * *").object is None


def test_no_request_and_no_event_from_outside_takes_a_path_or_an_address() -> None:
    """A walk over every field that a client may set; webhooks are the one exception, and checked by themselves."""
    suspicious = ("path", "url", "uri", "source", "file", "dir", "folder", "host", "endpoint", "key", "object")
    checked = {("DatasetSubmitted", "object"), ("Batch", "object")}
    requests = [each for each in vars(bodies).values() if isinstance(each, type) and issubclass(each, bodies.Request)]
    outside: list[type[BaseModel]] = [route.event for route in ROUTES if route.external]
    models: list[type[BaseModel]] = [*requests, *outside, Pipeline, Batch]
    found = {(model.__name__, field) for model in models for field in model.model_fields}
    assert outside
    assert not {(model, field) for model, field in found if field.split("_")[-1] in suspicious} - checked


@pytest.mark.parametrize(
    "address",
    [
        "/models/%252e%252e%252f%252e%252e%252fetc/versions",
        "/pipelines/%252e%252e",
        "/datasets/flights/%252e%252e%252f%252e%252e",
        "/runs/%252e%252e/cancel",
        "/models/..%5c..%5cetc",
    ],
)
async def test_an_address_that_is_encoded_twice_leads_nowhere(door: Door, address: str) -> None:
    """CVE-2024-1560 (MLflow): decoded once for the check and once more for the deletion."""
    door.behind.asked.clear()
    for method in ("GET", "POST", "DELETE"):
        answer = await door.http.request(method, address)
        assert answer.status_code in (400, 404, 405), answer.text
    assert not door.behind.asked, "nothing came through to a service"


@pytest.mark.parametrize("body", [{"source": "/etc"}, {"version": "../../x"}, {"run": "file:///"}])
async def test_a_model_version_comes_of_a_training_only(door: Door, body: dict[str, str]) -> None:
    """CVE-2025-11201 (MLflow): traversal in the creation of a version; here no route creates one, key or none."""
    for method in ("POST", "PUT", "PATCH"):
        for path in ("/models/flights/versions", "/models/flights/versions/2", "/models"):
            assert (await door.http.request(method, path, json=body)).status_code in (404, 405)


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "application/vnd.bentoml+pickle"])
async def test_a_pickle_as_a_body_runs_nothing(door: Door, tmp_path: Path, kind: str) -> None:
    """CVE-2024-2912 and 2025-27520 (BentoML): what came was unpickled."""
    trace = tmp_path / "opened"
    body = pickle.dumps(Opens(trace))
    headers = {"Content-Type": kind, "Payload-Container": "NumpyNdarray"}
    for path in (
        "/models/flights/predict",
        "/models/flights/predictions",
        "/v2/models/flights/infer",
        "/invocations",
        "/models/flights/feedback",
        "/models/flights/retrain",
    ):
        answer = await door.http.post(path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500, f"{path}: {answer.status_code}"
    assert not trace.exists()


async def test_a_form_with_an_endless_boundary_is_not_parsed(door: Door) -> None:
    """CVE-2024-9056 (BentoML): characters behind the boundary kept the parser busy; predictions are JSON only."""
    boundary = "a" * 50
    body = f"--{boundary}{'-' * 1_000_000}\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--{boundary}--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    for path in ("/models/flights/predict", "/models/flights/predictions", "/v2/models/flights/infer"):
        answer = await door.http.post(path, content=body.encode(), headers=headers)
        assert 400 <= answer.status_code < 500, f"{path}: {answer.status_code}"
        assert answer.elapsed.total_seconds() < 5
    assert (await door.predict(ROW)).status_code == 200


async def test_a_model_that_is_a_pickle_is_never_opened(door: Door, tmp_path: Path) -> None:
    """CVE-2025-54886 and 2024-37065 (skops): the safe loader fell back to joblib; ours has nothing to fall back to."""
    trace = tmp_path / "opened"
    bundle = put_model(door.store, 66)
    for which in (bundle.artifact, bundle.manifest):
        bad = bundle.model_copy(update={"artifact": door.store.put(pickle.dumps(Opens(trace)))})
        if which is bundle.manifest:
            bad = bundle.model_copy(update={"manifest": door.store.put(pickle.dumps(Opens(trace)))})
        door.behind.promote(bad, seq=door.behind.serving["flights"].promotion_seq + 1)
        await door.predict(ROW)
    assert (await door.predict(ROW)).json()["version"] == 1
    assert not trace.exists()


@pytest.mark.parametrize("location", ["../../../etc/passwd", "/etc/passwd", "weights.bin"])
def test_a_graph_that_keeps_its_weights_elsewhere_is_refused(location: str) -> None:
    """CVE-2024-27318, 2025-51480 and others (ONNX): external data is a path that somebody else wrote."""
    model = graph()
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value=location)
    with pytest.raises(ModelFormatError, match="keeps its numbers in itself"):
        engine(model)
