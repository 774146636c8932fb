"""Spans of a run: itself, its wait in the queue, the dispatch to Ray, and the trainer's phases from its manifest.

A run's span ends when the run does, maybe after days and in another process. Its id follows from the run's, so what
happens meanwhile is recorded as its part at once (decision 0095).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from interlock_contracts import telemetry
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.training import RunState
from interlock_runtime.telemetry import span_id
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, format_span_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_train_dispatch.store import RunRow

_tracer = trace.get_tracer("interlock.train_dispatch")
_propagator = TraceContextTextMapPropagator()

RESULTS: Mapping[RunState, str] = {
    "succeeded": "success",
    "refused": "failure",
    "failed": "error",
    "cancelled": "cancellation",
    "timed_out": "timeout",
    "coalesced": "skip",
}
"""A run's end in the words of the semantic conventions."""


def traceparent_of(run: RunRow) -> str | None:
    """Return the context of the run's own span, in the trace of whoever asked for the run."""
    if run.request_traceparent is None:
        return None
    version, trace_id, _, flags = run.request_traceparent.split("-")
    return f"{version}-{trace_id}-{format_span_id(_id(run))}-{flags}"


def _id(run: RunRow) -> int:
    return run.run_id.int % 2**64


def _context(traceparent: str | None) -> Context:
    return _propagator.extract({"traceparent": traceparent} if traceparent else {})


def _attributes(run: RunRow) -> dict[str, str | int]:
    return {
        telemetry.RUN_ID: str(run.run_id),
        telemetry.PIPELINE: run.model,
        telemetry.ATTEMPT: run.attempt or 0,
    }


def _task(run: RunRow, name: str) -> dict[str, str | int]:
    return {**_attributes(run), telemetry.TASK: name, telemetry.TASK_RUN: f"{run.run_id}-a{run.attempt or 0}/{name}"}


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)


def belongs_to(run: RunRow) -> None:
    """Set the run's attributes on the current span, that of a message; log lines meanwhile have them, too."""
    trace.get_current_span().set_attributes({telemetry.RUN_ID: str(run.run_id), telemetry.PIPELINE: run.model})


def emit_run(run: RunRow, *, into: str | None = None) -> None:
    """Record a run that has ended; ``into`` is the context of the run that it has joined."""
    if run.request_traceparent is None or run.ended_at is None:
        return  # asked for by a release that had no such span
    joined = trace.get_current_span(_context(into)).get_span_context()
    with span_id(_id(run)):
        span = _tracer.start_span(
            telemetry.SPAN_RUN.format(pipeline=run.model),
            context=_context(run.request_traceparent),
            kind=SpanKind.SERVER,
            start_time=_ns(run.created_at or run.ended_at),
            attributes={**_attributes(run), telemetry.ACTION: "RUN", telemetry.RESULT: RESULTS[run.state]},
            links=[Link(joined)] if joined.is_valid else None,
        )
    if run.version is not None:
        span.set_attribute(telemetry.VERSION, run.version)
    if run.state in ("refused", "failed", "timed_out"):
        span.set_attribute(telemetry.ERROR_TYPE, run.state)
    if run.state in ("failed", "timed_out"):
        span.set_status(Status(StatusCode.ERROR, run.reason))
    span.end(end_time=_ns(run.ended_at))


def emit_queue(run: RunRow) -> None:
    """Record how long a run that starts now has waited for its turn."""
    assert run.started_at is not None, "a run that starts has a time"
    about = {**_task(run, telemetry.SPAN_QUEUE), telemetry.TASK_RESULT: "success"}
    _tracer.start_span(
        telemetry.SPAN_QUEUE, context=_context(run.traceparent), start_time=_ns(run.created_at), attributes=about
    ).end(end_time=_ns(run.started_at))


@contextmanager
def dispatch(run: RunRow) -> Iterator[None]:
    """Record the hand-over to Ray in the run's own trace."""
    with _tracer.start_as_current_span(
        telemetry.SPAN_DISPATCH,
        context=_context(run.traceparent),
        kind=SpanKind.CLIENT,
        attributes=_task(run, telemetry.SPAN_DISPATCH),
    ) as span:
        yield
        span.set_attribute(telemetry.TASK_RESULT, "success")


def emit_lost(run: RunRow, reason: str) -> None:
    """Record that an attempt has come to nothing and the next one follows."""
    span = _tracer.start_span(
        telemetry.SPAN_TRAIN, context=_context(run.traceparent), attributes=_task(run, telemetry.SPAN_TRAIN)
    )
    _fail(span, "lost", reason)
    span.end()


def emit_training(run: RunRow, manifest: TrainingManifest) -> str | None:
    """Record the trainer's phases with their own times; return the ``traceparent`` of the training's span.

    The job has no exporter and no credentials for one, so it writes its phases into the manifest.
    """
    contexts = {"": _context(run.traceparent)}
    for phase in manifest.spans:
        span = _tracer.start_span(
            phase.name,
            context=contexts[phase.parent or ""],
            start_time=phase.start_ns,
            attributes={**_task(run, phase.name), telemetry.TASK_RESULT: "success", **phase.attributes},
        )
        error = phase.attributes.get(telemetry.ERROR_TYPE)
        if error is not None:
            _fail(span, str(error).partition(":")[0], str(error))
        if phase.name == telemetry.SPAN_TRAIN and manifest.status == "failed":
            _fail(span, "failed", manifest.reason or "it does not say why")
        span.end(end_time=phase.end_ns)
        contexts[phase.name] = trace.set_span_in_context(span)
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, contexts.get(telemetry.SPAN_TRAIN, contexts[""]))
    return carrier.get("traceparent")


def _fail(span: Span, kind: str, reason: str) -> None:
    span.set_attributes({telemetry.TASK_RESULT: "error", telemetry.ERROR_TYPE: kind})
    span.set_status(Status(StatusCode.ERROR, reason))
