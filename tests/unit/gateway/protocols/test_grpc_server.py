"""The Open Inference Protocol over gRPC: the same answers, and errors by the codes that clients know."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from interlock_gateway.protocols import open_inference_pb2 as pb

from tests.support.gateway_app import KEY, Door, bound, opened
from tests.support.stored_models import put_classifier, put_model

GATEWAY = Path(__file__).resolve().parents[4] / "services" / "gateway"
PROTO = Path("interlock_gateway/protocols/open_inference.proto")


class Caller:
    """A gRPC client of one gateway."""

    def __init__(self, channel: grpc.aio.Channel, door: Door) -> None:
        self._channel = channel
        self.door = door

    async def call(self, name: str, key: str | None = KEY, /, **fields: Any) -> Any:
        request, response = getattr(pb, f"{name}Request"), getattr(pb, f"{name}Response")
        method: Any = self._channel.unary_unary(
            f"/inference.GRPCInferenceService/{name}", request.SerializeToString, response.FromString
        )
        return await method(request(**fields), metadata=[("authorization", f"Bearer {key}")] if key else None)

    async def refused(self, code: grpc.StatusCode, name: str, key: str | None = KEY, /, **fields: Any) -> str:
        """Return the words of a call that fails with ``code``."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(name, key, **fields)
        assert caught.value.code() == code, caught.value.details()
        return caught.value.details() or ""


