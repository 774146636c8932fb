"""Fast path of the gateway: ordinary predictions are answered right here, everything else is Litestar's.

A request that is not quite ordinary (no key, another model, an odd row, a warning due) is handed on as it came, body
and all, to the route that explains. So there is one place for words, and this one has none.
"""

from collections.abc import Callable, Iterable, Iterator
from math import ceil
from time import perf_counter, time_ns
from typing import Any

import msgspec
from interlock_contracts import telemetry
from interlock_runtime.access import Access, Caller
from interlock_runtime.limits import refuse
from interlock_serving.manager import ModelManager
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from opentelemetry.trace import Status, StatusCode

from interlock_gateway.domain import BODY_LIMIT, Scores, answer
from interlock_gateway.inference.resolve import ROWS
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.metrics import UNKNOWN, Metrics
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.observe.trace_sampling import TraceSampler, prediction_span
from interlock_gateway.proxy.rate_limit import RateLimiter

BEFORE, AFTER = "/models/", "/predict"
"""What stands around a model's name in the address of predictions."""

_OK = 200
_FAILED = 500

_JSON = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode


class FastPathApp:
    """The ASGI application before the ASGI application ``app``; with ``rates``, no caller sends more than those."""

    def __init__(
        self,
        app: ASGIApp,
        manager: ModelManager[BatchedModel],
        *,
        access: Access,
        metrics: Metrics,
        sampler: TraceSampler,
        log: PredictionLog,
        rates: RateLimiter | None = None,
    ) -> None:
        self._app = app
        self._rates = rates
        self._access = access
        self._manager = manager
        self._metrics = metrics
        self._sampler = sampler
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a prediction, or let ``app`` answer."""
        if self._rates is not None and scope["type"] == ScopeType.HTTP:
            caller = self._access.admit(dict(scope["headers"]).get(b"authorization", b""))
            if caller is not None and (wait := self._rates.wait(caller.name)):
                await refuse(send, 429, "Too many requests", f"{caller.name} sends more than may be", after=ceil(wait))
                return
            if caller is not None:
                self._rates.count(caller.name)
        if scope["type"] != ScopeType.HTTP or scope["method"] != HttpMethod.POST:
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if not (path.startswith(BEFORE) and path.endswith(AFTER)):
            await self._app(scope, receive, send)
            return
        name = path[len(BEFORE) : -len(AFTER)]
        headers = dict(scope["headers"])
        serving = self._manager.serving(name) if self._who_may_predict(headers) else None
        if self._sampler.wants(headers.get(b"traceparent")):
            with prediction_span(name, serving, headers) as span:
                status = await self._predict(name, serving, scope, receive, send)
                span.set_attribute(telemetry.STATUS, status)
                if status >= _FAILED:
                    span.set_status(Status(StatusCode.ERROR))
        else:
            await self._predict(name, serving, scope, receive, send)

    def try_start(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, reply: Callable[[bytes | None], None]
    ) -> bool:
        """Begin to answer the whole body of a small request; False where this is not the way for it.

        ``reply`` gets the JSON to answer with status 200, or ``None``: then it is for :meth:`__call__` after all.
        """
        start, clock = perf_counter(), time_ns()
        given = dict(headers)
        caller = self._who_may_predict(given)
        serving = self._manager.serving(name) if caller is not None else None
        if caller is None or serving is None or (self._rates is not None and self._rates.wait(caller.name)):
            return False
        wanted = self._sampler.wants(given.get(b"traceparent"))

        def told(scores: Scores | None) -> None:
            if scores is None:
                reply(None)
                return
            reply(self._said(name, serving, body, scores))
            self._metrics.of(name).count(_OK, len(scores), perf_counter() - start)
            if wanted:
                with prediction_span(name, serving, given, since=clock) as span:
                    span.set_attribute(telemetry.STATUS, _OK)

        begun = serving.batcher.try_start(body, told)
        if begun and self._rates is not None:
            self._rates.count(caller.name)
        return begun

    def _who_may_predict(self, headers: dict[bytes, bytes]) -> Caller | None:
        caller = self._access.admit(headers.get(b"authorization", b""))
        return caller if caller is not None and "predict" in caller.scopes else None

    def _said(self, name: str, serving: BatchedModel, body: bytes, scores: Scores) -> bytes:
        signature = serving.model.signature
        said = answer(name, serving.version, signature.labels, scores)
        self._metrics.note(name, serving.version, signature, scores)
        self._log.record(name, serving, said.id, body, scores, len(body))
        return _encode(said)

    async def _predict(
        self, name: str, serving: BatchedModel | None, scope: HTTPScope, receive: Receive, send: Send
    ) -> int:
        """Answer, count, and return the answer's status."""
        start = perf_counter()
        if serving is None:
            status, rows = await self._explained(scope, receive, send)
            name = UNKNOWN
        else:
            messages, body = await _read(receive)
            scores = await serving.batcher.scores(body) if body is not None else None
            if scores is None or body is None:
                status, rows = await self._explained(scope, _again(messages, receive), send)
            else:
                text = self._said(name, serving, body, scores)
                headers = [_JSON, (b"content-length", b"%d" % len(text))]
                await send({"type": "http.response.start", "status": _OK, "headers": headers})
                await send({"type": "http.response.body", "body": text, "more_body": False})
                status, rows = _OK, len(scores)
        self._metrics.of(name).count(status, rows, perf_counter() - start)
        return status

    async def _explained(self, scope: HTTPScope, receive: Receive, send: Send) -> tuple[int, int]:
        """Let the route answer; return the status, and how many rows it has answered."""
        status = _FAILED

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        scope["state"][ROWS] = 0
        await self._app(scope, receive, noted)
        return status, scope["state"][ROWS]


async def _read(receive: Receive) -> tuple[list[Message], bytes | None]:
    """Return what has come, and the body if that is all of it and not too much."""
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


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Return a ``receive`` that first gives what has come already."""
    come: Iterator[Any] = iter(messages)

    async def again() -> Any:
        message = next(come, None)
        return message if message is not None else await receive()

    return again
