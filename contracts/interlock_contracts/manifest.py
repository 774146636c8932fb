"""The training manifest: everything that is known about how a model came to be."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from interlock_contracts.data import ColumnType
from interlock_contracts.refs import ArtifactRef, Ref, Sha256


class Budget(Ref):
    """What something was fitted with: ``folds``, and ``rounds`` of trees where its kind has them."""

    folds: int = Field(ge=0)
    rounds: int | None = None


class Tuned(Ref):
    """The best that was found for a candidate: one of its trials, or its default parameters again.

    ``gain`` is by how much it is better than the default parameters in the mean over the folds, in the metric's own
    direction; ``error`` the standard error of that after Nadeau and Bengio (2003), since folds share training rows.
    The best of many trials was chosen on these very folds: a gain below two errors is noise, one above it may be.
    """

    params: dict[str, Any]
    scores: list[float]
    mean: float
    fit_seconds: float
    trials: int
    gain: float
    error: float | None = None

    @property
    def is_noise(self) -> bool:
        """Return whether the gain is within two standard errors; also where there is a single fold."""
        return self.error is None or abs(self.gain) <= 2 * self.error

    def __str__(self) -> str:
        spread = "" if self.error is None else f" ± {self.error:.2g}"
        return f"{self.mean:.4g} ({self.gain:+.2g}{spread}{', within noise' if self.is_noise else ''})"


class CandidateScores(Ref):
    """One candidate in the selection with its default parameters; ``scores`` has one entry per fold.

    ``budget`` says what it was fitted with where that was not all: the others were better by too much.
    """

    candidate: str
    scores: list[float]
    mean: float | None
    fit_seconds: float
    error: str | None = None
    budget: Budget | None = None
    tuned: Tuned | None = None


class Trial(Ref):
    """One trial of the search; ``state`` is complete, pruned or failed.

    ``score`` is the mean over the folds of its ``budget``. Trials of older trainers have none; a pruned one of theirs
    was scored on the first fold. ``candidate`` is the kind; without, the manifest's winner.
    """

    number: int = Field(ge=0)
    params: dict[str, Any]
    score: float | None
    fit_seconds: float
    state: Literal["complete", "pruned", "failed"]
    error: str | None = None
    candidate: str | None = None
    budget: Budget | None = None


class CurvePoint(Ref):
    """The winner's ``scores`` on the folds, fitted on about so many ``rows`` each; a fit that failed has none."""

    rows: int = Field(ge=0)
    scores: list[float] = Field(min_length=1)


class ExportCheck(Ref):
    """Greatest differences between what will be served and the original's own predictions."""

    rows: int = Field(ge=1)
    max_abs: float
    max_rel: float


class ImportedModel(Ref):
    """Where a model comes from that was trained elsewhere: the ``digest`` of what was uploaded, and what it says.

    ``ignored`` are the pipeline's features that it does not take. On which rows it was trained is not known.
    """

    format: Literal["mlflow"] = "mlflow"
    flavour: str
    digest: Sha256
    model_class: str | None = None
    run_id: str | None = None
    model_id: str | None = None
    mlflow_version: str | None = None
    created: str | None = None
    ignored: list[str] = []


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
    split, else all declared ones. ``form`` says how they were hashed; it is the pipeline's for good.
    """

    hashes: ArtifactRef
    form: Literal[1, 2] = 1
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
    imported: ImportedModel | None = None
    """None for a model that this run has trained."""

    @model_validator(mode="after")
    def _success_names_its_model(self) -> Self:
        if self.status == "succeeded" and self.artifact is None:
            raise ValueError("a manifest that says succeeded names its artifact")
        return self

    @property
    def trials_of_winner(self) -> list[Trial]:
        """Return the trials of the search around the winner; a training may have searched around others, too."""
        return [trial for trial in self.trials if trial.candidate in {None, self.winner}]

    @classmethod
    def failure(cls, reason: str) -> Self:
        """Return the manifest of a job that could not make a model, for ``reason``."""
        return cls(status="failed", reason=reason)
