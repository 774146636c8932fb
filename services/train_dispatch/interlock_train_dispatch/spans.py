"""Spans of what happens far away: the dispatch to Ray, and the trainer's phases as its manifest tells them."""

from collections.abc import Iterator
from contextlib import contextmanager

from interlock_contracts import telemetry
from interlock_contracts.manifest import TrainingManifest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock_train_dispatch.store import RunRow

_tracer = trace.get_tracer("interlock.train_dispatch")
_propagator = TraceContextTextMapPropagator()


def _attributes(run: RunRow) -> dict[str, str | int]:
    return {
        telemetry.RUN_ID: str(run.run_id),
        telemetry.PIPELINE: run.model,
        telemetry.ATTEMPT: run.attempt,
    }


def _parent(run: RunRow) -> Context:
    return _propagator.extract({"traceparent": run.traceparent} if run.traceparent else {})


@contextmanager
def dispatch(run: RunRow) -> Iterator[None]:
    """Record the hand-over to Ray in the run's own trace."""
    with _tracer.start_as_current_span(
        telemetry.SPAN_DISPATCH, context=_parent(run), kind=SpanKind.CLIENT, attributes=_attributes(run)
    ):
        yield


def emit_training(run: RunRow, manifest: TrainingManifest) -> str | None:
    """Record the trainer's phases with their own times; return the ``traceparent`` of the training's span.

    The job has no exporter and no credentials for one, so it writes its phases into the manifest.
    """
    contexts = {"": _parent(run)}
    for phase in manifest.spans:
        span = _tracer.start_span(
            phase.name,
            context=contexts[phase.parent or ""],
            start_time=phase.start_ns,
            attributes={**_attributes(run), telemetry.TASK: phase.name, **phase.attributes},
        )
        span.end(end_time=phase.end_ns)
        contexts[phase.name] = trace.set_span_in_context(span)
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, contexts.get(telemetry.SPAN_TRAIN, contexts[""]))
    return carrier.get("traceparent")
