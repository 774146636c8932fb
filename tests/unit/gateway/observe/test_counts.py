"""Requests are counted by the version chosen for them, under every protocol; sums over versions are as before."""

from pathlib import Path
from typing import Any

import pytest
from interlock_contracts import metrics as declared
from interlock_gateway.observe import counts, metrics
from interlock_gateway.observe.counts import FORGET_SECONDS, NO_VERSION
from interlock_gateway.observe.metrics import Metrics

from tests.support.gateway_app import Door
from tests.support.stored_models import ROW
from tests.unit.gateway.fastpath.test_protocol import scraped

TENSORS = {
    "inputs": [
        {"name": "size", "shape": [1], "datatype": "FP64", "data": [3.0]},
        {"name": "color", "shape": [1], "datatype": "BYTES", "data": ["green"]},
    ]
}


def told(counted: Metrics, metric: declared.Metric, *labels: str) -> dict[tuple[str, ...], float]:
    """Return a metric's numbers by the values of these labels."""
    (family,) = [each for each in counted.families() if each.name == metric.name.removesuffix("_total")]
    return {tuple(each.labels[label] for label in labels): each.value for each in family.samples}


def test_an_idle_version_is_folded_away_and_no_sum_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute after the last request for it, while another version has some; also one that has only failed."""
    now = 1000.0
    monkeypatch.setattr(counts, "monotonic", lambda: now)
    counted = Metrics("w-1", tmp_path)

    def versions() -> dict[tuple[str, ...], float]:
        return told(counted, declared.PREDICT_VERSION_REQUESTS, "version", "status")

    counted.of("flights", 1).count(200, 2, 0.1)
    counted.of("flights", 1, "grpc").count(200, 1, 0.1)
    counted.of("flights", 2).count(500, 0, 0.1)
    counted.of("flights").count(404, 0, 0.1)
    before = told(counted, declared.PREDICT_REQUESTS, "protocol", "status")
    assert versions() == {("1", "200"): 2, ("2", "500"): 1}
    assert before == {("interlock", "200"): 1, ("interlock", "404"): 1, ("interlock", "500"): 1, ("grpc", "200"): 1}
    now += FORGET_SECONDS - 1
    counted.of("flights", 1).count(200, 2, 0.1)
    assert set(versions()) == {("1", "200"), ("2", "500")}
    now += 1
    counted.of("flights", 1).count(200, 2, 0.1)
    assert set(versions()) == {("1", "200")}
    now += 100 * FORGET_SECONDS

    assert versions() == {("1", "200"): 4}
    assert told(counted, declared.PREDICT_REQUESTS, "protocol", "status") == before | {("interlock", "200"): 3}
    assert told(counted, declared.PREDICT_ROWS, "protocol") == {("interlock",): 6, ("grpc",): 1}
    counted.of("flights", 2).count(200, 1, 0.1)
    assert versions() == {("2", "200"): 1}


def test_many_versions_are_few_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a model is promoted, only those of the last minute are told apart."""
    now = 1000.0
    monkeypatch.setattr(counts, "monotonic", lambda: now)
    monkeypatch.setattr(metrics, "counted_here", list)  # what other tests of this process have counted: thousands
    counted = Metrics("w-1", tmp_path)
    for version in range(1, 200):
        counted.of("flights", version).count(200, 1, 0.1)
        counted.families()
        now += FORGET_SECONDS / 3

    assert len(counted._own.protocols["interlock"]["flights"].keys() - {NO_VERSION}) <= 4
    assert told(counted, declared.PREDICT_REQUESTS, "status") == {("200",): 199}


async def test_every_protocol_counts_for_the_version_it_chose(serving: Door) -> None:
    """Also what it then refused; a request that no version was chosen for counts for none."""

    async def count() -> dict[str, float]:
        found = await scraped(serving)
        name, model = declared.PREDICT_VERSION_REQUESTS.name, ("model", "flights")
        return {dict(key[1:])["status"]: value for key, value in found.items() if key[0] == name and model in key[1:]}

    before = await count()
    posts: list[tuple[str, Any]] = [
        ("/models/flights/predict", {"rows": [ROW]}),
        ("/models/flights/predict", {"rows": [ROW | {"color": "violet"}]}),
        ("/models/flights/predict", {"rows": [{"size": "big"}]}),
        ("/models/flights/predict", {"no": "rows"}),
        ("/models/flights/invocations", {"dataframe_records": [ROW]}),
        ("/models/flights/invocations", {"dataframe_records": [{"size": "big"}]}),
        ("/v2/models/flights/infer", TENSORS),
        ("/v2/models/flights/infer", {"inputs": TENSORS["inputs"][1:]}),
    ]
    statuses = [(await serving.http.post(path, json=body)).status_code for path, body in posts]
    more = {status: value - before.get(status, 0.0) for status, value in (await count()).items()}

    assert statuses == [200, 200, 422, 422, 200, 400, 200, 400]
    assert {status: value for status, value in more.items() if value} == {"200": 4, "422": 2, "400": 1}
