"""Bodies of MLflow's REST API, as far as it reads: registered models, versions, experiments and runs.

Names and forms are MLflow's, times are milliseconds since the epoch. An experiment is a pipeline, and so is a
registered model; its id is its name.
"""

from typing import Self

from pydantic import Field, model_validator

from interlock_contracts.http import Body

PREFIX = "/api/2.0/mlflow"
"""Where MLflow's API begins."""

SERVING_ALIASES = ("champion", "production")
"""Aliases of the version that serves."""


class MlflowTag(Body):
    """A tag or a parameter: a name and a text."""

    key: str
    value: str


class MlflowAlias(Body):
    """A name for one version of a registered model."""

    alias: str
    version: str


class MlflowVersion(Body):
    """A version: ``current_stage`` is Production while it serves, Archived once another does, else None."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str
    description: str = ""
    source: str
    run_id: str
    status: str = "READY"
    status_message: str = ""
    tags: list[MlflowTag] = []
    aliases: list[str] = []


class MlflowModel(Body):
    """A registered model with the newest version of each stage."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    latest_versions: list[MlflowVersion] = []
    tags: list[MlflowTag] = []
    aliases: list[MlflowAlias] = []


class MlflowModelAnswer(Body):
    """One registered model."""

    registered_model: MlflowModel


class MlflowModels(Body):
    """A page of registered models; no token where there is no next one."""

    registered_models: list[MlflowModel]
    next_page_token: str = ""


class MlflowVersionAnswer(Body):
    """One version."""

    model_version: MlflowVersion


class MlflowVersions(Body):
    """A page of versions; no token where there is no next one."""

    model_versions: list[MlflowVersion]
    next_page_token: str = ""


class MlflowDownload(Body):
    """Where a version's files are: the path of its export below the gateway's address."""

    artifact_uri: str


class _Question(Body):
    @model_validator(mode="after")
    def _texts_can_be_looked_up(self) -> Self:
        for name, value in self:
            if "\0" in "".join(
                each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
            ):
                raise ValueError(f"{name} holds a NUL character")
        return self


class MlflowLatestVersions(_Question):
    """The question for the newest version of each stage, or of those named."""

    name: str
    stages: list[str] = []


class MlflowExperiment(Body):
    """A pipeline as an experiment; one that is archived counts as deleted."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str


class MlflowExperimentAnswer(Body):
    """One experiment."""

    experiment: MlflowExperiment


class MlflowExperiments(Body):
    """A page of experiments; no token where there is no next one."""

    experiments: list[MlflowExperiment]
    next_page_token: str = ""


class MlflowMetric(Body):
    """A metric that the gate measured on the holdout; ``step`` is always 0."""

    key: str
    value: float
    timestamp: int
    step: int = 0


class MlflowMetrics(Body):
    """The values of one metric."""

    metrics: list[MlflowMetric]


class MlflowRunInfo(Body):
    """What a run is; ``status`` is SCHEDULED, RUNNING, FINISHED, FAILED or KILLED."""

    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str = ""
    status: str
    start_time: int
    end_time: int | None = None
    artifact_uri: str
    lifecycle_stage: str = "active"


class MlflowRunData(Body):
    """What a run found: metrics of the gate, parameters of the winner, tags."""

    metrics: list[MlflowMetric] = []
    params: list[MlflowTag] = []
    tags: list[MlflowTag] = []


class MlflowRun(Body):
    """A training run."""

    info: MlflowRunInfo
    data: MlflowRunData


class MlflowRunAnswer(Body):
    """One run."""

    run: MlflowRun


class MlflowRuns(Body):
    """A page of runs; no token where there is no next one."""

    runs: list[MlflowRun]
    next_page_token: str = ""


class MlflowSearch(_Question):
    """A search, as clients send it: ``filter`` in MLflow's language, ``page_token`` of the page before."""

    filter: str | None = None
    order_by: list[str] = []
    max_results: int = 1000
    page_token: str | None = None


class MlflowRunSearch(MlflowSearch):
    """A search for the runs of some experiments."""

    experiment_ids: list[str] = Field(default=[], max_length=1000)
    run_view_type: str = "ACTIVE_ONLY"


class MlflowExperimentSearch(MlflowSearch):
    """A search for experiments."""

    view_type: str = "ACTIVE_ONLY"


class MlflowError(Body):
    """An error in MLflow's form, which its clients parse."""

    error_code: str
    message: str
