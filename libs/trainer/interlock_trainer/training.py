"""One training from its rows to its manifest: read, select, search, fit, export."""

import importlib.metadata
import logging
import platform
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts import telemetry
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.training import TrainingJob
from sklearn.pipeline import Pipeline as SklearnPipeline
from threadpoolctl import threadpool_limits

from interlock_trainer.crash_points import crash_point
from interlock_trainer.errors import DataError, told_as
from interlock_trainer.export import export
from interlock_trainer.folds import Folds, make_folds
from interlock_trainer.kinds import KINDS
from interlock_trainer.learning_curve import learning_curve
from interlock_trainer.phases import Phases
from interlock_trainer.pools import FitPool
from interlock_trainer.preprocessing import directions, encoder_of, frame_of, preprocessor_for
from interlock_trainer.progress import Progress
from interlock_trainer.selection import Scored, select
from interlock_trainer.tables import TrainingTable, read_training_table
from interlock_trainer.target import on_target
from interlock_trainer.threshold import chosen_threshold
from interlock_trainer.trained_on import store_trained_on
from interlock_trainer.tuning import Tuning

PACKAGES = ("scikit-learn", "xgboost-cpu", "optuna", "numpy", "pyarrow", "pandas", "ray", "skl2onnx")

_logger = logging.getLogger(__name__)


def run(job: TrainingJob, store: ArtifactStore, pool: FitPool, progress: Progress) -> TrainingManifest:
    """Train, and leave the manifest as the very last step; return it.

    A training that can't succeed leaves a manifest that says so. Any other exception leaves none: `train_dispatch`
    tries again.
    """
    return with_manifest(job, store, lambda phases: _train(job, store, pool, progress, phases))


def with_manifest(job: TrainingJob, store: ArtifactStore, make: Callable[[Phases], dict[str, Any]]) -> TrainingManifest:
    """Do the job's work, and leave the manifest with what ``make`` returns, or with why there is no model."""
    phases = Phases()
    known = _about(job)
    try:
        with phases.phase(telemetry.SPAN_TRAIN):
            known |= make(phases)
    except (DataError, CorruptArtifactError, MissingArtifactError) as error:
        _logger.warning("training failed: %s", error)
        known |= {"status": "failed", "reason": str(error)}
    manifest = TrainingManifest(**known, timings=phases.seconds(), spans=phases.spans())
    crash_point("trainer.artifact_stored")
    key = f"{job.prefix}/manifest.json"
    if not store.put_once(key, manifest.model_dump_json().encode()):
        _logger.warning("%s is there already: another process did this attempt", key)
    crash_point("trainer.manifest_stored")
    return manifest


def _train(job: TrainingJob, store: ArtifactStore, pool: FitPool, progress: Progress, phases: Phases) -> dict[str, Any]:
    training, metric = job.pipeline.training, job.pipeline.champion.metric
    progress.update(stage="read", metric=metric, trials_total=training.trials_in_all)
    with phases.phase(telemetry.SPAN_READ) as seen:
        data = read_training_table(job, store)
        frame = frame_of(data.signature, data.table)
        folds = make_folds(data, frame, training.folds, training.seed)
        seen |= {telemetry.ROWS: data.table.num_rows, telemetry.REPEATS: data.repeats}
    _logger.info("read %d rows; %d folds, metric %s", data.table.num_rows, training.folds, metric)
    with phases.phase(telemetry.SPAN_SHARE):
        pool.share(folds)
    progress.update(stage="select")
    with phases.phase(telemetry.SPAN_SELECT) as seen:
        ranked, candidates = select(
            job.pipeline, pool, lambda done, of: progress.update(message=f"{done} of {of} fits"), phases
        )
        best = ranked[0]
        seen |= {telemetry.METRIC: metric, telemetry.CANDIDATE: best.candidate, telemetry.SCORE: best.mean}
    for each in candidates:
        _logger.info("%s: %s %s, by fold %s", each.candidate, metric, each.mean, each.error or each.scores)
    work = _Training(job, store, pool, progress, phases, data, frame, folds)
    tuning = Tuning(job.pipeline, pool, progress, phases)
    failed: dict[str, str] = {}
    for winner in tuning.best_first(ranked, candidates):
        try:
            made = work.made_of(winner)
        except DataError as error:
            _logger.warning("%s: %s", winner.candidate, error)
            failed[winner.candidate] = str(error)
        else:
            told = [each.model_copy(update={"error": failed.get(each.candidate, each.error)}) for each in candidates]
            return made | {
                "repeats": data.repeats,
                "rare_labels": data.rare_labels,
                "candidates": [tuning.told(each) for each in told],
                "trials": tuning.trials,
            }
    raise DataError("; ".join(dict.fromkeys(failed.values())))


