"""The Open Inference Protocol over HTTP, as its specification has it; the real clients are asked in tests/clients."""

import gzip
import json
import struct
import zlib
from typing import Any

import httpx
import numpy as np
import pytest
from interlock_contracts.predictions import MAX_ROWS

from tests.support.gateway_app import Door, client

SIZE = {"name": "size", "shape": [2], "datatype": "FP64", "data": [3.0, 5.0]}
COLOR = {"name": "color", "shape": [2], "datatype": "BYTES", "data": ["green", "red"]}
LENGTH = "Inference-Header-Content-Length"


async def infer(door: Door, *inputs: Any, model: str = "flights", **more: Any) -> httpx.Response:
    return await door.http.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs), **more})


def refusal(answer: httpx.Response, status: int = 400) -> str:
    """Return the words of a refusal in the protocol's form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json().keys() == {"error"}
    return str(answer.json()["error"])


async def test_tensors_in_json_are_answered_in_json(serving: Door) -> None:
    """One tensor a column goes in, one prediction a row comes out, with the version and the id that was sent."""
    answer = await infer(serving, SIZE, COLOR, id="abc", parameters={"priority": 1})

    assert answer.json() == {
        "model_name": "flights",
        "model_version": "1",
        "id": "abc",
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [2], "data": [1003.0, 1005.0]}],
    }


@pytest.mark.parametrize(
    ("datatype", "data"),
    [("FP32", [3, 5]), ("FP16", [3, 5]), ("INT8", [3, 5]), ("UINT64", [3, 5]), ("INT64", [3.0, 5.0])],
)
async def test_numbers_may_come_in_any_numeric_type(serving: Door, datatype: str, data: list[Any]) -> None:
    """What a client's language calls its numbers is no reason to refuse them."""
    answer = await infer(serving, {**SIZE, "datatype": datatype, "data": data})

    assert answer.json()["outputs"][0]["data"] == [1003.0, 1005.0]


async def test_a_column_may_be_written_as_a_matrix(serving: Door) -> None:
    """Shape [n, 1], nested or flat, is the same column."""
    nested = await infer(serving, {**SIZE, "shape": [2, 1], "data": [[3.0], [5.0]]})
    flat = await infer(serving, {**SIZE, "shape": [2, 1]})

    assert nested.json()["outputs"] == flat.json()["outputs"]
    assert flat.json()["outputs"][0]["data"] == [1003.0, 1005.0]


def binary(*tensors: tuple[str, str, bytes], rows: int = 2, **more: Any) -> tuple[bytes, int]:
    """Return a body of the binary extension, and where its JSON ends."""
    inputs = [
        {"name": name, "datatype": kind, "shape": [rows], "parameters": {"binary_data_size": len(raw)}}
        for name, kind, raw in tensors
    ]
    head = json.dumps({"inputs": inputs, **more}).encode()
    return head + b"".join(raw for _, _, raw in tensors), len(head)


async def send(door: Door, body: bytes, length: Any, *, model: str = "flights") -> httpx.Response:
    headers = {LENGTH: str(length), "Content-Type": "application/octet-stream"}
    return await door.http.post(f"/v2/models/{model}/infer", content=body, headers=headers)


COLORS = b"".join(struct.pack("<I", len(each)) + each for each in (b"green", b"red"))


async def test_tensors_may_come_and_go_as_bytes(serving: Door) -> None:
    """The binary extension: raw little-endian values after the JSON, whose length a header tells."""
    sizes = np.array([1.0, 4.0], "<f4").tobytes()
    body, length = binary(("size", "FP32", sizes), ("color", "BYTES", COLORS), parameters={"binary_data_output": True})
    answer = await send(serving, body, length, model="sales")
    end = int(answer.headers[LENGTH])
    head = json.loads(answer.content[:end])
    prediction, probabilities = head["outputs"]

    assert answer.headers["content-type"] == "application/octet-stream"
    assert (prediction["datatype"], prediction["parameters"]["binary_data_size"]) == ("BOOL", 2)
    assert answer.content[end : end + 2] == b"\x00\x01"
    assert probabilities["parameters"] == {"labels": "[false, true]", "binary_data_size": 32}
    rows = np.frombuffer(answer.content[end + 2 :], "<f8").reshape(probabilities["shape"])
    assert np.allclose(rows.sum(axis=1), 1)


