"""Timeline of a run: one lane of steps per stage, from spans where they exist, else from events."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from interlock_contracts import telemetry
from interlock_contracts.console import Lane, OpenStep, Step, StepState

from interlock_console.spans import STATUSES, Span
from interlock_console.spans.views import label
from interlock_console.store import EventRow

LANES = ("ingest", "queue wait", "dispatch", "training", "gate", "promotion", "swap")
MAX_STEPS = 500
"""Steps of one lane at most, the earliest first."""

LANE_OF_SPAN: dict[str, str] = {
    telemetry.SPAN_UPLOAD: "ingest",
    telemetry.SPAN_FETCH: "ingest",
    telemetry.SPAN_CHECK: "ingest",
    telemetry.SPAN_QUEUE: "queue wait",
    telemetry.SPAN_DISPATCH: "dispatch",
    telemetry.SPAN_TRAIN: "training",
    telemetry.SPAN_READ: "training",
    telemetry.SPAN_SHARE: "training",
    telemetry.SPAN_SELECT: "training",
    telemetry.SPAN_CANDIDATE: "training",
    telemetry.SPAN_SEARCH: "training",
    telemetry.SPAN_TRIAL: "training",
    telemetry.SPAN_FIT: "training",
    telemetry.SPAN_EXPORT: "training",
    telemetry.SPAN_GATE: "gate",
    telemetry.SPAN_PROMOTE: "promotion",
    telemetry.SPAN_SWAP: "swap",
}
SHOWN_ATTRIBUTES = (
    telemetry.CANDIDATE,
    telemetry.TRIAL,
    telemetry.SCORE,
    telemetry.METRIC,
    telemetry.TRIAL_STATE,
    telemetry.ATTEMPT,
    telemetry.RESULT,
    telemetry.TASK_RESULT,
)
"""Span attributes that a step shows as its detail."""

WORKER_PREFIX = "worker "
"""Prefix of the names of a worker's steps."""

APPROVAL = "approval"
"""Name of the step in which a version waits for a person; no span has it."""

_ERROR = STATUSES.index("ERROR")


def run_timeline(run_id: str, state: str, events: Sequence[EventRow], spans: Iterable[Span]) -> list[Lane]:
    """Return all lanes of a run, in order; a lane without spans has steps from events.

    ``state`` is the run's: in one that has ended, only steps after the gate can be open.
    """
    from_spans = _steps_of_spans(run_id, list(spans))
    from_events = _steps_of_events(state, list(events))
    found = {name: _merge(from_spans.get(name, []), from_events.get(name, [])) for name in LANES}
    return [Lane(lane=name, steps=sorted(found[name], key=lambda step: step.start_ns)[:MAX_STEPS]) for name in LANES]


def open_steps(found: Iterable[Lane]) -> list[OpenStep]:
    """Return the steps that have begun and not ended."""
    return [
        OpenStep(lane=lane.lane, name=step.name, since_ns=step.start_ns)
        for lane in found
        for step in lane.steps
        if step.state in ("open", "waiting")
    ]


def _merge(from_spans: list[Step], from_events: list[Step]) -> list[Step]:
    """Return the spans' steps, completed from events: verdicts, open steps, and workers without spans."""
    if not from_spans:
        return from_events
    verdicts = {step.name: step for step in from_events if step.state in ("refused", "failed")}
    for step in from_spans:
        if (verdict := verdicts.get(step.name)) is not None:
            step.state, step.detail = verdict.state, verdict.detail or step.detail
    names = {step.name for step in from_spans}
    more = [step for step in from_events if step.state != "done" or _is_spanless(step)]
    return from_spans + [step for step in more if step.name not in names]


def _is_spanless(step: Step) -> bool:
    return step.name == APPROVAL or step.name.startswith(WORKER_PREFIX)


def _steps_of_spans(run_id: str, spans: list[Span]) -> dict[str, list[Step]]:
    by_id = {span.span_id: span for span in spans}
    found: dict[str, list[Step]] = {}
    for span in spans:
        lane = LANE_OF_SPAN.get(span.name)
        if lane is None or str(span.attributes.get(telemetry.RUN_ID, run_id)) != run_id:
            continue
        step = Step(
            name=_name(span),
            span_id=span.span_id,
            start_ns=span.start_ns,
            end_ns=span.start_ns + span.duration_ns,
            state="failed" if span.status == _ERROR else "done",
            detail=_detail(span),
            depth=_depth(span, lane, by_id),
        )
        found.setdefault(lane, []).append(step)
    return found


