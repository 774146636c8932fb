"""A benchmark that measured nothing is told from one that did."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import test_hot_path as hot_path
from tests.benchmarks.completeness import gaps
from tests.benchmarks.serving.cells import TINY
from tests.benchmarks.serving.reference import MODELS
from tests.benchmarks.serving.sections import SECTIONS, Run
from tests.benchmarks.serving.store import Results

CELL = {"target": "interlock", "connections": 2, "round": 0, "requests": 9, "p50_ms": 0.1, "errors": 0}


def run(folder: Path, *cells: dict[str, Any], **sections: Any) -> Run:
    data = {"cells": list(cells), **sections}
    return Run(TINY, ["interlock"], None, Results(folder / "serving.json", data), work=folder)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({}, ["run: nothing"]),
        (None, ["run: nothing"]),
        ({"cells": []}, ["run, cells: nothing"]),
        ({"p50_ms": float("nan")}, ["run, p50_ms: nan"]),
        ({"speeds": [1.0, float("inf")]}, ["run, speeds, 1: inf"]),
        ({"requests": 0, "errors": 0}, ["run, requests: 0"]),
        ({"title": "forest", "flat": False, "requests": 7, "failed": 0}, []),
    ],
)
def test_an_empty_part_a_zero_and_no_number_are_gaps(numbers: Any, told: list[str]) -> None:
    """Only what counts faults may be zero."""
    assert list(gaps(numbers, "run")) == told


def test_a_serving_run_knows_what_it_did_not_measure(tmp_path: Path) -> None:
    """A section that failed, a model without a cell and a cell without requests are all named."""
    whole = [CELL | {"model": name} for name in MODELS]
    assert run(tmp_path, *whole, batch={"rows": 1}).missing(["http", "batch"]) == []
    assert run(tmp_path, *whole).missing(["http", "swap"]) == ["swap: nothing"]
    assert run(tmp_path, *whole[1:]).missing(["http"]) == ["http of interlock: no forest"]
    assert run(tmp_path, *whole[1:], whole[0] | {"requests": 0}).missing(["http"]) == [
        "http of interlock, 2, requests: 0"
    ]
    assert len(run(tmp_path).missing(list(SECTIONS))) == len(SECTIONS) + len(MODELS)


def test_the_stages_of_a_prediction_are_measured() -> None:
    """The hot path's benchmark in its tiny form: each stage takes time."""
    measured = hot_path.stages(times=3)
    assert len(measured) == 7
    assert not list(gaps(measured))


@pytest.mark.usefixtures("exported")
async def test_what_telemetry_costs_is_measured(tmp_path: Path) -> None:
    """The same of 64 requests together: each is answered, with telemetry on and off."""
    measured = await hot_path.telemetry(tmp_path, requests=hot_path.TOGETHER)
    assert {name: len(rounds) for name, rounds in measured.items()} == dict.fromkeys(
        ("nothing on", "1 % traced", "1 % traced, log on", "all traced"), hot_path.ROUNDS
    )
    assert not list(gaps(measured))


def test_what_counting_costs_is_measured(tmp_path: Path) -> None:
    """The same of the metrics: each way to count takes time."""
    measured = hot_path.counting(tmp_path, times=3)
    assert len(measured) == 7
    assert not list(gaps(measured))


exported = hot_path.exported
