"""Predictions over HTTP: right answers, and wrong requests told what would be right."""

import gc
import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.predictions import MAX_ROWS
from interlock_gateway.domain import BODY_LIMIT
from interlock_gateway.inference.resolve import model_not_available
from interlock_gateway.proxy.upstreams import Upstreams

from tests.support.dependencies import dependency
from tests.support.gateway_app import Door
from tests.support.stored_models import ROW, put_classifier, put_model
from tests.support.waiting import until


@pytest.fixture
async def serving(door: Door) -> Door:
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    return door


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem details of a refused request."""
    told: dict[str, Any] = answer.json()
    assert answer.status_code == told["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    return told


async def test_an_answer_names_its_version_and_keeps_the_order_of_rows(serving: Door) -> None:
    """Whoever got a prediction can say later which model made it."""
    answer = await serving.predict(ROW, {"size": 5, "color": None})
    body = answer.json()

    assert answer.status_code == 200
    assert (body["model"], body["version"], body["predictions"]) == ("flights", 1, [1003.0, 1005.0])
    assert body.keys() == {"id", "model", "version", "predictions"}
    assert (await serving.predict(ROW)).json()["id"] != body["id"]


@pytest.mark.parametrize("route", ["predict", "predictions"])
@pytest.mark.parametrize("space", ["", " ", "\t"])
@pytest.mark.parametrize("rest", ["", ', "unknown": 1', ', "color": "red"', ', "at": {"day": 1}'])
async def test_a_column_that_is_twice_in_a_row_is_refused_by_name(
    serving: Door, route: str, rest: str, space: str
) -> None:
    """Readers of JSON keep the last of two; whoever sent them meant one, and nobody can tell which."""
    row = f'{{"size"{space}: 3.0, "color": "red", "size": 4.0{rest}}}'
    told = problem(await serving.http.post(f"/models/flights/{route}", content=f'{{"rows": [{row}]}}'), 422)

    assert told["title"] == "A key is there twice"
    assert told["detail"].startswith("'size' is there twice in one object")


async def test_spaces_and_quotes_do_not_make_a_column_twice(serving: Door) -> None:
    """Keys are counted to see that none is twice: what only looks like another one is read with care."""
    for body in (
        '{"rows" : [{"size" : 3.0, "color" : "red"}]}',
        json.dumps({"rows": [{"size": 3.0, "color": 'a":b'}]}),
        json.dumps({"rows": [ROW | {"size": 3.0}] * 2000}, separators=(",", ":")),
    ):
        answer = await serving.http.post("/models/flights/predict", content=body)

        assert answer.json()["predictions"][0] == 1003.0


async def test_a_classification_answers_labels_and_probabilities(serving: Door) -> None:
    """Labels stand in the answer as in the data; as names of probabilities they are JSON's spelling."""
    serving.behind.promote(put_classifier(serving.store, model="sales"), seq=1)
    await serving.serves(1, model="sales")
    body = (await serving.predict({"size": 1.0}, {"size": 4.0}, model="sales")).json()

    assert body["predictions"] == [False, True]
    assert [each.keys() for each in body["probabilities"]] == [{"false", "true"}] * 2
    assert all(math.isclose(sum(each.values()), 1.0) for each in body["probabilities"])


async def test_an_unknown_category_is_answered_with_a_warning(serving: Door) -> None:
    """A new category is no reason to fail, but nobody should have to guess."""
    body = (await serving.predict(ROW, {"size": 1.0, "color": "violet"})).json()
    (warning,) = body["warnings"]

    assert (warning["row"], warning["column"]) == (1, "color")
    assert warning["message"].startswith("category 'violet' is not among the ")


@pytest.mark.parametrize("rows", [17, MAX_ROWS])
async def test_many_rows_are_answered_like_few(serving: Door, rows: int) -> None:
    """Large requests are computed in a thread; nothing else is different."""
    body = (await serving.predict(*[{"size": float(each % 50)} for each in range(rows)])).json()

    assert body["predictions"] == [1000.0 + each % 50 for each in range(rows)]


async def test_wrong_rows_are_told_row_column_and_what_would_be_right(serving: Door) -> None:
    """Every fault at once, so that one round of corrections is enough."""
    told = problem(await serving.predict(ROW, {"size": "big", "colour": "red"}, {"color": None}, 7), 422)

    assert [(each["row"], each["column"]) for each in told["errors"]] == [
        (1, "colour"),
        (1, "size"),
        (2, "size"),
        (3, ""),
    ]
    messages = [each["message"] for each in told["errors"]]
    assert "'color'" in messages[0]
    assert "from 0 to 100" in messages[1]
    assert "missing" in messages[2]
    assert "row 1, column 'colour'" in told["detail"]
    assert "3 more" in told["detail"]


