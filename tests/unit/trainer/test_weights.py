"""Weights of rows and labels: every kind honours them, and only their ratios count."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import Candidate
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_trainer.errors import DataError
from interlock_trainer.kinds import KINDS
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.tables import TrainingTable, read_training_table
from interlock_trainer.training import run
from interlock_trainer.weights import Weights

from tests.support.training_jobs import job, pipeline, table

FAST: dict[Candidate, dict[str, Any]] = {
    "random_forest": {"n_estimators": 20},
    "extra_trees": {"n_estimators": 20},
    "adaboost": {"n_estimators": 20},
    "gradient_boosting": {"max_iter": 30, "min_samples_leaf": 5},
    "classic_gradient_boosting": {"n_estimators": 30},
    "xgboost": {"n_estimators": 30},
    "lightgbm": {"n_estimators": 30, "min_child_samples": 5},
    "neural_network": {"width": 8, "layers": 1, "learning_rate": 0.03},
}


def weighted(kind: str = "regression", **training: Any) -> Pipeline:
    """Return the pipeline over the table with a column of weights."""
    spec = pipeline(kind, **training).model_dump(mode="json")
    spec["data"]["columns"]["w"] = {"type": "number", "role": "weight"}
    return Pipeline.model_validate(spec)


def read(of: Pipeline, *parts: pa.Table) -> TrainingTable:
    store = MemoryStore()
    return read_training_table(job(store, of, *parts), store)


OF_MEANS: list[Candidate] = [name for name in KINDS if name != "adaboost"]
"""The kinds that answer a mean or a share where nothing tells rows apart; AdaBoost answers a median, and votes."""


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("candidate", OF_MEANS)
def test_heavy_rows_are_followed(candidate: Candidate, scale: float) -> None:
    """Rows that say nothing but their target: the answer is near to the heavy half's, in whatever unit weights are."""
    targets = np.tile([0.0, 10.0], 100)
    matrix = np.zeros((200, 2))
    weights = Weights(np.where(targets > 0, 9.0, 1.0) * scale).of(targets)
    means = []
    for each in (None, weights):
        estimator = KINDS[candidate].estimator("regression", KINDS[candidate].defaults | FAST.get(candidate, {}), 0)
        estimator.fit(matrix, targets, sample_weight=each)
        means.append(float(estimator.predict(matrix).mean()))

    assert means[0] == pytest.approx(5.0, abs=0.5)
    assert means[1] == pytest.approx(9.0, abs=0.5)


@pytest.mark.parametrize("candidate", OF_MEANS)
def test_balanced_labels_weigh_the_same(candidate: Candidate) -> None:
    """One row in ten has the label, and nothing tells which: unweighted it is one in ten, balanced it is a half."""
    labels = (np.arange(300) % 10 == 0).astype(np.int64)
    matrix = np.zeros((300, 2))
    shares = []
    for each in (None, Weights(labels="balanced").of(labels)):
        estimator = KINDS[candidate].estimator("classification", KINDS[candidate].defaults | FAST.get(candidate, {}), 0)
        estimator.fit(matrix, labels, sample_weight=each)
        shares.append(float(estimator.predict_proba(matrix)[:, 1].mean()))

    assert shares[0] == pytest.approx(0.1, abs=0.05)
    assert shares[1] == pytest.approx(0.5, abs=0.05)


def test_adaboost_follows_heavy_rows_as_well() -> None:
    """Of a half with a rare label it says so only where both labels weigh the same."""
    heavy, targets = KINDS["adaboost"], np.tile([0.0, 10.0], 100)
    answers = []
    for weights in (None, Weights(np.where(targets > 0, 9.0, 1.0)).of(targets)):
        estimator = heavy.estimator("regression", heavy.defaults, 0)
        answers.append(estimator.fit(np.zeros((200, 2)), targets, sample_weight=weights).predict(np.zeros((1, 2)))[0])
    assert answers[0] < 6.5
    assert answers[1] > 8

    half, labels = (
        np.arange(400) % 2,
        ((np.arange(400) % 20 == 0) | (np.arange(400) % 10 < 3) & (np.arange(400) % 2 == 1)),
    )
    labels = labels.astype(np.int64)
    said = []
    for weights in (None, Weights(labels="balanced").of(labels)):
        estimator = heavy.estimator("classification", heavy.defaults, 0)
        said.append(estimator.fit(half[:, None], labels, sample_weight=weights).predict([[0], [1]]).tolist())
    assert said == [[0, 0], [0, 1]]


def test_weights_are_those_of_the_rows_that_are_fitted() -> None:
    """Their mean is 1; rows and labels multiply, and balancing counts the rows' own weights."""
    labels = np.array([0, 0, 1, 1])
    rows = np.array([1.0, 3.0, 2.0, 2.0])

    assert Weights().of(labels) is None
    assert Weights(rows).of(labels[1:], np.array([1, 2, 3])) == pytest.approx(np.array([9, 6, 6]) / 7)
    assert Weights(rows, np.array([1.0, 2.0])).of(labels) == pytest.approx(np.array([1, 3, 4, 4]) / 3)
    assert Weights(rows, "balanced").of(labels) == pytest.approx(np.array([0.5, 1.5, 1.0, 1.0]))


def test_rows_of_weight_0_are_no_training_rows() -> None:
    """They are in no fold; the others keep their weights, and weigh in the fits of every fold."""
    rows = table()
    weights = np.arange(rows.num_rows) % 4
    data = read(weighted(), rows.append_column("w", pa.array(weights.astype(np.float64))))

    assert data.table.num_rows == 180
    assert data.weights.rows is not None
    assert data.weights.rows.tolist() == weights[weights > 0].tolist()
    assert [feature.name for feature in data.signature.features] == list(pipeline().features)
    assert data.signature.ignored == ["w"]


def test_labels_are_weighted_by_their_names() -> None:
    """As answers write them; a label that is not named weighs 1, and one that no row has is a slip."""
    boolean = read(pipeline("binary", class_weight={"true": 5}), table("binary"))
    texts = read(pipeline("multiclass", class_weight={"mid": 2, "top": 3}), table("multiclass"))

    assert np.array_equal(boolean.weights.labels, [1.0, 5.0])  # type: ignore[arg-type]
    assert np.array_equal(texts.weights.labels, [1.0, 2.0, 3.0])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="class_weight names 'middle', which no row has; labels are low, mid, top"):
        read(pipeline("multiclass", class_weight={"middle": 2}), table("multiclass"))


def test_weights_reach_every_fit() -> None:
    """Those of each fold, and the last one; what is served follows the weighted original."""

    def trained(weights: Any) -> TrainingManifest:
        store = MemoryStore()
        of = job(store, weighted(), table().append_column("w", pa.array(np.asarray(weights, dtype=np.float64))))
        return run(of, store, InProcessPool(), Progress(store, of.prefix))

    even, double, uneven = (trained(each) for each in (np.ones(240), np.full(240, 2.0), 1 + np.arange(240) % 5))

    assert even.candidates[0].scores == double.candidates[0].scores
    assert even.candidates[0].scores != uneven.candidates[0].scores
    assert even.artifact == double.artifact != uneven.artifact
    assert uneven.export_check is not None
    assert uneven.export_check.max_rel < 1e-5