async def test_only_the_outputs_asked_for_come_each_as_asked(serving: Door) -> None:
    """`binary_data` of one output counts more than what the whole request says."""
    sizes = {**SIZE, "data": [1.0, 4.0]}
    wanted = [{"name": "probabilities", "parameters": {"binary_data": False}}]
    answer = await infer(serving, sizes, model="sales", outputs=wanted, parameters={"binary_data_output": True})

    assert [each["name"] for each in answer.json()["outputs"]] == ["probabilities"]
    assert LENGTH not in answer.headers
    assert "no output 'prices'" in refusal(await infer(serving, SIZE, outputs=[{"name": "prices"}]))
    shared = [{"name": "prediction", "parameters": {"shared_memory_region": "x"}}]
    assert "not offered" in refusal(await infer(serving, SIZE, outputs=shared))


async def test_what_is_missing_is_null_or_left_out(serving: Door) -> None:
    """A nullable column may lack single values or all of them; another may not."""
    left_out = (await infer(serving, SIZE)).json()
    (told,) = json.loads(left_out["parameters"]["warnings"])
    message = "the column is missing here and in 1 more rows; it counts as null"
    assert told == {"row": 0, "column": "color", "message": message}

    with_nulls = (await infer(serving, SIZE, {**COLOR, "data": [None, "red"]})).json()
    assert (with_nulls["outputs"], "parameters" in with_nulls) == (left_out["outputs"], False)
    assert "row 1: missing" in refusal(await infer(serving, {**SIZE, "data": [1.0, None]}))
    assert "'size' is missing" in refusal(await infer(serving, COLOR))
    body, length = binary(("size", "FP64", np.array([1.0, np.nan]).tobytes()))
    assert "row 1: missing" in refusal(await send(serving, body, length))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "there is no input tensor"),
        ([SIZE, SIZE], "given twice"),
        ([{**SIZE, "name": "siez"}], "did you mean 'size'"),
        ([{**SIZE, "name": "price"}], "what the model predicts"),
        ([{**SIZE, "shape": [2, 2]}], "expected [n] or [n, 1]"),
        ([{**SIZE, "shape": []}], "expected [n] or [n, 1]"),
        ([{**SIZE, "shape": [-1]}], "send from 1 to"),
        ([{**SIZE, "shape": [0], "data": []}], "send from 1 to"),
        ([{**SIZE, "shape": [10**30]}], "send from 1 to"),
        ([{**SIZE, "shape": [MAX_ROWS + 1]}], "send from 1 to"),
        ([{**SIZE, "shape": [3]}], "2 elements"),
        ([SIZE, {**COLOR, "shape": [1], "data": ["red"]}], "has 1 rows, others have 2"),
        ([{**SIZE, "datatype": "BYTES", "data": ["1", "big"]}], "row 1: 'big' is not a number"),
        ([{**SIZE, "datatype": "BF16"}], "expected FP64"),
        ([{**SIZE, "datatype": "BOOL", "data": [True, False]}], "expected FP64"),
        ([SIZE, {**COLOR, "datatype": "FP64", "data": [1, 2]}], "expected BYTES"),
        ([{**SIZE, "data": [1.0, "2"]}], "row 1: '2'"),
        ([{**SIZE, "data": [1.0, True]}], "row 1: True"),
        ([{**SIZE, "data": [1.0, [2.0]]}], "row 1: [2.0]"),
        ([{**SIZE, "data": [1, 10**400]}], ""),
        ([SIZE, {**COLOR, "data": ["red", 7]}], "row 1: 7"),
        ([{**SIZE, "data": None}], "neither data nor binary_data_size"),
        ([{**SIZE, "parameters": {"shared_memory_region": "x"}}], "shared memory"),
        ([{"name": "size"}], "not an inference request"),
        ("no list", "not an inference request"),
    ],
)
async def test_wrong_tensors_are_told_what_would_be_right(serving: Door, inputs: Any, words: str) -> None:
    """Shape, type, name, count: 400 with words, never 500."""
    assert words in refusal(await serving.http.post("/v2/models/flights/infer", json={"inputs": inputs}))


