"""API gateway: every proxied route of another service and the scope that it requires; that service checks it again.

What a route takes and answers the OpenAPI document has from that service (``make contracts``).
"""

from interlock_contracts.access import Scope
from interlock_messaging.transient import is_dependency_unavailable
from interlock_runtime.content_coding import AS_SENT
from interlock_runtime.http import SCOPE
from interlock_runtime.mlflow_api import mlflow_router
from interlock_runtime.reverse_proxy import ReverseProxy
from litestar import Router, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, Method

from interlock_gateway.proxy.upstreams import Proxies


def proxied(scope: Scope, method: Method, path: str, proxy: ReverseProxy) -> HTTPRouteHandler:
    """Return a route that ``proxy`` forwards."""

    @route(
        path,
        http_method=method,
        operation_id=f"{method} {path}",
        tags=[proxy.name],
        status_code=200,
        opt={SCOPE: scope, AS_SENT: True},
    )
    async def forward() -> ASGIApp:
        return proxy.forward

    return forward


_PIPELINE, _MODEL, _VERSION = "/pipelines/{name:str}", "/models/{name:str}", "/models/{name:str}/versions/{number:int}"
_DATASETS, _RUN, _PREDICTION = "/datasets/{name:str}", "/runs/{run_id:str}", "/predictions/{prediction_id:str}"
_LETTER = "/dead-letters/{letter_id:str}"


def _registry_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("read", "GET", "/pipelines", to),
        proxied("read", "GET", _PIPELINE, to),
        # Whoever writes a pipeline's gate decides what passes it.
        proxied("promote", "PUT", _PIPELINE, to),
        proxied("read", "GET", "/models", to),
        proxied("read", "GET", _MODEL, to),
        # Others decide by what is said of a model.
        proxied("promote", "PATCH", _MODEL, to),
        proxied("promote", "PATCH", _VERSION, to),
        proxied("read", "GET", f"{_MODEL}/rollout", to),
        proxied("read", "GET", f"{_MODEL}/promotions", to),
        proxied("read", "GET", f"{_MODEL}/ledger", to),
        proxied("read", "GET", f"{_MODEL}/compare", to),
        proxied("read", "GET", f"{_MODEL}/retention", to),
        proxied("read", "GET", f"{_MODEL}/versions", to),
        proxied("read", "GET", _VERSION, to),
        proxied("read", "GET", f"{_VERSION}/export", to),
        proxied("read", "GET", f"{_VERSION}/export/{{part:str}}", to),
        # They cannot be taken back.
        proxied("admin", "DELETE", _MODEL, to),
        proxied("admin", "DELETE", _VERSION, to),
        proxied("promote", "POST", f"{_VERSION}/approve", to),
        proxied("promote", "POST", f"{_VERSION}/promote", to),
        proxied("promote", "POST", f"{_MODEL}/rollback", to),
        proxied("admin", "GET", "/keys", to),
        proxied("admin", "POST", "/keys", to),
        proxied("admin", "DELETE", "/keys/{name:str}", to),
        proxied("admin", "GET", "/audit", to),
        proxied("admin", "GET", "/dead-letters", to),
        proxied("admin", "GET", _LETTER, to),
        proxied("admin", "POST", f"{_LETTER}/replay", to),
        proxied("admin", "DELETE", _LETTER, to),
    ]


def _ingest_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("ingest", "POST", _DATASETS, to),
        proxied("read", "GET", _DATASETS, to),
        proxied("read", "GET", f"{_DATASETS}/retention", to),
        proxied("read", "GET", f"{_DATASETS}/{{digest:str}}", to),
        # It cannot be taken back.
        proxied("admin", "DELETE", f"{_DATASETS}/{{digest:str}}", to),
    ]


def _train_dispatch_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("read", "GET", "/runs", to),
        proxied("read", "GET", _RUN, to),
        proxied("read", "GET", f"{_RUN}/logs", to),
        proxied("train", "POST", f"{_RUN}/cancel", to),
        # Nobody can look up which rows such a model has seen: whoever imports it vouches that they are not the gate's.
        proxied("promote", "POST", f"{_MODEL}/import", to),
    ]


def _prediction_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("predict", "GET", "/predictions", to),
        proxied("predict", "GET", _PREDICTION, to),
        proxied("predict", "GET", f"{_PREDICTION}/result", to),
        proxied("predict", "GET", f"{_PREDICTION}/events", to),
        proxied("predict", "POST", f"{_PREDICTION}/cancel", to),
        proxied("admin", "GET", "/webhooks/secret", to),
    ]


def _monitor_routes(to: ReverseProxy) -> list[HTTPRouteHandler]:
    return [
        proxied("read", "GET", f"{_MODEL}/quality", to),
        proxied("admin", "POST", f"{_MODEL}/predictions/erase", to),
    ]


def _mlflow_routes(proxies: Proxies) -> Router:
    """Return MLflow's API: models and versions are the registry's, experiments and runs the dispatcher's."""
    registry, dispatcher = proxies.registry, proxies.train_dispatch
    routes = [
        proxied("read", "GET", "/registered-models/get", registry),
        proxied("read", "GET", "/registered-models/search", registry),
        proxied("read", "GET", "/registered-models/get-latest-versions", registry),
        proxied("read", "POST", "/registered-models/get-latest-versions", registry),
        proxied("read", "GET", "/registered-models/alias", registry),
        proxied("read", "GET", "/model-versions/get", registry),
        proxied("read", "GET", "/model-versions/search", registry),
        proxied("read", "GET", "/model-versions/get-download-uri", registry),
        proxied("read", "GET", "/experiments/get", dispatcher),
        proxied("read", "GET", "/experiments/get-by-name", dispatcher),
        proxied("read", "GET", "/experiments/search", dispatcher),
        proxied("read", "POST", "/experiments/search", dispatcher),
        proxied("read", "GET", "/runs/get", dispatcher),
        proxied("read", "POST", "/runs/search", dispatcher),
        proxied("read", "GET", "/metrics/get-history", dispatcher),
    ]
    return mlflow_router(routes, is_dependency_unavailable)


def proxied_routes(proxies: Proxies) -> list[ControllerRouterHandler]:
    """Return every route that another service answers."""
    return [
        *_registry_routes(proxies.registry),
        *_ingest_routes(proxies.ingest),
        *_train_dispatch_routes(proxies.train_dispatch),
        *_prediction_routes(proxies.prediction),
        *_monitor_routes(proxies.monitor),
        _mlflow_routes(proxies),
    ]
