"""JSON bodies of clients: what a field that nobody knows is answered, wherever one can stand."""

import gzip
import json
from typing import Any

import pytest

from tests.support.gateway_app import Door
from tests.support.stored_models import ROW, put_model

ENTRY = {"prediction": "a/0", "actual": 1.0}
DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("predict", {"rows": [ROW], "colour": 1}),
        ("predictions", {"rows": [ROW], "colour": 1}),
        ("predictions", {"rows": [ROW], "webhook": {"url": "https://example.org/", "colour": 1}}),
        ("predictions", {"dataset": DIGEST, "colour": 1}),
        ("predictions", {"dataset": DIGEST, "webhook": {"url": "https://example.org/", "colour": 1}}),
        ("feedback", {"feedback": [ENTRY], "colour": 1}),
        ("feedback", {"feedback": [ENTRY | {"colour": 1}]}),
        ("retrain", {"reason": "new data", "colour": 1}),
    ],
)
async def test_an_unknown_field_is_refused_by_name(door: Door, route: str, body: Any) -> None:
    """Most are misspelt, and nothing that a client wants is silently ignored."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    door.behind.trainable.add("flights")
    await door.serves(1)
    answer = await door.http.post(f"/models/flights/{route}", json=body)

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "colour" in answer.text


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("predict", {"rows": [ROW]}),
        ("predict", {"rows": [ROW] * 2000}),
        ("invocations", {"dataframe_records": [ROW]}),
        ("predictions", {"rows": [ROW]}),
    ],
)
async def test_a_compressed_body_is_answered_as_the_plain_one(door: Door, route: str, body: Any) -> None:
    """Beside the fast path, which knows nothing of it; another coding than ours is refused in words."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    address, packed = f"/models/flights/{route}", gzip.compress(json.dumps(body).encode())
    kind = {"Content-Type": "application/json"}
    plain = await door.http.post(address, json=body)
    answer = await door.http.post(address, content=packed, headers=kind | {"Content-Encoding": "gzip"})
    other = await door.http.post(address, content=packed, headers=kind | {"Content-Encoding": "br"})

    assert answer.status_code == plain.status_code
    assert answer.json().get("predictions") == plain.json().get("predictions")
    assert other.status_code == 415
    assert "send gzip, deflate, or none" in other.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "route", ["/models/flights/predict", "/models/flights/predictions", "/v2/models/flights/infer"]
)
async def test_a_number_that_json_does_not_have_is_told_how_to_be_written(door: Door, route: str, number: str) -> None:
    """Python and its clients write it, and the byte at which JSON ends helps nobody."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    answer = await door.http.post(route, content=f'{{"rows": [{{"size": {number}}}]}}')

    assert answer.status_code == 400
    assert f"JSON has no {number.removeprefix('-')}: write null" in answer.text


@pytest.mark.parametrize(
    ("route", "body", "told"),
    [
        ("predict", '{"rows": [], "rows": [{"size": 1}]}', "'rows' is there twice in one object;"),
        ("predict", '{"rows": [{"size": 1}, {"size": 1, "size": 2}]}', "(at rows.1.size)"),
        ("predictions", '{"rows": [], "rows": [{"size": 1}]}', "'rows' is there twice in one object;"),
        ("predictions", f'{{"dataset": "{DIGEST}", "dataset": "{DIGEST}"}}', "'dataset' is there twice"),
        ("predictions", '{"rows": [{"size": 1}], "webhook": {"url": "a", "url": "b"}}', "(at webhook.url)"),
        ("invocations", '{"inputs": [], "inputs": [{"size": 1}]}', "'inputs' is there twice in one object;"),
        ("invocations", '{"dataframe_split": {"columns": [], "columns": ["size"], "data": [[1]]}}', ".columns)"),
        ("feedback", '{"feedback": [], "feedback": []}', "'feedback' is there twice in one object;"),
        ("feedback", '{"feedback": [{"prediction": "a/0", "actual": 1, "actual": 2}]}', "(at feedback.0.actual)"),
        ("retrain", '{"reason": "a", "reason": "b"}', "'reason' is there twice in one object;"),
    ],
)
async def test_a_key_that_is_twice_is_refused_with_its_path(door: Door, route: str, body: str, told: str) -> None:
    """Readers of JSON take the last of two in silence; whoever wrote both meant one of them."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    door.behind.trainable.add("flights")
    await door.serves(1)
    answer = await door.http.post(
        f"/models/flights/{route}", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == (400 if route == "invocations" else 422)
    assert told in answer.json()["message" if route == "invocations" else "detail"]


INPUT = '"name": "size", "datatype": "FP64", "shape": [1]'


@pytest.mark.parametrize(
    ("route", "body", "told"),
    [
        ("models/flights/infer", f'{{"inputs": [], "inputs": [{{{INPUT}, "data": [1]}}]}}', "'inputs' is there twice"),
        ("models/flights/infer", f'{{"inputs": [{{{INPUT}, "data": [1], "data": [2]}}]}}', "(at inputs.0.data)"),
        ("models/flights/infer", f'{{"inputs": [{{{INPUT}, "data": [1]}}], "x": {{"y": 1, "y": 1}}}}', "(at x.y)"),
        ("repository/index", '{"ready": false, "ready": true}', "'ready' is there twice in one object;"),
    ],
)
async def test_a_key_that_is_twice_is_refused_over_the_open_inference_protocol(
    door: Door, route: str, body: str, told: str
) -> None:
    """In its own form of errors; what the protocol does not know is ignored, but not judged by its last value."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    answer = await door.http.post(f"/v2/{route}", content=body)

    assert answer.status_code == 400
    assert told in answer.json()["error"]


@pytest.mark.parametrize("space", ["", " "])
async def test_optional_parts_of_an_inference_request_are_no_key_twice(door: Door, space: str) -> None:
    """Parameters of every kind, null, and colons in texts."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    parameters = {"parameters": {"a:b": 1, "c": "d : e"}}
    tensor = {"name": "size", "datatype": "FP64", "shape": [1], "data": [1.0]} | parameters
    request = {"id": None, "inputs": [tensor], "outputs": [{"name": "prediction"} | parameters]} | parameters
    body = json.dumps(request, separators=(",", f"{space}:"))
    answer = await door.http.post("/v2/models/flights/infer", content=body)

    assert answer.json()["outputs"][0]["data"] == [1001.0]
