"""The training manifest: everything that is known about how a model came to be."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from interlock_contracts.data import ColumnType
from interlock_contracts.refs import ArtifactRef, Ref, Sha256


class CandidateScores(Ref):
    """One candidate in the selection; ``scores`` has one entry per fold."""

    candidate: str
    scores: list[float]
    mean: float | None
    fit_seconds: float
    error: str | None = None


class Trial(Ref):
    """One trial of the search; ``state`` is complete, pruned or failed.

    ``score`` is the mean over the folds, of a pruned trial that of the first fold alone.
    """

    number: int = Field(ge=0)
    params: dict[str, Any]
    score: float | None
    fit_seconds: float
    state: Literal["complete", "pruned", "failed"]
    error: str | None = None


class CurvePoint(Ref):
    """The winner's ``scores`` on the folds, fitted on about so many ``rows`` each; a fit that failed has none."""

    rows: int = Field(ge=0)
    scores: list[float] = Field(min_length=1)


class ExportCheck(Ref):
    """Greatest differences between what will be served and scikit-learn's own predictions."""

    rows: int = Field(ge=1)
    max_abs: float
    max_rel: float


class Phase(Ref):
    """One phase of the job for the trace; times in nanoseconds since the epoch, ``parent`` a phase's name."""

    name: str
    parent: str | None = None
    start_ns: int
    end_ns: int
    attributes: dict[str, str | int | float | bool] = {}


class TrainedOn(Ref):
    """Which rows a training was given, by their hashes: one Parquet column ``hash`` of distinct uint64, ascending.

    ``columns`` are those that the hashes are over, with their types at the time: what decides a row's side of the
    split, else all declared ones.
    """

    hashes: ArtifactRef
    columns: dict[str, ColumnType] = Field(min_length=1)


class TrainingManifest(Ref):
    """Written once, as a job's very last step; its presence, not Ray's word, says that the training has ended."""

    status: Literal["succeeded", "failed"]
    reason: str | None = None
    run_id: UUID | None = None
    attempt: int | None = None
    pipeline: str | None = None
    pipeline_digest: Sha256 | None = None
    task: str | None = None
    datasets: list[Sha256] = []
    artifact: ArtifactRef | None = None
    engine: str | None = None
    """What computes the answers where the model is served, for instance ``forest 2``."""
    winner: str | None = None
    params: dict[str, Any] = {}
    fixed: list[str] = []
    """Names of those ``params`` that the pipeline fixes, which no search has chosen."""
    metric: str | None = None
    score: float | None = None
    candidates: list[CandidateScores] = []
    trials: list[Trial] = []
    learning_curve: list[CurvePoint] = []
    """From few rows to all; empty unless the pipeline declares it."""
    seed: int | None = None
    folds: int | None = None
    rows: int | None = None
    trained_on: TrainedOn | None = None
    """What the gate proves by that no held-out row was trained on; manifests of older trainers have none."""
    repeats: int = 0
    """Rows that an earlier dataset has, too, left out of ``rows``."""
    rare_labels: dict[str, int] = {}
    """Labels that were set aside, with their rows, which are left out of ``rows``."""
    threshold: float | None = None
    """The least probability at which the positive label is predicted; None where the more probable one is."""
    threshold_metric: str | None = None
    """The metric by which the training has chosen ``threshold``; None where it was declared, or there is none."""
    quantile: float | None = None
    """The quantile of the target that a regression answers; None where it is the mean."""
    features: int | None = None
    commit: str | None = None
    code_version: str | None = None
    packages: dict[str, str] = {}
    fit_seconds: float | None = None
    timings: dict[str, float] = {}
    export_check: ExportCheck | None = None
    spans: list[Phase] = []

    @model_validator(mode="after")
    def _success_names_its_model(self) -> Self:
        if self.status == "succeeded" and self.artifact is None:
            raise ValueError("a manifest that says succeeded names its artifact")
        return self

    @classmethod
    def failure(cls, reason: str) -> Self:
        """Return the manifest of a job that could not make a model, for ``reason``."""
        return cls(status="failed", reason=reason)
