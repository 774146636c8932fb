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
from interlock_contracts.rollout import ApprovalView, PromotionView, RollbackView, RolloutView
from interlock_runtime.content_coding import AS_SENT
from interlock_runtime.http import SCOPE
from interlock_runtime.reverse_proxy import ReverseProxy
from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ASGIApp, Method

from interlock_gateway.proxy.upstreams import Proxies


def proxied(  # noqa: PLR0917 - a table has its columns in order
    scope: Scope,
    method: Method,
    path: str,
    proxy: ReverseProxy,
    summary: str,
    answer: Any,
    status: int = 200,
    *others: int,
) -> HTTPRouteHandler:
    """Return a route that ``proxy`` forwards; ``answer`` and statuses are only what the OpenAPI document says."""

    @route(
        path,
        http_method=method,
        summary=summary,
        operation_id=method.lower() + "".join(part.title() for part in re.findall(r"/{?(\w+)", path)),
        tags=[proxy.name],
        status_code=status,
        opt={SCOPE: scope, AS_SENT: True},
        responses={
            each: ResponseSpec(answer, description=summary, generate_examples=False) for each in (status, *others)
        },
    )
    async def forward() -> ASGIApp:
        return proxy.forward

    return forward


_PIPELINE, _MODEL, _VERSION = "/pipelines/{name:str}", "/models/{name:str}", "/models/{name:str}/versions/{number:int}"
_DATASETS, _RUN, _PREDICTION = "/datasets/{name:str}", "/runs/{run_id:str}", "/predictions/{prediction_id:str}"
_LETTER = "/dead-letters/{letter_id:str}"


def _registry_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("read", "GET", "/pipelines", to, "Every pipeline with its newest spec", list[PipelineView]),
        proxied("read", "GET", _PIPELINE, to, "A pipeline's newest spec, or `?digest=`", PipelineView),
        # Whoever writes a pipeline's gate decides what passes it.
        proxied("promote", "PUT", _PIPELINE, to, "Apply a pipeline, JSON or YAML", PipelineView),
        proxied("read", "GET", "/models", to, "Every model, with what serves", list[ModelView]),
        proxied("read", "GET", _MODEL, to, "One model: what serves, its signature", ModelView),
        proxied("read", "GET", f"{_MODEL}/rollout", to, "Which workers serve the newest version", RolloutView),
        proxied("read", "GET", f"{_MODEL}/promotions", to, "What served, and since when", list[PromotionView]),
        proxied("read", "GET", f"{_MODEL}/versions", to, "Its versions, or `?dataset=`", list[VersionView]),
        proxied("read", "GET", _VERSION, to, "One version, gate report", VersionView),
        proxied("read", "GET", f"{_VERSION}/export", to, "A promoted version to take away, signed", ExportView),
        proxied("read", "GET", f"{_VERSION}/export/{{part:str}}", to, "One file of it", bytes),
        proxied("promote", "POST", f"{_VERSION}/approve", to, "Promote a version that waits", ApprovalView),
        proxied("promote", "POST", f"{_MODEL}/rollback", to, "Serve an earlier version again", RollbackView),
        proxied("admin", "GET", "/keys", to, "Every key, but not itself", list[KeyView]),
        proxied("admin", "POST", "/keys", to, "Make a key, shown this one time", KeyMade, 201),
        proxied("admin", "DELETE", "/keys/{name:str}", to, "Revoke a key", KeyView),
        proxied("admin", "GET", "/audit", to, "Who did what, the newest first", list[AuditEntry]),
        proxied("admin", "GET", "/dead-letters", to, "Dead letters, the newest first", list[DeadLetterView]),
        proxied("admin", "GET", _LETTER, to, "A dead letter with what it says", DeadLetterContent),
        proxied("admin", "POST", f"{_LETTER}/replay", to, "Give it back to its queue", DeadLetterView),
        proxied("admin", "DELETE", _LETTER, to, "Discard it for good", DeadLetterView),
    ]


def _ingest_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied(
            "ingest", "POST", _DATASETS, to, "Upload a file, or only check it: `?dry_run=true`", DatasetView, 202, 200
        ),
        proxied("read", "GET", _DATASETS, to, "A pipeline's files with their verdicts", list[DatasetView]),
        proxied("read", "GET", f"{_DATASETS}/{{digest:str}}", to, "A file's verdict and profile", DatasetView),
    ]


def _train_dispatch_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("read", "GET", "/runs", to, "The newest runs; `?model=`, `?state=`", list[RunView]),
        proxied("read", "GET", _RUN, to, "One run, live", RunView),
        proxied("train", "POST", f"{_RUN}/cancel", to, "Stop a run", RunView, 202),
    ]


def _prediction_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("predict", "GET", "/predictions", to, "The newest ones, or `?model=`", list[PredictionView]),
        proxied("predict", "GET", _PREDICTION, to, "State and result", PredictionView),
        proxied("predict", "GET", f"{_PREDICTION}/result", to, "A file's answer", bytes),
        proxied("predict", "GET", f"{_PREDICTION}/events", to, "Its end, as server-sent events", str),
        proxied("predict", "POST", f"{_PREDICTION}/cancel", to, "Stop it", PredictionView),
        proxied("admin", "GET", "/webhooks/secret", to, "What signs webhooks to `?url=`", WebhookSecret),
    ]


def _monitor_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [proxied("read", "GET", f"{_MODEL}/quality", to, "How predictions turned out", QualityView)]


def proxied_routes(proxies: Proxies) -> list[HTTPRouteHandler]:
    """Return every route that another service answers."""
    return [
        *_registry_routes(proxies.registry),
        *_ingest_routes(proxies.ingest),
        *_train_dispatch_routes(proxies.train_dispatch),
        *_prediction_routes(proxies.prediction),
        *_monitor_routes(proxies.monitor),
    ]
