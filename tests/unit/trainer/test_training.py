from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training import TrainingJob
from interlock_modeling import ModelDescription
from interlock_trainer.pools import InProcessPool
from interlock_trainer.progress import Progress
from interlock_trainer.training import run

from tests.support.training_jobs import RUN, job, pipeline, table

MANIFEST = f"runs/{RUN}/1/manifest.json"


def train(store: MemoryStore, of: TrainingJob) -> TrainingManifest:
    """Run a job and return the manifest that it left."""
    run(of, store, InProcessPool(), Progress(store, of.prefix))
    stored = store.read(MANIFEST)
    assert stored is not None
    return TrainingManifest.model_validate_json(stored)


def trained(of: Pipeline, *parts: pa.Table) -> TrainingManifest:
    store = MemoryStore()
    return train(store, job(store, of, *parts))


def test_a_training_leaves_a_manifest_with_all_that_is_known() -> None:
    """Lineage, scores of every candidate and trial, versions, times and the export check are written once."""
    of = pipeline(candidates=["linear", "gradient_boosting"], trials=2, seed=7)
    manifest = trained(of, table())

    assert (manifest.status, manifest.reason) == ("succeeded", None)
    assert (manifest.run_id, manifest.attempt, manifest.pipeline, manifest.task) == (RUN, 1, "every-type", "regression")
    assert (manifest.pipeline_digest, manifest.commit, manifest.seed, manifest.folds) == (of.digest, "abc", 7, 3)
    assert [candidate.candidate for candidate in manifest.candidates] == ["linear", "gradient_boosting"]
    assert all(len(candidate.scores) == 3 for candidate in manifest.candidates)
    assert len(manifest.trials) == 2
    assert (manifest.rows, manifest.features, manifest.metric) == (240, 6, "r2")
    assert manifest.score is not None
    assert manifest.score > 0.5
    assert manifest.engine in {"linear 1", "forest 2"}
    assert manifest.export_check is not None
    assert manifest.export_check.max_rel < 1e-5
    assert {"scikit-learn", "xgboost-cpu", "optuna", "python"} <= manifest.packages.keys()
    assert manifest.fit_seconds is not None
    assert 0 < manifest.fit_seconds <= manifest.timings["train"]


def test_the_phases_form_a_tree_under_train() -> None:
    """Each phase names its parent, which stands before it, and lies inside of it; candidates and trials, too."""
    manifest = trained(pipeline(candidates=["linear", "xgboost"], trials=3), table())
    spans = manifest.spans

    assert [(span.name, span.parent) for span in spans] == [
        ("train", None),
        *[(name, "train") for name in ("read", "share", "select")],
        *[("candidate", "select")] * 2,
        ("search", "train"),
        *[("trial", "search")] * 3,
        *[(name, "train") for name in ("fit", "export")],
    ]
    assert all(spans[0].start_ns <= span.start_ns <= span.end_ns <= spans[0].end_ns for span in spans)
    told = [span.attributes for span in spans if span.name == "trial"]
    assert [each["interlock.trial.number"] for each in told] == [0, 1, 2]
    assert [each["interlock.score"] for each in told] == [trial.score for trial in manifest.trials]
    assert manifest.timings.keys() == {"train", "read", "share", "select", "search", "fit", "export"}


@pytest.mark.parametrize(("kind", "metric"), [("binary", "roc_auc"), ("multiclass", "roc_auc"), ("binary", "log_loss")])
def test_classifications_are_trained_by_their_own_metric(kind: str, metric: str) -> None:
    """Labels stay as they are in the data."""
    store = MemoryStore()
    of = pipeline(kind, candidates=["linear", "xgboost"], gate={"champion": {"metric": metric}})
    manifest = train(store, job(store, of, table(kind)))

    assert (manifest.status, manifest.metric) == ("succeeded", metric)
    assert manifest.artifact is not None
    labels = ModelDescription.parse(store.fetch(manifest.artifact)).signature.labels
    assert labels == ([False, True] if kind == "binary" else ["low", "mid", "top"])


def test_the_same_job_gives_the_same_model() -> None:
    """Equal data and seed give byte-equal artifacts and equal scores."""
    of = pipeline(candidates=["linear", "random_forest"], trials=3)
    first, second = trained(of, table()), trained(of, table())

    assert first.artifact == second.artifact
    assert [candidate.scores for candidate in first.candidates] == [c.scores for c in second.candidates]
    assert [(trial.params, trial.score) for trial in first.trials] == [(t.params, t.score) for t in second.trials]


def test_rows_that_several_datasets_share_count_once() -> None:
    """Monthly files may overlap; the manifest says how many rows were left out."""
    whole = table()
    manifest = trained(pipeline(), whole, whole.slice(200))

    assert (manifest.rows, manifest.repeats, len(manifest.datasets)) == (240, 40, 2)


