"""Fast path of the gateway: answers ordinary predictions, and forwards everything else to the application behind it.

A request that is not quite ordinary (no key, unknown model, unusual row, a warning due) is forwarded unchanged, with
its body, to the route that explains: error texts stand in one place, and not here.
"""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, time_ns
from typing import Any, Self

import msgspec
from interlock_modeling.answer import Scores, answer
from interlock_runtime.access import Access, Caller
from interlock_runtime.token_bucket import TokenBuckets
from interlock_serving.manager import ModelManager
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from interlock_gateway.domain import BODY_LIMIT, predicted_model, prediction_id
from interlock_gateway.inference.resolve import CHOSEN
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.metrics import Metrics
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.observe.prediction_middleware import report_rows, report_version
from interlock_gateway.observe.trace_sampling import TraceSampler, end_prediction, prediction_span

_OK = 200
_JSON = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode


class FastPathApp:
    """ASGI middleware in front of ``app``, behind the middleware that limits, counts and traces.

    :meth:`try_start` bypasses that middleware, so it does the same, by ``rates``, ``metrics`` and ``sampler``.
    """

    def __init__(
        self,
        app: ASGIApp,
        manager: ModelManager[BatchedModel],
        *,
        access: Access,
        metrics: Metrics,
        sampler: TraceSampler,
        log: PredictionLog,
        rates: TokenBuckets | None = None,
    ) -> None:
        self._app = app
        self._rates = rates
        self._access = access
        self._manager = manager
        self._metrics = metrics
        self._sampler = sampler
        self._log = log

    @classmethod
    def within(cls, app: Any) -> Self | None:
        """Return the fast path within the middleware around it; None where there is none."""
        while app is not None and not isinstance(app, cls):
            app = getattr(app, "app", None)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a prediction, or let ``app`` answer."""
        serving: BatchedModel | None = None
        if scope["type"] == ScopeType.HTTP and (name := predicted_model(scope["method"], scope["path"])) is not None:
            # No prediction has query parameters: the route refuses them.
            serving = self._chosen(name, scope) if not scope["query_string"] else None
        if scope["type"] != ScopeType.HTTP or name is None or serving is None:
            await self._app(scope, receive, send)
            return
        messages, body = await _read(receive)
        scores = await serving.batcher.scores(body) if body is not None else None
        if scores is None or body is None:
            scope["state"][CHOSEN] = serving
            await self._app(scope, _replayed(messages, receive), send)
            return
        text = self._body(name, serving, body, scores)
        headers = [_JSON, (b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": _OK, "headers": headers})
        await send({"type": "http.response.body", "body": text, "more_body": False})
        report_version(scope, serving)
        report_rows(scope, len(scores))

    def _chosen(self, name: str, scope: HTTPScope) -> BatchedModel | None:
        """Choose what answers, unless :meth:`try_start` did; None where the route is to explain what is wrong."""
        if self._who_may_predict(dict(scope["headers"])) is None:
            return None
        return scope["state"].get(CHOSEN) or self._manager.choose_version(name)

    def try_start(
        self,
        name: str,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        state: dict[str, Any],
        on_done: Callable[[bytes | None], None],
    ) -> bool:
        """Start to predict for a small request with its whole body; False where the fast path does not apply.

        ``on_done`` gets the JSON to answer with status 200, or ``None``: then the request is for :meth:`__call__`.
        Either way the request's ``state`` then has the version that was chosen: one request chooses once.
        """
        start = perf_counter()
        fields = dict(headers)
        caller = self._who_may_predict(fields)
        if caller is None or (self._rates is not None and self._rates.wait(caller.name)):
            return False
        serving = self._manager.choose_version(name)
        if serving is None:
            return False
        traced = self._sampler.wants(fields.get(b"traceparent"))

        def respond(scores: Scores | None) -> None:
            if scores is None:
                state[CHOSEN] = serving
                on_done(None)
                return
            on_done(self._body(name, serving, body, scores))
            seconds = perf_counter() - start
            self._metrics.of(name, serving.version).count(_OK, len(scores), seconds)
            if traced:
                with prediction_span(name, fields, since=time_ns() - int(seconds * 1e9)) as span:
                    end_prediction(span, _OK, serving)

        started = serving.batcher.try_start(body, respond)
        if not started:
            state[CHOSEN] = serving
        elif self._rates is not None:
            self._rates.take(caller.name)
        return started

    def _who_may_predict(self, headers: dict[bytes, bytes]) -> Caller | None:
        caller = self._access.admit(headers.get(b"authorization", b""))
        return caller if caller is not None and "predict" in caller.scopes else None

    def _body(self, name: str, serving: BatchedModel, body: bytes, scores: Scores) -> bytes:
        """Encode an answer, after recording it in output statistics and prediction log."""
        signature = serving.model.signature
        answered = answer(prediction_id(), name, serving.version, signature.labels, scores, (), signature.threshold)
        self._metrics.note(name, serving.version, signature, scores)
        self._log.record(name, serving, answered.id, body, scores, len(body))
        return _encode(answered)


async def _read(receive: Receive) -> tuple[list[Message], bytes | None]:
    """Return the messages received, and the body if it is complete and below the limit."""
    message: Any = await receive()
    if not message.get("more_body"):
        return [message], message.get("body")
    messages, parts, size = [message], [message["body"]], len(message["body"])
    while message.get("more_body") and size <= BODY_LIMIT:
        message = await receive()
        messages.append(message)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    whole = message["type"] == "http.request" and not message.get("more_body")
    return messages, b"".join(parts) if whole else None


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    """Return a ``receive`` that first returns the messages already received."""
    received: Iterator[Any] = iter(messages)

    async def replay() -> Any:
        message = next(received, None)
        return message if message is not None else await receive()

    return replay
