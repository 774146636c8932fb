"""A threshold chosen by a metric: the best on the folds, the same every time, and served like a declared one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from interlock_artifacts import MemoryStore
from interlock_contracts.threshold import THRESHOLD_METRICS, ThresholdMetric
from interlock_modeling import METRICS
from interlock_modeling.signature import decide
from interlock_trainer.folds import make_folds
from interlock_trainer.pools import InProcessPool
from interlock_trainer.preprocessing import frame_of
from interlock_trainer.progress import Progress
from interlock_trainer.selection import Scored, start_params
from interlock_trainer.tables import read_training_table
from interlock_trainer.threshold import EQUAL, best_threshold, chosen_threshold
from interlock_trainer.training import run
from numpy.typing import NDArray

from tests.support.trained_models import trained
from tests.support.training_jobs import job, pipeline, table

Floats = NDArray[np.float64]

PROBABILITIES = st.one_of(
    st.floats(0, 1), st.sampled_from([0.0, 5e-324, 0.25, 0.5, np.nextafter(0.5, 1), np.nextafter(1, 0), 1.0])
)


def value(metric: ThresholdMetric, positive: Floats, truth: NDArray[np.bool_], threshold: float) -> float:
    """Return the metric at a threshold, counted row by row or as the gate counts it."""
    target = truth.astype(np.int64)
    scores = np.stack([1 - positive, positive], axis=1)
    decided = decide(scores, threshold)
    if metric != "f1":
        return METRICS[metric].value(target, scores, decided)
    precision, recall = (METRICS[name].value(target, scores, decided) for name in ("precision", "recall"))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@given(arrays(float, st.integers(2, 40), elements=PROBABILITIES), st.sampled_from(THRESHOLD_METRICS), st.data())
def test_no_other_threshold_is_better(positive: Floats, metric: ThresholdMetric, data: st.DataObject) -> None:
    """Neither a probability, nor what lies beside or between them; and the order of the rows does not count."""
    truth = data.draw(arrays(bool, len(positive)).filter(lambda rows: rows.any() and not rows.all()))
    chosen = best_threshold(positive, truth, metric)
    assert 0 < chosen < 1
    best = value(metric, positive, truth, chosen)
    others = np.concatenate([positive, np.nextafter(positive, 0), np.nextafter(positive, 1), np.linspace(0, 1, 23)])
    for other in others[(others > 0) & (others < 1)]:
        assert value(metric, positive, truth, other) <= best + 2 * EQUAL
    order = data.draw(st.permutations(range(len(positive))))
    assert best_threshold(positive[order], truth[order], metric) == chosen


def test_of_equal_thresholds_the_nearest_to_one_half_is_chosen_then_the_lower() -> None:
    """Each of these divides two of three rows rightly."""
    truth = np.array([True, False, True])
    assert best_threshold(np.array([0.1, 0.4, 0.7]), truth, "accuracy") == pytest.approx(0.55)
    assert best_threshold(np.array([0.3, 0.5, 0.7]), truth, "accuracy") == pytest.approx(0.6)
    assert best_threshold(np.array([0.2, 0.8]), np.array([True, False]), "accuracy") == pytest.approx(0.1)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_where_every_probability_is_the_same_there_is_still_a_threshold(level: float) -> None:
    """It predicts the only thing that it can."""
    assert best_threshold(np.array([level, level]), np.array([True, False]), "f1") == 0.5


@pytest.mark.parametrize("metric", THRESHOLD_METRICS)
def test_a_chosen_threshold_is_served_like_a_declared_one(metric: ThresholdMetric, tmp_path: Path) -> None:
    """Manifest and signature have the number, which is within what can be declared, and answers go by it."""
    rows = rare(table("binary"))
    of = pipeline("binary", threshold={"metric": metric}, candidates=["linear"], trials=0)
    manifest, model = trained(of, rows, tmp_path)
    predictions = model.predict_table(rows)

    assert manifest.threshold is not None
    assert manifest.threshold_metric == metric
    assert model.signature.threshold == manifest.threshold
    assert predictions.values == (predictions.scores[:, 1] >= manifest.threshold).tolist()


def test_a_declared_threshold_names_no_metric(tmp_path: Path) -> None:
    """And none at all has neither, as before."""
    manifest, _ = trained(pipeline("binary", threshold=0.3, candidates=["linear"]), table("binary"), tmp_path)

    assert (manifest.threshold, manifest.threshold_metric) == (0.3, None)


def test_it_is_chosen_on_rows_that_the_fit_has_not_seen_with_weights_in_the_fit() -> None:
    """As doing it by hand does: one fit for each fold, weighted labels, and each row's probability by the one fit."""
    store = MemoryStore()
    weighted = pipeline("binary", threshold={"metric": "f1"}, candidates=["linear"], class_weight={"true": 9})
    plain = weighted.model_copy(update={"training": weighted.training.model_copy(update={"class_weight": None})})
    chosen = []
    for of in (weighted, plain):
        data = read_training_table(job(store, of, rare(table("binary"))), store)
        folds = make_folds(data, frame_of(data.signature, data.table), of.training.folds, of.training.seed)
        pool = InProcessPool()
        pool.share(folds)
        winner = Scored("linear", start_params(of, "linear"), [0.5] * of.training.folds, 0.1)
        chosen.append(chosen_threshold(of, pool, folds, winner))

    assert chosen[0] is not None
    assert chosen[1] is not None
    assert chosen[0] > chosen[1], "positive rows that weigh more are more probable, so the same cut lies higher"


def test_too_few_rows_of_a_label_are_told() -> None:
    """A threshold would rest on chance; how many there are, how many are needed, and what else to do."""
    rows, store = table("binary"), MemoryStore()
    positive = np.flatnonzero(np.array(rows["y"]))
    kept = np.setdiff1d(np.arange(rows.num_rows), positive[7:])
    of = job(store, pipeline("binary", threshold={"metric": "f1"}), rows.take(kept))
    manifest = run(of, store, InProcessPool(), Progress(store, of.prefix))

    assert manifest.reason == (
        "training.threshold cannot be chosen by f1: label True of 'y' has 7 rows, and 10 are needed. "
        "Collect more, or declare a number"
    )


def rare(rows: pa.Table) -> pa.Table:
    """Return the rows with four fifths of the positive ones left out."""
    positive = np.flatnonzero(np.array(rows["y"]))
    return rows.take(np.setdiff1d(np.arange(rows.num_rows), positive[len(positive) // 5 :]))
