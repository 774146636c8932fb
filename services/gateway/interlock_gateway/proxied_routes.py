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


def proxied(  # noqa: PLR0917 - a table has its columns in order
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
    async def forward(state: State) -> ASGIApp:
        upstream: Upstream = state.upstreams[service]
        return upstream.forward

    return forward


_PIPELINE, _MODEL, _VERSION = "/pipelines/{name:str}", "/models/{name:str}", "/models/{name:str}/versions/{number:int}"
_DATASETS, _RUN, _PREDICTION = "/datasets/{name:str}", "/runs/{run_id:str}", "/predictions/{prediction_id:str}"
_LETTER = "/dead-letters/{letter_id:str}"
_Decision = dict[str, Any]

_REGISTRY = [
    proxied("read", "GET", "/pipelines", "registry", "Every pipeline with its newest spec", list[PipelineView]),
    proxied("read", "GET", _PIPELINE, "registry", "A pipeline's newest spec, or `?digest=`", PipelineView),
    # Whoever writes a pipeline's gate decides what passes it.
    proxied("promote", "PUT", _PIPELINE, "registry", "Apply a pipeline, JSON or YAML", PipelineView),
    proxied("read", "GET", "/models", "registry", "Every model, with what serves", list[ModelView]),
    proxied("read", "GET", _MODEL, "registry", "One model: what serves, its signature", ModelView),
    proxied("read", "GET", f"{_MODEL}/rollout", "registry", "Which workers serve the newest version", RolloutView),
    proxied("read", "GET", f"{_MODEL}/promotions", "registry", "What served, and since when", list[PromotionView]),
    proxied("read", "GET", f"{_MODEL}/versions", "registry", "Its versions, or `?dataset=`", list[VersionView]),
    proxied("read", "GET", _VERSION, "registry", "One version, gate report", VersionView),
    proxied("read", "GET", f"{_VERSION}/export", "registry", "A promoted version to take away, signed", ExportView),
    proxied("read", "GET", f"{_VERSION}/export/{{part:str}}", "registry", "One file of it", bytes),
    proxied("promote", "POST", f"{_VERSION}/approve", "registry", "Promote a version that waits", _Decision),
    proxied("promote", "POST", f"{_MODEL}/rollback", "registry", "Serve an earlier version again", _Decision),
    proxied("admin", "GET", "/keys", "registry", "Every key, but not itself", list[KeyView]),
    proxied("admin", "POST", "/keys", "registry", "Make a key, shown this one time", KeyMade, 201),
    proxied("admin", "DELETE", "/keys/{name:str}", "registry", "Revoke a key", KeyView),
    proxied("admin", "GET", "/audit", "registry", "Who did what, the newest first", list[AuditEntry]),
    proxied("admin", "GET", "/dead-letters", "registry", "Dead letters, the newest first", list[DeadLetterView]),
    proxied("admin", "GET", _LETTER, "registry", "A dead letter with what it says", DeadLetterContent),
    proxied("admin", "POST", f"{_LETTER}/replay", "registry", "Give it back to its queue", DeadLetterView),
    proxied("admin", "DELETE", _LETTER, "registry", "Discard it for good", DeadLetterView),
]
_INGEST = [
    proxied("ingest", "POST", _DATASETS, "ingest", "Upload a file: the body as it is", DatasetView, 202),
    proxied("read", "GET", _DATASETS, "ingest", "A pipeline's files with their verdicts", list[DatasetView]),
    proxied("read", "GET", f"{_DATASETS}/{{digest:str}}", "ingest", "A file's verdict and profile", DatasetView),
]
_TRAIN_DISPATCH = [
    proxied("read", "GET", "/runs", "train_dispatch", "The newest runs, or `?model=`", list[RunView]),
    proxied("read", "GET", _RUN, "train_dispatch", "One run, live", RunView),
    proxied("train", "POST", f"{_RUN}/cancel", "train_dispatch", "Stop a run", RunView, 202),
]
_PREDICTIONS = [
    proxied("read", "GET", f"{_MODEL}/quality", "prediction", "How predictions turned out", QualityView),
    proxied("predict", "GET", "/predictions", "prediction", "The newest ones, or `?model=`", list[PredictionView]),
    proxied("predict", "GET", _PREDICTION, "prediction", "State and result", PredictionView),
    proxied("predict", "GET", f"{_PREDICTION}/result", "prediction", "A file's answer", bytes),
    proxied("predict", "GET", f"{_PREDICTION}/events", "prediction", "Its end, as server-sent events", str),
    proxied("predict", "POST", f"{_PREDICTION}/cancel", "prediction", "Stop it", PredictionView),
    proxied("admin", "GET", "/webhooks/secret", "prediction", "What signs webhooks to `?url=`", WebhookSecret),
]
PROXIED_ROUTES = [*_REGISTRY, *_INGEST, *_TRAIN_DISPATCH, *_PREDICTIONS]