@dataclass(frozen=True)
class _Training:
    """A job, what it has read (as a table, as scikit-learn takes it, cut into folds), and what it works with."""

    job: TrainingJob
    store: ArtifactStore
    pool: FitPool
    progress: Progress
    phases: Phases
    data: TrainingTable
    frame: pd.DataFrame
    folds: Folds

    def made_of(self, best: Scored) -> dict[str, Any]:
        """Fit the winner on all rows and export it; return what the manifest says of it.

        Raises:
            DataError: it cannot be fitted on all rows, or not be served as it was fitted.
        """
        training = self.job.pipeline.training
        self.progress.update(stage="fit", best_score=best.mean)
        with self.phases.phase(telemetry.SPAN_FIT):
            threshold = chosen_threshold(self.job.pipeline, self.pool, self.folds, best)
            curve = learning_curve(self.job.pipeline, self.pool, self.folds, best)
            fitted = _fit(self.job, self.data, self.frame, best)
        self.progress.update(stage="export")
        with self.phases.phase(telemetry.SPAN_EXPORT) as seen, tempfile.TemporaryDirectory() as folder:
            exported = export(
                best.candidate,
                fitted,
                self.data.signature.model_copy(update={"threshold": threshold}),
                self.data.table,
                store=self.store,
                folder=Path(folder),
                seed=training.seed,
            )
            trained_on = store_trained_on(self.job, self.data.hashes, self.data.form, self.store, Path(folder))
            seen |= {telemetry.EXPORT_ERROR: exported.check.max_rel}
        seconds = self.phases.seconds()
        return {
            "status": "succeeded",
            "rows": self.data.table.num_rows,
            "trained_on": trained_on,
            "features": len(self.data.signature.features),
            "winner": best.candidate,
            "params": best.params,
            "threshold": threshold,
            "learning_curve": curve,
            "fixed": list(self.job.pipeline.training.parameters.get(best.candidate, {})),
            "score": best.mean,
            "fit_seconds": sum(
                seconds[each] for each in (telemetry.SPAN_SELECT, telemetry.SPAN_SEARCH, telemetry.SPAN_FIT)
            ),
            "artifact": exported.artifact,
            "engine": exported.engine,
            "export_check": exported.check,
        }


def _fit(job: TrainingJob, data: TrainingTable, frame: pd.DataFrame, best: Scored) -> SklearnPipeline:
    """Fit the winner on all rows, as the one scikit-learn pipeline that the export is measured against.

    Raises:
        DataError: its library cannot.
    """
    preprocess = preprocessor_for(data.signature, frame)
    held = directions(encoder_of(data.signature, preprocess.fit(frame)), data.monotone) if data.monotone else ()
    kind, seed = KINDS[best.candidate], job.pipeline.training.seed
    unfitted = kind.held_to(held, job.pipeline.task, best.params, seed, job.pipeline.training.quantile)
    estimator = on_target(unfitted, data.signature.transform)
    whole = SklearnPipeline([("preprocess", preprocess), ("estimator", estimator)])
    cannot = f"{best.candidate} cannot be fitted on all rows"
    with threadpool_limits(1), warnings.catch_warnings(), told_as(cannot):
        warnings.simplefilter("ignore")  # "did not converge" shows in the score
        whole.fit(frame, data.targets, estimator__sample_weight=data.weights.of(data.targets))
    return whole


def _about(job: TrainingJob) -> dict[str, Any]:
    pipeline = job.pipeline
    return {
        "run_id": job.run_id,
        "attempt": job.attempt,
        "pipeline": pipeline.name,
        "pipeline_digest": job.pipeline_digest,
        "task": pipeline.task,
        "datasets": [dataset.digest for dataset in job.datasets],
        "metric": pipeline.champion.metric,
        "seed": pipeline.training.seed,
        "folds": pipeline.training.folds,
        "threshold": pipeline.training.threshold_number,
        "threshold_metric": getattr(pipeline.training.threshold, "metric", None),
        "quantile": pipeline.training.quantile,
        "commit": job.commit,
        "code_version": importlib.metadata.version("interlock-trainer"),
        "packages": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }
