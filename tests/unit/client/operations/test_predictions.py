"""Predictions for rows and frames, in requests that the gateway takes."""

import json
from typing import Any

import pandas as pd
import polars as pl
import pytest
from interlock_client import InvalidError, PredictionWarning

from tests.unit.client.conftest import Call, Service

ROUTE = "POST /models/m/predict"


def answer(number: int, *predictions: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"id-{number}", "model": "m", "version": number, "predictions": list(predictions), **more}


@pytest.mark.parametrize("library", [pd, pl])
def test_a_frame_comes_back_as_a_frame(service: Service, call: Call, library: Any) -> None:
    """A prediction, each label's probability, the version, and the id by which the truth is told later."""
    shares = [{"false": 0.8, "true": 0.2}, {"false": 0.1, "true": 0.9}]
    service.respond(ROUTE, answer(3, False, True, probabilities=shares))
    found = call("predict", "m", library.DataFrame({"size": [1.5, None], "color": ["red", None]}))

    assert type(found) is library.DataFrame
    assert service.json() == {"rows": [{"size": 1.5, "color": "red"}, {"size": None, "color": None}]}
    assert {name: list(found[name]) for name in found.columns} == {
        "prediction": [False, True],
        "probability_false": [0.8, 0.1],
        "probability_true": [0.2, 0.9],
        "model_version": [3, 3],
        "prediction_id": ["id-3/0", "id-3/1"],
    }


def test_the_index_is_kept(service: Service, call: Call) -> None:
    """So that answers can be joined to what was asked."""
    service.respond(ROUTE, answer(1, 5.0, 6.0))
    asked = pd.DataFrame({"size": [1, 2]}, index=pd.Index(["p", "q"], name="house"))
    found = call("predict", "m", asked)

    assert list(found.columns) == ["prediction", "model_version", "prediction_id"]
    assert asked.join(found).loc["q", "prediction"] == 6


def test_many_rows_are_sent_in_parts(service: Service, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the gateway's limits of rows and of bytes, in order; each part is repeated where the gateway asks."""
    monkeypatch.setattr("interlock_client.operations.predictions.CHUNK_ROWS", 2)
    service.respond(ROUTE, answer(1, 0, 1))
    service.refuse(ROUTE, 503, after="1")
    service.respond(ROUTE, answer(2, 2, 3))
    service.respond(ROUTE, answer(3, 4))
    found = call("predict", "m", [{"n": n} for n in range(5)])

    assert [each.prediction for each in found] == [0, 1, 2, 3, 4]
    assert [each.id for each in found] == ["id-1/0", "id-1/1", "id-2/0", "id-2/1", "id-3/0"]
    assert [json.loads(body)["rows"][0]["n"] for body in service.bodies] == [0, 2, 2, 4]

    monkeypatch.setattr("interlock_client.operations.predictions.CHUNK_ROWS", 1000)
    monkeypatch.setattr("interlock_client.operations.predictions.CHUNK_BYTES", 100)
    service.requests.clear()
    assert len(call("predict", "m", [{"text": "x" * 60}] * 3)) == 3
    assert len(service.requests) == 3


def test_a_row_that_does_not_fit_is_told_with_where_its_part_begins(
    service: Service, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway counts within a request."""
    monkeypatch.setattr("interlock_client.operations.predictions.CHUNK_ROWS", 2)
    service.respond(ROUTE, answer(1, 0, 1))
    service.refuse(ROUTE, 422, "row 1, column n: null", errors=[{"row": 1, "column": "n", "message": "null"}])
    with pytest.raises(InvalidError, match="row 1, column n") as raised:
        call("predict", "m", [{"n": n} for n in (0, 1, 2, None)])
    assert raised.value.__notes__ == ["row numbers are relative to this request, which begins at row 2"]


def test_what_is_unusual_is_a_warning_with_its_row(service: Service, call: Call) -> None:
    """Counted over all parts; and keys come back beside the predictions."""
    said = [{"row": 0, "column": "size", "message": "500 is above what was seen"}]
    service.respond(ROUTE, answer(1, 7.0, warnings=said, keys=[{"house": "p"}]))
    with pytest.warns(PredictionWarning, match="row 0, size: 500 is above"):
        (found,) = call("predict", "m", [{"size": 500, "house": "p"}])
    assert found.key == {"house": "p"}


def test_no_rows_are_no_request(service: Service, call: Call) -> None:
    """An empty frame is answered with an empty one."""
    assert call("predict", "m", pd.DataFrame({"size": []})).empty
    assert call("predict", "m", []) == []
    assert service.requests == []
