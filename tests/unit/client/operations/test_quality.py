"""Ground truth in, live quality out."""

from typing import Any

import pandas as pd
import polars as pl
import pytest
from interlock_client import InvalidError

from tests.unit.client.conftest import Call, Service

ROUTE = "POST /models/m/feedback"


@pytest.mark.parametrize("series", [pd.Series, pl.Series, list])
def test_truth_is_told_for_a_column_of_predictions(service: Service, call: Call, series: Any) -> None:
    """A column of ids and one of values, of either library; a repeat with the same key counts once."""
    service.refuse(ROUTE, 503, after="1")
    service.respond(ROUTE, {"accepted": 2, "unsampled": 1}, status=202)
    taken = call("feedback", "m", series(["a/0", "a/1"]), series([1.5, 2.0]))

    assert (taken.accepted, taken.unsampled) == (2, 1)
    assert service.json() == {"feedback": [{"prediction": "a/0", "actual": 1.5}, {"prediction": "a/1", "actual": 2.0}]}
    assert len({each.headers["idempotency-key"] for each in service.requests}) == 1


def test_truth_is_told_for_one_prediction(service: Service, call: Call) -> None:
    """As the command line does."""
    service.respond(ROUTE, {"accepted": 1}, status=202)
    assert call("feedback", "m", "a/0", "yes").accepted == 1
    assert service.json() == {"feedback": [{"prediction": "a/0", "actual": "yes"}]}


def test_many_are_sent_in_parts_and_told_as_one(service: Service, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Totals are summed, warnings name the entry, and an error says what was taken before."""
    monkeypatch.setattr("interlock_client.operations.quality.CHUNK_ENTRIES", 2)
    odd = {"row": 0, "field": "actual", "message": "was never seen"}
    service.respond(ROUTE, {"accepted": 2}, status=202)
    service.respond(ROUTE, {"accepted": 1, "warnings": [odd]}, status=202)
    taken = call("feedback", "m", ["a/0", "a/1", "b/0"], [1, 2, 3])
    assert taken.accepted == 3
    assert [each.row for each in taken.warnings] == [2]

    service.respond("POST /models/n/feedback", {"accepted": 2}, status=202)
    service.refuse("POST /models/n/feedback", 422, "row 0: 'x' is no number")
    with pytest.raises(InvalidError) as raised:
        call("feedback", "n", ["a/0", "a/1", "b/0"], [1, 2, "x"])
    assert "first 2 entries were accepted" in raised.value.__notes__[0]


@pytest.mark.parametrize(("ids", "values"), [([], []), (["a/0"], [1, 2])])
def test_ids_without_values_are_told(service: Service, call: Call, ids: list[str], values: list[int]) -> None:
    """Nothing is paired by guessing."""
    with pytest.raises(ValueError, match=f"{len(ids)} predictions and {len(values)} actual"):
        call("feedback", "m", ids, values)
    assert service.requests == []


def test_quality_is_asked_for_a_window(service: Service, call: Call) -> None:
    """Metrics by version, None where one is not defined."""
    version = {"version": 1, "joined": 10, "n": 10, "metrics": {"r2": None, "rmse": 2.5}}
    about = {"model": "m", "since": "2026-11-21T12:00:00Z", "until": "2026-11-22T12:00:00Z", "bucket_seconds": 3600}
    service.respond("GET /models/m/quality", {**about, "versions": [version]})

    assert call("quality", "m", window="7d", bucket="1h").versions[0].metrics == {"r2": None, "rmse": 2.5}
    assert dict(service.requests[0].url.params) == {"window": "7d", "bucket": "1h"}


def test_a_subject_is_erased_once(service: Service, call: Call) -> None:
    """Column and value go in the body, not in the address."""
    service.respond("POST /models/m/predictions/erase", {"model": "m", "column": "mail", "rows": 2, "truths": 1})
    erased = call("erase", "m", "mail", "ada@example.org")

    assert (erased.rows, erased.truths) == (2, 1)
    assert service.json() == {"column": "mail", "value": "ada@example.org"}
    assert "ada" not in str(service.requests[-1].url)