@pytest.mark.parametrize(
    ("length", "words"),
    [("-1", "not a length"), ("abc", "not a length"), ("²", ""), ("9" * 5000, "not a length"), (10**6, "")],
)
async def test_a_lying_header_length_is_told(serving: Door, length: Any, words: str) -> None:
    """The header must point into the body."""
    body, _ = binary(("size", "FP64", bytes(16)))

    assert words in refusal(await send(serving, body, length if isinstance(length, int) else length.encode()))


async def test_lying_sizes_are_told(serving: Door) -> None:
    """No tensor takes more bytes than there are, fewer than its shape says, or leaves some over."""
    for raw, size, words in [(bytes(16), 24, "are left"), (bytes(8), 8, "takes 16 bytes"), (bytes(20), 16, "to none")]:
        tensor = {"name": "size", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": size}}
        head = json.dumps({"inputs": [tensor]}).encode()
        assert words in refusal(await send(serving, head + raw, len(head)))
    for raw in (COLORS[:-1], COLORS + b"x", b"\xff\xff\xff\xff", b"\x01\x00", b"\x01\x00\x00\x00\xff" * 2):
        body, length = binary(("size", "FP64", bytes(16)), ("color", "BYTES", raw))
        assert "'color'" in refusal(await send(serving, body, length))


async def test_bodies_without_content_type_are_read_and_bad_ones_refused(serving: Door) -> None:
    """Clients of the field send neither content type nor, where nothing is asked, a body."""
    body = json.dumps({"inputs": [SIZE]}).encode()

    assert (await serving.http.post("/v2/models/flights/infer", content=body)).status_code == 200
    assert "not JSON" in refusal(await serving.http.post("/v2/models/flights/infer", content=b'{"inputs"'))
    assert "not JSON" in refusal(await serving.http.post("/v2/models/flights/infer"))
    too_large = await serving.http.post("/v2/models/flights/infer", content=bytes(11 * 1024 * 1024))
    assert refusal(too_large, 413)


async def test_bodies_may_be_compressed(serving: Door) -> None:
    """With gzip or deflate; a small body that would become a huge one is refused before it does."""
    body = json.dumps({"inputs": [SIZE]}).encode()

    async def sent(content: bytes, encoding: str) -> httpx.Response:
        headers = {"Content-Encoding": encoding}
        return await serving.http.post("/v2/models/flights/infer", content=content, headers=headers)

    for encoding, content in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)), ("identity", body)):
        assert (await sent(content, encoding)).json()["outputs"][0]["data"] == [1003.0, 1005.0]
    assert refusal(await sent(gzip.compress(bytes(11 * 1024 * 1024)), "gzip"), 413)
    assert "cut off" in refusal(await sent(gzip.compress(body)[:-5], "gzip"))
    assert "not what Content-Encoding says" in refusal(await sent(body, "deflate"))
    assert "'br' is not offered" in refusal(await sent(body, "br"), 415)