@pytest.fixture
def without_collection() -> Iterator[None]:
    """Let the garbage collector rest: at a reader's greatest depth no finalizer of a lost connection has stack left."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collection")
@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (b'{"rows": [{"size": NaN}]}', 400, "JSON"),
        (b'{"rows": [{"size": Infinity}]}', 400, "JSON"),
        (b'{"rows": [{"size": 1e999}]}', 422, ""),
        (b'{"rows": [{"size": "\xff"}]}', 400, "JSON"),
        (b'{"rows": [' + b"[" * 100_000, 400, "JSON"),
        (b'{"rows": [{"size": ' + b"9" * 5_000 + b"}]}", 422, ""),
        (b"[]", 422, "rows"),
        (b"{}", 422, "rows"),
        (b'{"rows": 1}', 422, "array"),
        (b'{"row": [{"size": 1}]}', 422, "row"),
        (b'{"rows": [], "more": 1}', 422, "more"),
        (b'{"rows": []}', 422, "at least one"),
        (json.dumps({"rows": [ROW] * (MAX_ROWS + 1)}).encode(), 422, "at most 10000"),
        (b'{"rows": [{"size": 1, "": {"a": [1]}}]}', 422, "unknown column"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
async def test_what_is_no_request_is_refused_in_words(serving: Door, body: bytes, status: int, word: str) -> None:
    """No JSON is 400, JSON of another form is 422, and neither is ever a 500."""
    told = problem(await serving.http.post("/models/flights/predict", content=body), status)

    assert word in json.dumps(told)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused(serving: Door, announced: bool) -> None:
    """By its announced length, and by what really comes."""

    async def parts() -> Any:
        for _ in range(BODY_LIMIT // 2**20 + 1):
            yield b" " * 2**20

    content = b" " * (BODY_LIMIT + 1) if announced else parts()
    problem(await serving.http.post("/models/flights/predict", content=content), 413)


async def test_a_model_that_does_not_serve_is_told_apart(serving: Door) -> None:
    """Unknown; applied but not promoted yet; promoted, but its files are gone."""
    serving.behind.pipelines.add("students")
    unknown = problem(await serving.predict(ROW, model="nothing"), 404)
    misspelt = problem(await serving.predict(ROW, model="studnets"), 404)
    waiting = problem(await serving.predict(ROW, model="students"), 404)
    serving.behind.promote(put_model(MemoryStore(), 2, model="students"), seq=1)

    async def refused() -> httpx.Response | None:  # once the worker knows of it, and has tried
        answer = await serving.predict(ROW, model="students")
        return answer if "not loaded here: " in answer.text else None

    missing = await until(refused)

    assert unknown["detail"] == "no pipeline is called 'nothing'; apply one first"
    assert misspelt["detail"] == "no pipeline is called 'studnets'; did you mean 'students'?"
    assert "promoted yet" in waiting["detail"]
    assert "MissingArtifactError" in problem(missing, 503)["detail"]
    assert missing.headers["retry-after"] == "2"


async def test_a_version_that_was_promoted_this_moment_is_not_loaded_yet(serving: Door) -> None:
    """The registry knows of it, the worker gets it with its next report."""
    serving.behind.promote(put_model(MemoryStore(), 1, model="students"), seq=1)
    missing = await model_not_available("students", dependency(serving.app, Upstreams).registry)

    assert (missing.status_code, missing.detail.partition(", ")[2]) == (503, "which is not loaded here yet")
    assert missing.headers == {"Retry-After": "1"}


async def test_only_post_predicts(serving: Door) -> None:
    """The route says what it takes."""
    answer = await serving.http.get("/models/flights/predict")

    assert problem(answer, 405)
    assert "POST" in answer.headers["allow"]


async def test_the_openapi_document_describes_predictions(serving: Door) -> None:
    """The hot route is hand-made, its description is not."""
    document = (await serving.http.get("/schema/openapi.json")).json()
    operation = document["paths"]["/models/{name}/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]

    assert document["components"]["schemas"][body]["required"] == ["rows"]
    assert {"200", "404", "422"} <= operation["responses"].keys()


async def test_a_byte_order_mark_is_no_part_of_the_request(serving: Door) -> None:
    """Some writers of files begin with one."""
    body = b"\xef\xbb\xbf" + json.dumps({"rows": [ROW]}).encode()
    answer = await serving.http.post("/models/flights/predict", content=body)

    assert answer.json()["predictions"] == [1003.0]


async def test_a_column_left_out_is_told_of_in_the_answer(serving: Door) -> None:
    """It counts as null where it may, and never in silence."""
    answer = (await serving.predict({"size": 5})).json()

    assert answer["predictions"] == [1005.0]
    assert answer["warnings"] == [{"row": 0, "column": "color", "message": "the column is missing; it counts as null"}]
    refused = await serving.predict({"Size": 5})
    assert refused.status_code == 422
    assert "did you mean 'size'?" in refused.json()["detail"]
