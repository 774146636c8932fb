"""A threshold: candidates are scored by the labels that will be served, and what is served and exported says so."""

from pathlib import Path

import numpy as np
import pytest
from interlock_artifacts import MemoryStore
from interlock_modeling import METRICS
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run

from tests.support.trained_models import trained
from tests.support.training_jobs import job, pipeline, table
from tests.unit.trainer.test_portable import lenient, scores, written

RECALL = {"champion": {"metric": "recall"}}


def test_a_low_threshold_finds_more_of_the_positive_rows(tmp_path: Path) -> None:
    """In the score of the folds as in the answers; the manifest and the signature name it, old ones have none."""
    rows = table("binary")
    recalls = {}
    for threshold in (None, 0.05, 0.95):
        training = {} if threshold is None else {"threshold": threshold}
        manifest, model = trained(pipeline("binary", gate=RECALL, **training), rows, tmp_path)
        predictions = model.predict_table(rows)
        positive = predictions.scores[:, 1] >= (threshold or 0.5)
        recalls[threshold] = manifest.score

        assert manifest.threshold == model.signature.threshold == threshold
        assert ("threshold" in model.signature.model_dump()) is (threshold is not None)
        assert predictions.values == positive.tolist()
    assert (recalls[0.05] or 0) > (recalls[None] or 0) > (recalls[0.95] or 0)


def test_labels_that_are_counted_are_those_of_the_threshold() -> None:
    """Nobody is positive for a threshold that no probability reaches."""
    target, probabilities = np.array([0, 1, 1]), np.array([[0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
    decided = (probabilities[:, 1] >= 0.95).astype(np.int64)

    assert METRICS["recall"].value(target, probabilities, decided) == 0.0


def test_an_export_chooses_the_same_label(tmp_path: Path) -> None:
    """The graph holds the threshold, the page says it."""
    store, rows = MemoryStore(), table("binary")
    manifest, model = trained(pipeline("binary", threshold=0.2), rows, tmp_path, store)
    assert manifest.artifact is not None
    asked = lenient(written(store.fetch(manifest.artifact), tmp_path))
    served = model.predict_table(rows)
    features = rows.drop_columns(["y"]).to_pylist()
    answers = asked.predict([{**row, "at": row["at"] and row["at"].isoformat()} for row in features])

    assert [each["prediction"] for each in answers] == served.values
    assert np.allclose(scores(answers), served.scores)
    assert (served.scores.argmax(axis=1) != np.array(served.values)).any()
    assert "the second label from a probability of 0.2 on" in (tmp_path / "export" / "README.md").read_text()


def test_more_than_two_labels_are_refused() -> None:
    """Their number may be known from the data only."""
    store = MemoryStore()
    of = job(store, pipeline("multiclass", threshold=0.2), table("multiclass"))
    manifest = run(of, store, InProcessPool(), Progress(store, of.prefix))

    assert manifest.reason == "training.threshold is for two labels; 'y' has 3"


@pytest.mark.parametrize("metric", ["precision", "f1_weighted", "log_loss"])
def test_any_metric_may_choose_the_candidate(metric: str, tmp_path: Path) -> None:
    """Those of labels, and those of probabilities."""
    of = pipeline("binary", gate={"champion": {"metric": metric}}, threshold=0.3, candidates=["linear", "xgboost"])
    manifest, _ = trained(of, table("binary"), tmp_path)

    assert manifest.metric == metric
    assert manifest.score is not None
