"""`compare`: two versions side by side."""

from typing import Any

import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import version

OLD, NEW = "11" * 32, "22" * 32


def comparison(**more: Any) -> Any:
    return {
        "model": "m",
        "a": version("retired", 1),
        "b": version("champion", 2),
        "comparable": True,
        "note": "both were measured on the same 200 held-out rows",
        "metrics": [{"metric": "rmse", "a": 2.0, "b": 1.5, "direction": "lower", "difference": -0.5, "better": "b"}],
        "datasets": {"only_a": [OLD], "only_b": [NEW]},
        "parameters": [{"name": "candidate", "a": "linear", "b": "xgboost"}],
        **more,
    }


def test_compare_tells_which_is_better_and_what_differs(stub: StubGateway) -> None:
    """Metrics with their direction; data and parameters below them."""
    stub.respond("GET /models/m/compare", comparison())
    ended = interlock("compare", "m", 1, 2)

    for part in ("same 200 held-out rows", "-0.5", "2 (lower is better)", OLD[:12], NEW[:12], "xgboost"):
        assert part in ended.out
    assert "pipeline: no differences" in ended.out
    assert stub.requests[-1].query == "a=1&b=2"


@pytest.mark.parametrize("others", [[], ["mae"]])
def test_compare_says_first_that_two_are_not_comparable(stub: StubGateway, others: list[str]) -> None:
    """And shows what the gate measured of both on the same rows, if it did: one metric, or since then all."""
    metric = {"metric": "rmse", "a": 2.5, "b": 1.25, "direction": "lower", "difference": -1.25, "better": "b"}
    every = [metric, *({**metric, "metric": name, "difference": -3.75} for name in others)] if others else []
    together = {**metric, "holdout_of": 2, "rows": 300, "gain": 1.25, "metrics": every}
    numbers = [{"metric": "rmse", "a": 2.0, "b": 1.5, "direction": "lower"}]
    stub.respond(
        "GET /models/m/compare",
        comparison(comparable=False, note="other rows", metrics=numbers, measured_together=together),
    )
    ended = interlock("compare", "m", 1, 2)

    assert ended.out.startswith("not comparable: other rows")
    assert "on the same 300 held-out rows" in ended.out
    assert "-1.25" in ended.out
    assert ended.out.count("-3.75") == len(others)


def test_compare_as_json_is_the_answer(stub: StubGateway) -> None:
    """As REST gives it."""
    stub.respond("GET /models/m/compare", comparison())
    ended = interlock("compare", "m", 1, 2, "--json")

    assert (ended.json["comparable"], ended.json["metrics"][0]["better"]) == (True, "b")
