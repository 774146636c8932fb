"""The span of a request that changes something, as the semantic conventions of HTTP have it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from interlock_contracts import telemetry
from litestar import Request
from litestar.exceptions import HTTPException
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("interlock.http")
_propagator = TraceContextTextMapPropagator()

_OUR_FAULT = 500


@contextmanager
def request_span(
    name: str, request: Request[Any, Any, Any], attributes: Mapping[str, str | int], *, status: int = 200
) -> Iterator[Span]:
    """Record the enclosed work as the answer to ``request``, a part of the caller's trace if it sent one.

    ``name`` is a method and a route (``telemetry.SPAN_UPLOAD``), ``status`` what a block without an exception answers;
    an exception's own status is taken as it is, and only 500 and above is an error.
    """
    method, _, route = name.partition(" ")
    about = {telemetry.METHOD: method, telemetry.ROUTE: route, telemetry.PATH: request.url.path}
    with _tracer.start_as_current_span(
        name,
        context=_propagator.extract(dict(request.headers)),
        kind=SpanKind.SERVER,
        attributes={**about, telemetry.SCHEME: request.url.scheme, **attributes},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            answered = error.status_code if isinstance(error, HTTPException) else _OUR_FAULT
            _answered(span, answered, error)
            raise
        else:
            _answered(span, status, None)


def _answered(span: Span, status: int, error: Exception | None) -> None:
    span.set_attribute(telemetry.STATUS, status)
    if error is not None and status >= _OUR_FAULT:
        span.record_exception(error)
        span.set_attribute(telemetry.ERROR_TYPE, type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR, str(error)))