def test_a_shuffled_target_cannot_be_learned() -> None:
    """Scores come from rows that were held back, so noise looks like noise."""
    rows = table()
    shuffled = rows.column("y").take(np.random.default_rng(0).permutation(rows.num_rows))
    manifest = trained(pipeline(candidates=["linear", "xgboost"]), rows.set_column(6, "y", shuffled))

    assert manifest.score is not None
    assert manifest.score < 0.2


def test_rare_labels_can_be_set_aside_and_are_told() -> None:
    """The model does not know them; the manifest says which, and how many rows went with them."""
    rows, store = table("multiclass"), MemoryStore()
    labels = ["rare", "rare", *rows.column("y").to_pylist()[2:]]
    of = pipeline("multiclass", rare_labels="set_aside")
    manifest = train(store, job(store, of, rows.set_column(6, "y", pa.array(labels))))

    assert (manifest.status, manifest.rare_labels, manifest.rows) == ("succeeded", {"rare": 2}, rows.num_rows - 2)
    assert manifest.artifact is not None
    assert ModelDescription.parse(store.fetch(manifest.artifact)).signature.labels == ["low", "mid", "top"]


def one_label() -> tuple[Pipeline, pa.Table]:
    rows = table("binary")
    return pipeline("binary"), rows.set_column(6, "y", pa.array([True] * rows.num_rows))


def rare_label() -> tuple[Pipeline, pa.Table]:
    rows = table("binary")
    return pipeline("binary"), rows.set_column(6, "y", pa.array([True] * (rows.num_rows - 1) + [False]))


def infinite() -> tuple[Pipeline, pa.Table]:
    rows = table()
    return pipeline(), rows.set_column(0, "score", pa.array([float("inf")] * rows.num_rows))


def few() -> tuple[Pipeline, pa.Table]:
    return pipeline(folds=5), table().slice(0, 9)


def other_types() -> tuple[Pipeline, pa.Table]:
    rows = table()
    return pipeline(), rows.set_column(0, "score", pa.array(["many"] * rows.num_rows))


def zero_among_targets() -> tuple[Pipeline, pa.Table]:
    rows = table()
    target = np.array(rows.column("y").to_numpy())
    target[:10] = 0.0
    of = pipeline(gate={"champion": {"metric": "mape"}})
    return of, rows.set_column(rows.schema.get_field_index("y"), "y", pa.array(target))


def column_gone() -> tuple[Pipeline, pa.Table]:
    return pipeline(), table().drop_columns(["color"])


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (one_label, "fewer than two distinct values"),
        (rare_label, "label False of 'y' has 1 rows; 3 folds need one each. Collect more"),
        (infinite, "column 'score' holds an infinite number"),
        (few, "9 training rows are too few for 5 folds"),
        (other_types, "does not fit the pipeline's columns"),
        (zero_among_targets, "mape is undefined on a fold: the target is 0 in a row"),
        (column_gone, "does not fit the pipeline's columns"),
    ],
)
def test_data_that_cannot_be_learned_from_is_the_manifests_reason(
    case: Callable[[], tuple[Pipeline, pa.Table]], reason: str
) -> None:
    """The dispatcher learns from the manifest that trying again won't help, and why."""
    manifest = trained(*case())

    assert manifest.status == "failed"
    assert manifest.artifact is None
    assert manifest.reason is not None
    assert reason in manifest.reason
    assert manifest.run_id == RUN


class Altered(MemoryStore):
    """A store in which the bytes of a file have changed."""

    def fetch_file(self, ref: Any, path: Any) -> None:
        """Notice it, as the real one does."""
        super().fetch_file(ref.model_copy(update={"sha256": "0" * 64}), path)


def test_data_that_is_not_there_is_a_reason() -> None:
    """Missing or altered bytes don't come back by trying again."""
    store = Altered()

    manifest = train(store, job(store, pipeline(), table()))

    assert manifest.status == "failed"


class Unreachable(MemoryStore):
    """A store that stops to answer."""

    def fetch_file(self, ref: Any, path: Any) -> None:
        """Fail."""
        raise ConnectionError(f"no answer about {ref} for {path}")


def test_trouble_that_may_pass_leaves_no_manifest() -> None:
    """Without a manifest the dispatcher makes another attempt."""
    store = Unreachable()

    with pytest.raises(ConnectionError):
        train(store, job(store, pipeline(), table()))
    assert store.read(MANIFEST) is None


def test_the_first_manifest_of_an_attempt_stays() -> None:
    """Two processes that do the same attempt don't overwrite each other."""
    store = MemoryStore()
    store.put_once(MANIFEST, TrainingManifest.failure("from another process").model_dump_json().encode())

    assert train(store, job(store, pipeline(), table())).reason == "from another process"