async def test_health_is_open_and_the_rest_asks_for_the_key(serving: Door) -> None:
    """Probes have no key; whoever has none is told so in the protocol's form."""
    async with client(str(serving.http.base_url), key=None) as nobody:
        assert (await nobody.get("/v2/health/live")).json() == {"live": True}
        ready = await nobody.get("/v2/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False})  # this door has no broker
        assert "Authorization" in refusal(await nobody.get("/v2/models/flights"), 401)
        assert "Authorization" in refusal(await nobody.post("/v2/models/flights/infer", json={}), 401)


async def test_metadata_names_tensors_and_labels(serving: Door) -> None:
    """A client can build its tensors from what it is told."""
    server = (await serving.http.get("/v2")).json()
    flights = (await serving.http.get("/v2/models/flights")).json()
    sales = (await serving.http.get("/v2/models/sales/versions/1")).json()

    assert server["name"] == "interlock"
    assert server["extensions"] == ["binary_tensor_data", "model_repository"]
    assert flights["versions"] == ["1"]
    assert flights["inputs"] == [
        {"name": "size", "datatype": "FP64", "shape": [-1]},
        {"name": "color", "datatype": "BYTES", "shape": [-1]},
    ]
    assert [each["name"] for each in flights["outputs"]] == ["prediction"]
    assert sales["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]}
    assert sales["properties"]["labels"] == "[false, true]"


async def test_only_the_version_that_serves_can_be_asked(serving: Door) -> None:
    """An old version is not kept loaded, and is never answered by another in silence."""
    for path in ("", "/ready"):
        assert (await serving.http.get(f"/v2/models/flights/versions/1{path}")).status_code == 200
        assert "1 does" in refusal(await serving.http.get(f"/v2/models/flights/versions/2{path}"), 404)
    answer = await serving.http.post("/v2/models/flights/versions/7/infer", json={"inputs": [SIZE]})
    assert "version 7 of 'flights' does not serve" in refusal(answer, 404)


async def test_what_is_not_there_is_said_in_the_protocols_form(serving: Door) -> None:
    """Unknown models, unknown paths and wrong methods are errors like all others."""
    assert "no pipeline is called 'nobody'" in refusal(await serving.http.get("/v2/models/nobody"), 404)
    assert "no pipeline is called 'nobody'" in refusal(await infer(serving, SIZE, model="nobody"), 404)
    assert refusal(await serving.http.get("/v2/models/flights/config"), 404)
    assert refusal(await serving.http.get("/v2/systemsharedmemory/status"), 404)
    assert refusal(await serving.http.put("/v2/models/flights/infer"), 405)
    assert (await serving.http.get("/v1/models/flights")).headers["content-type"] == "application/problem+json"


async def test_the_index_lists_every_model(serving: Door) -> None:
    """The repository extension, asked with an empty body as clients do."""
    index = await serving.http.post("/v2/repository/index")

    assert index.status_code == 200
    assert {"name": "flights", "version": "1", "state": "READY", "reason": ""} in index.json()


async def test_a_model_is_unloaded_and_loaded_on_request(serving: Door) -> None:
    """While it is unloaded nobody summons it by asking; the index says why it does not answer."""
    repository = "/v2/repository/models/sales"
    assert (await serving.http.post(f"{repository}/unload", json={})).json() == {}
    entry = {"name": "sales", "version": "", "state": "UNAVAILABLE", "reason": "unloaded by request"}
    assert entry in (await serving.http.post("/v2/repository/index", json={})).json()
    assert entry not in (await serving.http.post("/v2/repository/index", json={"ready": True})).json()
    assert "unloaded by request" in refusal(await infer(serving, SIZE, model="sales"), 503)
    assert (await serving.http.post(f"{repository}/load")).status_code == 200

    assert (await infer(serving, SIZE, model="sales")).status_code == 200
    for action in ("load", "unload"):
        answer = await serving.http.post(f"/v2/repository/models/nobody/{action}")
        assert "no pipeline is called 'nobody'" in refusal(answer, 404)


async def test_as_many_rows_as_may_come_are_answered(serving: Door) -> None:
    """Read and computed beside the event loop, in order."""
    sizes = np.arange(MAX_ROWS, dtype="<f8") / MAX_ROWS
    colors = (struct.pack("<I", 3) + b"red") * MAX_ROWS
    body, length = binary(("size", "FP64", sizes.tobytes()), ("color", "BYTES", colors), rows=MAX_ROWS)
    answer = (await send(serving, body, length)).json()["outputs"][0]

    assert answer["shape"] == [MAX_ROWS]
    assert np.allclose(answer["data"], 1000 + sizes)
