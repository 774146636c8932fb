"""Bodies of the REST API."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interlock_contracts.datasets import Finding
from interlock_contracts.drift import DriftView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef, DatasetRole, ModelRef, Sha256
from interlock_contracts.signature import PromotionCause, PromotionSignature
from interlock_contracts.stages import PRODUCTION, StageName
from interlock_contracts.tags import Tags
from interlock_contracts.training import RunState


class Body(BaseModel):
    """Base of all bodies: readers tolerate what a newer server adds."""

    model_config = ConfigDict(extra="ignore")


class Request(BaseModel):
    """Base of what clients send: a misspelt field is an error that names it, and a NUL no text."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _texts_can_be_kept(self) -> Self:
        for name, value in self:
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"{name} holds a NUL character")
        return self


class Problem(Body):
    """An error as RFC 9457 has it (problem details); ``errors`` holds one entry per fault, each naming where it is."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    errors: list[dict[str, Any]] | None = None


class PipelineView(Body):
    """A stored pipeline: its newest spec unless another digest was asked for."""

    name: str
    digest: Sha256
    revision: int
    applied_at: datetime
    changed: bool = False
    spec: Pipeline


class DatasetView(Body):
    """One file's verdict for one pipeline digest; ``state`` is checking, accepted, rejected or deleted.

    An evaluation file, by its ``role``, is never trained on: all of its rows are for the gate.
    ``file_name``, ``note`` and ``uploaded_by``, a key's name, are of the first upload, as far as it named them.
    ``profile`` and ``drift`` stand in the view of one file, not in lists; ``drift`` is None without a file before.
    After a dry run nothing is stored, so ``dataset`` is None; the rows of both sides stand in ``profile``.
    ``read_again`` is true of a stored file that is, or was, read again for a changed pipeline.
    Of a deleted file lists have digest, number and times, and by whom; only lists that ask for such files.
    """

    pipeline: str
    digest: Sha256
    pipeline_digest: Sha256
    state: str
    dry_run: bool = False
    bytes: int
    received_at: datetime
    decided_at: datetime | None = None
    file_name: str | None = None
    note: str | None = None
    uploaded_by: str | None = None
    role: DatasetRole = "training"
    batch: int | None = None
    dataset: DatasetRef | None = None
    profile: dict[str, Any] | None = None
    drift: DriftView | None = None
    reasons: list[Finding] = []
    warnings: list[Finding] = []
    read_again: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None

    @property
    def file(self) -> ArtifactRef:
        """Return where the file lies as it came: beside the holdout, for it holds those rows as well."""
        return ArtifactRef(sha256=self.digest, bytes=self.bytes, holdout=True)


class RetrainRequest(Request):
    """Why to train again, and on what; all optional. ``tags`` are kept with the run, which is found by them."""

    reason: str | None = Field(default=None, max_length=1000)
    dataset: Sha256 | None = None
    pipeline: Sha256 | None = None
    commit: str | None = Field(default=None, max_length=100)
    tags: Tags | None = None


class RunAccepted(Body):
    """The answer to a retrain request: the run's id and address."""

    run_id: UUID
    run: str


class ProgressView(Body):
    """How far an attempt has come, and once it is over, which ``candidate`` won with which ``params``."""

    counter: int
    stage: str
    trials_done: int = 0
    trials_total: int = 0
    best_score: float | None = None
    metric: str | None = None
    candidate: str | None = None
    params: dict[str, str] = {}


class RunView(Body):
    """One training run from its cause to its end; ``reason`` is why it ended so, ``request_reason`` why it was asked.

    ``requested_by`` is the name of a key or user, or ``event/<source>`` of a request that came over the broker.
    ``evaluation`` is the evaluation file that its model is judged on; None: on what is held out of ``datasets``.
    ``tags`` are those of the request, ``metrics`` the gate's on the holdout, as far as they are defined there.
    ``imported`` is the digest of the upload whose model is imported; None: the run trains one.
    """

    run_id: UUID
    model: str
    state: RunState
    attempt: int
    pipeline_digest: Sha256
    datasets: list[Sha256] = []
    evaluation: Sha256 | None = None
    imported: Sha256 | None = None
    cause: str
    requested_by: str | None = None
    request_reason: str | None = None
    tags: dict[str, str] = {}
    reason: str | None = None
    into: UUID | None = None
    version: int | None = None
    trace_id: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    trained_at: datetime | None = None
    ended_at: datetime | None = None
    deadline: datetime | None = None
    progress: ProgressView | None = None
    metrics: dict[str, float] = {}


