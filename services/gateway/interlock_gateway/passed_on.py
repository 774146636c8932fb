"""The one public door: every route of another service, and the scope that it asks for; that service asks again."""

import re
from typing import Any

from interlock_contracts.access import AuditEntry, KeyMade, KeyView, Scope
from interlock_contracts.dead_letters import DeadLetterContent, DeadLetterView
from interlock_contracts.http import (
    DatasetView,
    ExportView,
    ModelView,
    PipelineView,
    PredictionView,
    RunView,
    VersionView,
    WebhookSecret,
)
from interlock_contracts.quality import QualityView
from interlock_contracts.rollout import PromotionView, RolloutView
from interlock_runtime.http import SCOPE
from litestar import route
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp, Method

from interlock_gateway.proxy import Upstream


def passed_on(  # noqa: PLR0917 - a table has its columns in order
    scope: Scope, method: Method, path: str, service: str, summary: str, answer: Any, status: int = 200
) -> HTTPRouteHandler:
    """Return a route that is ``service``'s; ``answer`` is only what the OpenAPI document says."""

    @route(
        path,
        http_method=method,
        summary=summary,
        operation_id=method.lower() + "".join(part.title() for part in re.findall(r"/{?(\w+)", path)),
        tags=[service],
        status_code=status,
        opt={SCOPE: scope},
        responses={status: ResponseSpec(answer, description=summary, generate_examples=False)},
    )
    async def pass_on(state: State) -> ASGIApp:
        upstream: Upstream = state.upstreams[service]
        return upstream.pass_on

    return pass_on


_PIPELINE, _MODEL, _VERSION = "/pipelines/{name:str}", "/models/{name:str}", "/models/{name:str}/versions/{number:int}"
_DATASETS, _RUN, _PREDICTION = "/datasets/{name:str}", "/runs/{run_id:str}", "/predictions/{prediction_id:str}"
_LETTER = "/dead-letters/{letter_id:str}"
_Decision = dict[str, Any]

_REGISTRY = [
    passed_on("read", "GET", "/pipelines", "registry", "Every pipeline with its newest spec", list[PipelineView]),
    passed_on("read", "GET", _PIPELINE, "registry", "A pipeline's newest spec, or `?digest=`", PipelineView),
    # Whoever writes a pipeline's gate decides what passes it.
    passed_on("promote", "PUT", _PIPELINE, "registry", "Apply a pipeline, JSON or YAML", PipelineView),
    passed_on("read", "GET", "/models", "registry", "Every model, with what serves", list[ModelView]),
    passed_on("read", "GET", _MODEL, "registry", "One model: what serves, its signature", ModelView),
    passed_on("read", "GET", f"{_MODEL}/rollout", "registry", "Which workers serve the newest version", RolloutView),
    passed_on("read", "GET", f"{_MODEL}/promotions", "registry", "What served, and since when", list[PromotionView]),
    passed_on("read", "GET", f"{_MODEL}/versions", "registry", "Its versions, or `?dataset=`", list[VersionView]),
    passed_on("read", "GET", _VERSION, "registry", "One version, gate report", VersionView),
    passed_on("read", "GET", f"{_VERSION}/export", "registry", "A promoted version to take away, signed", ExportView),
    passed_on("read", "GET", f"{_VERSION}/export/{{part:str}}", "registry", "One file of it", bytes),
    passed_on("promote", "POST", f"{_VERSION}/approve", "registry", "Promote a version that waits", _Decision),
    passed_on("promote", "POST", f"{_MODEL}/rollback", "registry", "Serve an earlier version again", _Decision),
    passed_on("admin", "GET", "/keys", "registry", "Every key, but not itself", list[KeyView]),
    passed_on("admin", "POST", "/keys", "registry", "Make a key, shown this one time", KeyMade, 201),
    passed_on("admin", "DELETE", "/keys/{name:str}", "registry", "Revoke a key", KeyView),
    passed_on("admin", "GET", "/audit", "registry", "Who did what, the newest first", list[AuditEntry]),
    passed_on("admin", "GET", "/dead-letters", "registry", "Dead letters, the newest first", list[DeadLetterView]),
    passed_on("admin", "GET", _LETTER, "registry", "A dead letter with what it says", DeadLetterContent),
    passed_on("admin", "POST", f"{_LETTER}/replay", "registry", "Give it back to its queue", DeadLetterView),
    passed_on("admin", "DELETE", _LETTER, "registry", "Discard it for good", DeadLetterView),
]
_INGEST = [
    passed_on("ingest", "POST", _DATASETS, "ingest", "Upload a file: the body as it is", DatasetView, 202),
    passed_on("read", "GET", _DATASETS, "ingest", "A pipeline's files with their verdicts", list[DatasetView]),
    passed_on("read", "GET", f"{_DATASETS}/{{digest:str}}", "ingest", "A file's verdict and profile", DatasetView),
]
_TRAIN_DISPATCH = [
    passed_on("read", "GET", "/runs", "train_dispatch", "The newest runs, or `?model=`", list[RunView]),
    passed_on("read", "GET", _RUN, "train_dispatch", "One run, live", RunView),
    passed_on("train", "POST", f"{_RUN}/cancel", "train_dispatch", "Stop a run", RunView, 202),
]
_PREDICTIONS = [
    passed_on("read", "GET", f"{_MODEL}/quality", "prediction", "How predictions turned out", QualityView),
    passed_on("predict", "GET", "/predictions", "prediction", "The newest ones, or `?model=`", list[PredictionView]),
    passed_on("predict", "GET", _PREDICTION, "prediction", "State and result", PredictionView),
    passed_on("predict", "GET", f"{_PREDICTION}/result", "prediction", "A file's answer", bytes),
    passed_on("predict", "GET", f"{_PREDICTION}/events", "prediction", "Its end, as server-sent events", str),
    passed_on("predict", "POST", f"{_PREDICTION}/cancel", "prediction", "Stop it", PredictionView),
    passed_on("admin", "GET", "/webhooks/secret", "prediction", "What signs webhooks to `?url=`", WebhookSecret),
]
PASSED_ON = [*_REGISTRY, *_INGEST, *_TRAIN_DISPATCH, *_PREDICTIONS]
