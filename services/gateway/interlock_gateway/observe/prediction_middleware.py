"""Middleware for metrics and sampled spans of predictions, by the fast path over ASGI or by the route."""

from time import perf_counter

from interlock_runtime.access import Access
from interlock_runtime.metrics import StatusSend
from interlock_serving.manager import ModelManager
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from interlock_gateway.domain import predicted_model
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.counts import NO_VERSION
from interlock_gateway.observe.metrics import UNKNOWN, Metrics
from interlock_gateway.observe.trace_sampling import TraceSampler, end_prediction, prediction_span

_SERVED, _ROWS = "interlock.served", "interlock.rows"


def report_version(scope: HTTPScope, serving: BatchedModel) -> None:
    """Report the version chosen for the request to the middleware."""
    scope["state"][_SERVED] = serving


def report_rows(scope: HTTPScope, rows: int) -> None:
    """Report the number of predicted rows to the middleware."""
    scope["state"][_ROWS] = rows


class PredictionMiddleware:
    """The ASGI application ``app``, its predictions counted, and some of them, by ``sampler``, in a span."""

    def __init__(
        self,
        app: ASGIApp,
        manager: ModelManager[BatchedModel],
        *,
        access: Access,
        metrics: Metrics,
        sampler: TraceSampler,
    ) -> None:
        self.app = app
        self._manager = manager
        self._access = access
        self._metrics = metrics
        self._sampler = sampler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let ``app`` answer."""
        name = predicted_model(scope["method"], scope["path"]) if scope["type"] == ScopeType.HTTP else None
        if scope["type"] != ScopeType.HTTP or name is None:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._sampler.wants(headers.get(b"traceparent")):
            with prediction_span(name, headers) as span:
                status = await self._counted(name, headers, scope, receive, send)
                end_prediction(span, status, scope["state"].get(_SERVED))
        else:
            await self._counted(name, headers, scope, receive, send)

    async def _counted(
        self, name: str, headers: dict[bytes, bytes], scope: HTTPScope, receive: Receive, send: Send
    ) -> int:
        """Let ``app`` answer, count, and return the answer's status."""
        start, answer = perf_counter(), StatusSend(send)
        await self.app(scope, receive, answer)
        # Only now: a key that was made this moment is known once the route has refreshed the key ring.
        caller = self._access.admit(headers.get(b"authorization", b""))
        known = caller is not None and "predict" in caller.scopes and self._manager.promotion(name) is not None
        serving: BatchedModel | None = scope["state"].get(_SERVED)
        counts = (
            self._metrics.of(name, serving.version if serving else NO_VERSION) if known else self._metrics.of(UNKNOWN)
        )
        counts.count(answer.status, scope["state"].get(_ROWS, 0), perf_counter() - start)
        return answer.status