class VersionView(Body):
    """One version of a model; ``stage``, its state, is registered, passed, refused, champion or retired.

    ``serves_in`` are the deployment stages in which it serves; a champion serves in production. ``bound_for`` is the
    stage for which the gate measures it, or an approval is waited for.
    ``evaluation`` is the evaluation file that is its holdout; None: what was held out of ``datasets``.
    ``metrics`` are the gate's on the holdout, those defined there; ``against`` is the champion it was compared with,
    and ``champion_metrics`` are that champion's on the same rows: versions measured by an older gate have none.
    ``report``, a ``GateReport``, and ``details``, its ``TrainingManifest``, stand in the view of one version.
    """

    model: str
    version: int
    stage: str
    run_id: UUID
    pipeline_digest: Sha256
    artifact: ArtifactRef
    manifest: ArtifactRef
    datasets: list[Sha256] = []
    evaluation: Sha256 | None = None
    registered_at: datetime
    against: int | None = None
    metrics: dict[str, float] = {}
    champion_metrics: dict[str, float] = {}
    reasons: list[str] = []
    serves_in: list[str] = []
    bound_for: str | None = None
    description: str | None = None
    tags: dict[str, str] = {}
    report: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


class ServingView(Body):
    """What should serve for a model in ``stage`` now; the gateway reconciles against it.

    An ``archived`` model serves nothing, and this is what would serve were it brought back; likewise in a stage that
    the pipeline has no more. ``pipeline_digest`` is that of the spec it was trained by, maybe not the newest.
    """

    ref: ModelRef
    promotion_seq: int
    cause: PromotionCause
    promoted_at: datetime
    promotion: str | None = None
    signed: PromotionSignature | None = None
    archived: bool = False
    pipeline_digest: Sha256 | None = None
    stage: StageName = PRODUCTION


class ExportedFile(Body):
    """One stored file of an exported version."""

    name: str
    sha256: Sha256
    bytes: int


class ExportView(Body):
    """A promoted version to take away; ``bundle`` signs all files and ``promotion``, by the key in ``public_key``.

    ``promotion`` is the content of ``promotion.json``: the registry's own signature of the promotion.
    """

    model: str
    version: int
    files: list[ExportedFile]
    promotion: str
    bundle: dict[str, Any]
    public_key: str


class NewestVersion(Body):
    """The newest version of a model that was not deleted; ``stage`` as in ``VersionView``."""

    version: int
    stage: str


class RolloutCounts(Body):
    """How far a model's newest promotion has come, in gateway workers; ``RolloutView`` names them.

    ``converged`` once every worker that lives serves it, or will with its first request for it.
    """

    serving: int
    failed: int
    workers: int
    converged: bool


class StageView(Body):
    """One deployment stage of a model: what serves in it, and in how many of the workers that follow it."""

    stage: StageName
    serving: ServingView | None = None
    rollout: RolloutCounts | None = None


class ModelView(Body):
    """One model: what serves in production, how many versions there are, and its description, owner and tags.

    ``stages`` are all of the pipeline's, in order. A view that is asked for one stage has that one's in ``serving``.
    ``newest`` and, where a version serves, ``rollout`` stand in the list of models, ``signature`` in the view of one.
    """

    name: str
    description: str | None = None
    owner: str | None = None
    tags: dict[str, str] = {}
    archived_at: datetime | None = None
    serving: ServingView | None = None
    versions: int
    newest: NewestVersion | None = None
    rollout: RolloutCounts | None = None
    stages: list[StageView] = []
    signature: dict[str, Any] | None = None


class ApproveRequest(Request):
    """What clients before 0.2 send; ``by`` is ignored: the approver is the caller whose key it is."""

    by: str | None = Field(default=None, max_length=200)


class PromoteRequest(Request):
    """Into which stage to promote a version that serves, or has served, in the stage before."""

    to: StageName


class RollbackRequest(Request):
    """Which version to go back to in a stage; without one, the version that served there before."""

    version: int | None = Field(default=None, ge=1)
    reason: str | None = Field(default=None, max_length=1000)
    stage: StageName = PRODUCTION