@pytest.fixture(scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    with bound() as sock:
        port = sock.getsockname()[1]
    async with opened(tmp_path_factory.mktemp("models"), grpc_port=port) as door:
        door.behind.promote(put_model(door.store, 1), seq=1)
        door.behind.promote(put_classifier(door.store, model="sales"), seq=1)
        await door.serves(1)
        await door.serves(1, model="sales")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Caller(channel, door)


def sizes(*values: float, datatype: str = "FP64", **contents: Any) -> dict[str, Any]:
    """Return an input tensor for the column ``size``."""
    return {"name": "size", "datatype": datatype, "shape": [len(values)], **contents}


async def test_raw_tensors_are_answered_raw(caller: Caller) -> None:
    """What `tritonclient` sends: bytes in the order of the inputs."""
    raw = [np.array([3, 5], "<f4").tobytes()]
    answer = await caller.call(
        "ModelInfer", model_name="flights", id="abc", inputs=[sizes(3, 5, datatype="FP32")], raw_input_contents=raw
    )

    assert (answer.model_name, answer.model_version, answer.id) == ("flights", "1", "abc")
    assert [(each.name, each.datatype, list(each.shape)) for each in answer.outputs] == [("prediction", "FP64", [2])]
    assert np.frombuffer(answer.raw_output_contents[0]).tolist() == [1003.0, 1005.0]
    (told,) = json.loads(answer.parameters["warnings"].string_param)
    assert told == {
        "row": 0,
        "column": "color",
        "message": "the column is missing here and in 1 more rows; it counts as null",
    }


async def test_warnings_are_the_same_in_every_protocol(caller: Caller) -> None:
    """A category that training has not seen, and a number out of its range: in `/predict`'s words, at their rows."""
    names, rows = ("size", "color"), [(3.0, "red"), (500.0, "violet"), (4.0, "green")]
    records = [dict(zip(names, row, strict=True)) for row in rows]
    told = (await caller.door.predict(*records)).json()["warnings"]
    inputs = [
        {"name": name, "datatype": kind, "shape": [3], "data": [row[place] for row in rows]}
        for place, (name, kind) in enumerate([("size", "FP64"), ("color", "BYTES")])
    ]
    over_rest = await caller.door.http.post("/v2/models/flights/infer", json={"inputs": inputs})
    over_mlflow = await caller.door.http.post("/models/flights/invocations", json={"dataframe_records": records})
    raw = [np.array([row[0] for row in rows]).tobytes()]
    raw.append(b"".join(len(row[1]).to_bytes(4, "little") + row[1].encode() for row in rows))
    tensors = [{name: each[name] for name in ("name", "datatype", "shape")} for each in inputs]
    over_grpc = await caller.call("ModelInfer", model_name="flights", inputs=tensors, raw_input_contents=raw)

    assert [(each["row"], each["column"]) for each in told] == [(1, "size"), (1, "color")]
    assert json.loads(over_rest.json()["parameters"]["warnings"]) == told
    assert json.loads(over_grpc.parameters["warnings"].string_param) == told
    assert over_mlflow.json()["warnings"] == told


async def test_a_client_gets_the_first_warnings_and_how_many_there_are_beside(caller: Caller) -> None:
    """Ten thousand of them would be more than a client of gRPC takes."""
    colors = {"name": "color", "datatype": "BYTES", "shape": [250], "contents": {"bytes_contents": [b"red"] * 250}}
    inputs = [sizes(*[1000.0] * 250, contents={"fp64_contents": [1000.0] * 250}), colors]
    answer = await caller.call("ModelInfer", model_name="flights", inputs=inputs)
    told = json.loads(answer.parameters["warnings"].string_param)

    assert [each["row"] for each in told] == list(range(100))
    assert answer.parameters["warnings_left_off"].string_param == "150"


async def test_typed_contents_are_answered_typed(caller: Caller) -> None:
    """Labels keep their type, and stand with the probabilities."""
    inputs = [
        sizes(1, 4, contents={"fp64_contents": [1, 4]}),
        {"name": "color", "datatype": "BYTES", "shape": [2, 1], "contents": {"bytes_contents": [b"red", b"green"]}},
    ]
    answer = await caller.call("ModelInfer", model_name="sales", inputs=inputs)
    prediction, probabilities = answer.outputs
    assert not answer.parameters

    assert list(prediction.contents.bool_contents) == [False, True]
    assert probabilities.parameters["labels"].string_param == "[false, true]"
    rows = np.array(probabilities.contents.fp64_contents).reshape(probabilities.shape)
    assert np.allclose(rows.sum(axis=1), 1)
    only = await caller.call("ModelInfer", model_name="sales", inputs=inputs, outputs=[{"name": "probabilities"}])
    assert [each.name for each in only.outputs] == ["probabilities"]


async def test_the_key_comes_back_typed(caller: Caller) -> None:
    """Behind the predictions, as over HTTP."""
    door = caller.door
    door.behind.promote(put_model(door.store, 1, model="keyed", key=["who"]), seq=1)
    await door.serves(1, model="keyed")
    who = {"name": "who", "datatype": "BYTES", "shape": [2], "contents": {"bytes_contents": [b"Ada", b"Joan"]}}
    inputs = [sizes(3, 5, contents={"fp64_contents": [3, 5]}), who]
    answer = await caller.call("ModelInfer", model_name="keyed", inputs=inputs)

    assert [each.name for each in answer.outputs] == ["prediction", "who"]
    assert list(answer.outputs[1].contents.bytes_contents) == [b"Ada", b"Joan"]


async def test_health_metadata_and_index_say_what_rest_says(caller: Caller) -> None:
    """One server, two ways to ask it."""
    metadata = await caller.call("ModelMetadata", name="sales")
    index = await caller.call("RepositoryIndex", ready=True)

    assert (await caller.call("ServerLive", None)).live
    assert not (await caller.call("ServerReady", None)).ready  # this door has no broker
    assert (await caller.call("ServerMetadata")).name == "interlock"
    assert (await caller.call("ModelReady", name="sales", version="1")).ready
    assert not (await caller.call("ModelReady", name="sales", version="2")).ready
    assert [(each.name, each.datatype) for each in metadata.inputs] == [("size", "FP64"), ("color", "BYTES")]
    assert [list(each.shape) for each in metadata.outputs] == [[-1], [-1, 2]]
    assert ("sales", "1", "READY") in [(each.name, each.version, each.state) for each in index.models]


async def test_errors_have_the_codes_that_clients_know(caller: Caller) -> None:
    """Who asks wrongly is told what would be right; who may not ask is told that."""
    code = grpc.StatusCode
    asked: dict[str, Any] = {"model_name": "flights", "inputs": [sizes(1, contents={"fp64_contents": [1]})]}

    assert "Bearer" in await caller.refused(code.UNAUTHENTICATED, "ModelInfer", None, **asked)
    assert "Bearer" in await caller.refused(code.UNAUTHENTICATED, "RepositoryIndex", "wrong-key")
    assert "nobody" in await caller.refused(code.NOT_FOUND, "ModelInfer", model_name="nobody")
    assert "1 does" in await caller.refused(code.NOT_FOUND, "ModelInfer", **asked, model_version="2")
    await caller.refused(code.RESOURCE_EXHAUSTED, "ModelInfer", **asked, raw_input_contents=[bytes(11 * 1024 * 1024)])


@pytest.mark.parametrize(
    ("inputs", "raw", "words"),
    [
        ([], [], "there is no input tensor"),
        ([sizes(1)], [], "but 0 elements"),
        ([sizes(1)], [bytes(8), bytes(8)], "1 input tensors, but 2"),
        ([sizes(1)], [bytes(7)], "takes 8 bytes"),
        ([sizes(1, datatype="FP16")], [], "send it raw"),
        ([sizes(1, datatype="INT8", contents={"int_contents": [300]})], [], "no INT8"),
        ([sizes(1, parameters={"shared_memory_region": {"string_param": "x"}})], [], "shared memory"),
        ([sizes(1, contents={"fp64_contents": [float("inf")]})], [], "row 0: inf"),
    ],
)
async def test_wrong_tensors_are_invalid_arguments(caller: Caller, inputs: Any, raw: Any, words: str) -> None:
    """The same words as over HTTP."""
    asked = {"model_name": "flights", "inputs": inputs, "raw_input_contents": raw}

    assert words in await caller.refused(grpc.StatusCode.INVALID_ARGUMENT, "ModelInfer", **asked)


def test_the_messages_are_what_their_definition_says(tmp_path: Path) -> None:
    """`make proto` would change nothing."""
    tools = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*tools, str(PROTO)], cwd=GATEWAY, check=True)

    for written in ("open_inference_pb2.py", "open_inference_pb2.pyi"):
        anew = tmp_path / PROTO.parent / written
        assert anew.read_text() == (GATEWAY / PROTO.parent / written).read_text(), "run `make proto`"


async def test_a_threshold_chooses_the_label(caller: Caller) -> None:
    """As over HTTP: 0.27 and 0.38 are below one half, and the second is not below 0.3."""
    caller.door.behind.promote(put_classifier(caller.door.store, model="eager", threshold=0.3), seq=1)
    await caller.door.serves(1, model="eager")
    raw = [np.array([1, 1.5], "<f8").tobytes()]
    answer = await caller.call("ModelInfer", model_name="eager", inputs=[sizes(1, 1.5)], raw_input_contents=raw)

    assert np.frombuffer(answer.raw_output_contents[0], np.bool_).tolist() == [False, True]
