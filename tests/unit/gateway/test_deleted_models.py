"""A deleted model is gone in every protocol: 410, or what the protocol has for it, with who deleted it."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from interlock_gateway.protocols import open_inference_pb2 as pb

from tests.support.gateway_app import KEY, Door, bound, opened
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

TOLD = "model 'flights' was deleted by ada at 2026-11-30"

REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/models/flights/predict", {"rows": [ROW]}),
    ("POST", "/models/flights/predictions", {"rows": [ROW]}),
    ("POST", "/models/flights/feedback", {"feedback": [{"prediction": "a/0", "actual": 1}]}),
    ("POST", "/models/flights/invocations", {"instances": [ROW]}),
    ("POST", "/models/flights/retrain", {}),
    ("GET", "/models/flights/schema", None),
    ("GET", "/v2/models/flights", None),
    ("GET", "/v2/models/flights/versions/1", None),
    ("POST", "/v2/models/flights/infer", {"inputs": [{"name": "size", "datatype": "FP64", "shape": [1], "data": [1]}]}),
)


async def _deleted(door: Door) -> None:
    """Let the model serve, and then be deleted; the worker learns it from the registry's answer alone."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    door.behind.delete("flights")

    async def gone() -> bool:
        return (await door.predict(ROW)).status_code == 410

    await until(gone)


@pytest.mark.parametrize("fast", [True, False])
async def test_every_route_answers_410_and_says_who_deleted_the_model(tmp_path: Path, fast: bool) -> None:
    """The errors of the Open Inference Protocol and of MLflow have forms of their own."""
    async with opened(tmp_path, fast_path=fast) as door:
        await _deleted(door)
        for method, path, body in REQUESTS:
            answer = await door.http.request(method, path, json=body)
            assert (answer.status_code, TOLD in answer.text) == (410, True), (path, answer.text)
        mlflow = await door.http.post("/models/flights/invocations", json={"instances": [ROW]})
        assert mlflow.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_over_grpc_it_is_not_found(tmp_path: Path) -> None:
    """One code of gRPC is for what is not there, and for what is not there any more."""
    with bound() as sock:
        port = sock.getsockname()[1]
    async with opened(tmp_path, grpc_port=port) as door:
        await _deleted(door)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            infer: Any = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelInfer",
                pb.ModelInferRequest.SerializeToString,
                pb.ModelInferResponse.FromString,
            )
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await infer(pb.ModelInferRequest(model_name="flights"), metadata=[("authorization", f"Bearer {KEY}")])
    assert (caught.value.code(), TOLD in (caught.value.details() or "")) == (grpc.StatusCode.NOT_FOUND, True)
