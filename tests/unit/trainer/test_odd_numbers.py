"""Numbers at the edge of a float64, and candidates that fail: a training ends with a model, or in words."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_contracts.candidates import Candidate
from interlock_trainer.kinds import KINDS

from tests.support.training_jobs import pipeline, table
from tests.unit.trainer.test_training import trained


def with_cells(column: str, cells: list[float]) -> pa.Table:
    rows = table()
    numbers = [*cells, *rows.column(column).to_pylist()[len(cells) :]]
    return rows.set_column(rows.column_names.index(column), column, pa.array(numbers, pa.float64()))


@pytest.mark.parametrize("candidate", list(KINDS))
@pytest.mark.parametrize("cells", [[1e308, -1e308], [1e308] * 130, [1e200, 3.0]])
def test_numbers_that_have_no_deviation_are_refused_with_their_column(candidate: Candidate, cells: list[float]) -> None:
    """Whatever the kind of model: all are fitted to scaled numbers."""
    manifest = trained(pipeline(candidates=[candidate]), with_cells("score", cells))

    assert manifest.status == "failed"
    assert str(manifest.reason).startswith("column 'score' holds numbers of up to")


@pytest.mark.parametrize("candidate", list(KINDS))
@pytest.mark.parametrize("cells", [[1e150, -1e150], [1e-308, 5e-324, -0.0], [1e30]])
def test_other_numbers_at_the_edge_are_learned_from(candidate: Candidate, cells: list[float]) -> None:
    """They have a deviation, however far they lie from all others."""
    manifest = trained(pipeline(candidates=[candidate]), with_cells("score", cells))

    assert (manifest.status, manifest.reason) == ("succeeded", None)


@pytest.mark.parametrize("candidate", list(KINDS))
def test_a_target_at_the_edge_ends_in_the_name_of_the_candidate(candidate: Candidate) -> None:
    """There is no mean of such numbers."""
    manifest = trained(pipeline(candidates=[candidate]), with_cells("y", [1.7e308, -1.7e308, 1.7e308]))

    assert manifest.status == "failed"
    assert f"no candidate could be fitted: {candidate}: " in str(manifest.reason)


def test_weights_that_have_no_sum_are_refused() -> None:
    """Only their ratios count."""
    of = pipeline()
    columns = {**of.data.columns, "count": of.data.columns["count"].model_copy(update={"role": "weight"})}
    weighted = of.model_copy(update={"data": of.data.model_copy(update={"columns": columns})})
    columns["count"] = columns["count"].model_copy(update={"type": "number"})

    manifest = trained(weighted, with_cells("count", [1e308] * 240))

    assert manifest.status == "failed"
    assert "the weights in 'count' are too large to be added up" in str(manifest.reason)


def test_a_candidate_that_cannot_take_a_number_fails_alone() -> None:
    """A fold's scaled cell is beyond a float32, which scikit-learn's forests compare; the manifest names it."""
    manifest = trained(pipeline(candidates=["random_forest", "linear"]), with_cells("score", [1e120]))

    assert (manifest.status, manifest.winner) == ("succeeded", "linear")
    assert "float32" in str(manifest.candidates[0].error)


def broken(*_: Any) -> Any:
    raise ValueError("coefficients are nan")


def test_where_the_best_cannot_be_served_the_next_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest says which one failed, and why; what it says of the search is the winner's."""
    of = pipeline(candidates=["linear", "random_forest"], trials=2)
    best = trained(of, table())
    winner = next(each for each in KINDS if each == best.winner)
    monkeypatch.setitem(KINDS, winner, replace(KINDS[winner], engine=broken))

    manifest = trained(of, table())

    assert manifest.status == "succeeded"
    assert manifest.winner in {"linear", "random_forest"} - {best.winner}
    errors = {each.candidate: each.error for each in manifest.candidates}
    told = f"the fitted {best.winner} cannot be exported: ValueError: coefficients are nan"
    assert errors == {best.winner: told, manifest.winner: None}
    assert [trial.candidate for trial in manifest.trials] == [best.winner] * 2 + [manifest.winner] * 2
    assert [trial.number for trial in manifest.trials] == [0, 1, 2, 3]
    assert manifest.params.keys() == next(KINDS[each] for each in KINDS if each == manifest.winner).defaults.keys()


def test_where_none_can_be_served_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that fails on all rows, though it did not on any fold, ends the training in words as well."""
    both: tuple[Candidate, ...] = ("linear", "random_forest")
    for name in both:
        monkeypatch.setitem(KINDS, name, replace(KINDS[name], engine=broken))

    manifest = trained(pipeline(candidates=["linear", "random_forest"]), table())

    assert manifest.status == "failed"
    assert all(f"the fitted {name} cannot be exported" in str(manifest.reason) for name in both)


def test_what_fails_on_all_rows_names_its_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fits on the folds have fewer rows than the last one."""
    linear = KINDS["linear"]

    def few(*args: Any) -> Any:
        estimator = linear.estimator(*args)
        fit = type(estimator).fit

        class Few(type(estimator)):  # type: ignore[misc]
            def fit(self, features: Any, targets: Any, sample_weight: Any = None) -> Any:
                if len(targets) > 200:
                    raise ArithmeticError("too many rows")
                return fit(self, features, targets, sample_weight)

        estimator.__class__ = Few
        return estimator

    monkeypatch.setitem(KINDS, "linear", replace(linear, estimator=few))
    manifest = trained(pipeline(), table())

    assert manifest.reason == "linear cannot be fitted on all rows: ArithmeticError: too many rows"
    assert np.isfinite(manifest.timings["fit"])