def _name(span: Span) -> str:
    if span.name == telemetry.SPAN_SWAP:
        return f"{WORKER_PREFIX}{span.attributes.get(telemetry.WORKER, '?')}"
    return "upload" if span.name == telemetry.SPAN_UPLOAD else label(span)


def _detail(span: Span) -> str | None:
    words = [
        f"{name.rpartition('.')[2]} {span.attributes[name]}" for name in SHOWN_ATTRIBUTES if name in span.attributes
    ]
    return ", ".join([*([span.status_message] if span.status_message else []), *words]) or None


def _depth(span: Span, lane: str, by_id: dict[str, Span]) -> int:
    depth, above = 0, by_id.get(span.parent_id or "")
    seen = {span.span_id}
    while above is not None and above.span_id not in seen:
        depth += LANE_OF_SPAN.get(above.name) == lane
        seen.add(above.span_id)
        above = by_id.get(above.parent_id or "")
    return depth


def _steps_of_events(state: str, events: list[EventRow]) -> dict[str, list[Step]]:
    def first(*types: str) -> EventRow | None:
        return next((event for event in events if event.type in types), None)

    def last(*types: str) -> EventRow | None:
        return next((event for event in reversed(events) if event.type in types), None)

    cause = first("retrain.requested", "dataset.ingested")
    started, failed = first("training.started"), last("training.failed")
    trained = last("training.completed") or failed
    registered = first("model.registered")
    judged = last("evaluation.passed", "evaluation.failed")
    promoted = last("model.promoted")
    ended = state not in ("queued", "running")
    found: dict[str, list[Step]] = {}
    if cause is not None and cause.type == "dataset.ingested":
        found["ingest"] = [_step("ingested", cause, cause, detail=_rows(cause))]
    if cause is not None:
        over = started or failed
        found["queue wait"] = [_step(telemetry.SPAN_QUEUE, cause, over, closed=ended)]
    if started is not None:
        over_state: StepState = "failed" if trained is failed and failed is not None else "done"
        reason = failed.data.get("reason") if failed is not None else None
        found["training"] = [_step(telemetry.SPAN_TRAIN, started, trained, over_state, reason, closed=ended)]
    if registered is not None:
        refused = judged is not None and judged.type == "evaluation.failed"
        reasons = "; ".join(judged.data.get("reasons", [])) if judged is not None else None
        verdict: StepState = "refused" if refused else "done"
        found["gate"] = [_step(telemetry.SPAN_GATE, registered, judged, verdict, reasons or None)]
    if judged is not None and judged.type == "evaluation.passed":
        found["promotion"] = [_promotion(judged, first("model.promoted"))]
    if promoted is not None:
        found["swap"] = list(_swaps(promoted, events)) or [_step("first worker", promoted, None, closed=False)]
    return found


def _promotion(passed: EventRow, promoted: EventRow | None) -> Step:
    """Return the step from the verdict to the first promotion; the time that a person took has a name of its own."""
    if promoted is None:
        step = _step(APPROVAL, passed, None, "waiting")
        step.detail = f"interlock approve {passed.data.get('model')} {passed.version}"
        return step
    return _step(APPROVAL if promoted.data.get("cause") == "approval" else telemetry.SPAN_PROMOTE, passed, promoted)


def _swaps(promoted: EventRow, events: list[EventRow]) -> Iterable[Step]:
    """Yield one step per worker; its duration, from promotion to swap, is what the worker reported."""
    for event in events:
        if event.type not in ("model.serving", "model.load_failed"):
            continue
        if event.data.get("promotion_seq") != promoted.data.get("promotion_seq"):
            continue
        end = _ns(event.time)
        took = int(min(float(event.data.get("load_seconds", 0)) * 1e9, end))
        failed = event.type == "model.load_failed"
        yield Step(
            name=f"{WORKER_PREFIX}{event.data.get('worker')}",
            start_ns=end - took,
            end_ns=end,
            state="failed" if failed else "done",
            detail=event.data.get("reason") if failed else None,
        )


def _step(
    name: str,
    begin: EventRow,
    end: EventRow | None,
    state: StepState = "done",
    detail: str | None = None,
    *,
    closed: bool = False,
) -> Step:
    """Return a step between two events; without its end it is open, unless the run's end has closed it."""
    if end is None and state == "done":
        state = "failed" if closed else "open"
    return Step(
        name=name,
        start_ns=_ns(begin.time),
        end_ns=_ns(end.time) if end is not None else _ns(begin.time) if closed else None,
        state=state,
        detail=detail,
    )


def _rows(event: EventRow) -> str | None:
    dataset = event.data.get("dataset") or {}
    return f"{dataset['train_rows']} training rows, {dataset['holdout_rows']} held out" if dataset else None


def _ns(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000) * 1000
