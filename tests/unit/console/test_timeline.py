"""A run's timeline: from spans where they are, else from events, and its open steps."""

from datetime import UTC, datetime, timedelta
from typing import Any

from interlock_console.spans import Origin, Span
from interlock_console.store import EventRow
from interlock_console.timeline import LANES, open_steps, run_timeline
from interlock_contracts import telemetry
from interlock_contracts.console import Lane, Step

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEGIN_NS = int(BEGIN.timestamp()) * 10**9
SECOND = 10**9
RUN = "7f000000-0000-4000-8000-000000000001"
INGEST = Origin("interlock-ingest", {}, {})


def event(kind: str, second: float, version: int | None = None, **data: Any) -> EventRow:
    return EventRow(type=kind, time=BEGIN + timedelta(seconds=second), version=version, data=data)


def span(name: str, span_id: str, begin: float, end: float, parent: str | None = None, **more: Any) -> Span:
    return Span(
        trace_id="1" * 32,
        span_id=span_id,
        parent_id=parent,
        origin=INGEST,
        name=name,
        kind=1,
        start_ns=BEGIN_NS + int(begin * SECOND),
        duration_ns=int((end - begin) * SECOND),
        status=more.get("status", 0),
        status_message="",
        attributes=more.get("attributes", {}),
        events=[],
        links=[],
        state="",
        dropped=(0, 0, 0),
    )


WHOLE = [
    event("retrain.requested", 0, model="flights"),
    event("training.started", 2, attempt=1),
    event("training.completed", 9),
    event("model.registered", 9.5, 4),
    event("evaluation.passed", 10, 4, model="flights"),
    event("model.promoted", 10.1, 4, promotion_seq=7),
    event("model.serving", 10.4, 4, promotion_seq=7, worker="w1", load_seconds=0.25),
    event("model.serving", 10.5, 4, promotion_seq=6, worker="late", load_seconds=0.1),
    event("model.load_failed", 10.6, 4, promotion_seq=7, worker="w2", reason="it is not signed"),
]


def steps(found: list[Lane], lane: str) -> list[Step]:
    return next(each.steps for each in found if each.lane == lane)


def test_a_run_without_any_span_is_told_by_its_events() -> None:
    """Where spans go elsewhere, or nowhere, people still see where the time went."""
    found = run_timeline(RUN, "succeeded", WHOLE, [])

    assert [lane.lane for lane in found] == list(LANES)
    assert [(step.name, step.state, (step.end_ns or 0) - step.start_ns) for step in steps(found, "queue wait")] == [
        ("queue", "done", 2 * SECOND)
    ]
    [training] = steps(found, "training")
    assert (training.start_ns, training.end_ns) == (BEGIN_NS + 2 * SECOND, BEGIN_NS + 9 * SECOND)
    assert [step.state for step in steps(found, "gate")] == ["done"]
    assert [(step.name, step.state, step.detail) for step in steps(found, "swap")] == [
        ("worker w1", "done", None),
        ("worker w2", "failed", "it is not signed"),
    ]
    assert open_steps(found) == []


def test_spans_take_the_place_of_events_with_their_children_below_them() -> None:
    """A step leads to its span; what belongs to another run of the same trace is left out."""
    spans = [
        span(telemetry.SPAN_UPLOAD, "a", -1, -0.5),
        span(telemetry.SPAN_QUEUE, "b", 0, 2, attributes={telemetry.RUN_ID: RUN}),
        span(telemetry.SPAN_QUEUE, "x", 0, 5, attributes={telemetry.RUN_ID: "another"}),
        span(telemetry.SPAN_TRAIN, "c", 2, 9),
        span(telemetry.SPAN_CANDIDATE, "d", 3, 4, "c", attributes={telemetry.CANDIDATE: "xgboost"}),
        span(telemetry.SPAN_TRIAL, "e", 3, 3.5, "d", attributes={telemetry.TRIAL: 0, telemetry.SCORE: 0.5}),
        span(telemetry.SPAN_SWAP, "f", 10.1, 10.4, attributes={telemetry.WORKER: "w1"}),
    ]
    found = run_timeline(RUN, "succeeded", WHOLE, spans)

    assert [(step.name, step.span_id) for step in steps(found, "ingest")] == [("upload", "a")]
    assert [step.span_id for step in steps(found, "queue wait")] == ["b"]
    assert [(step.name, step.depth, step.span_id) for step in steps(found, "training")] == [
        ("train", 0, "c"),
        ("candidate xgboost", 1, "d"),
        ("trial 0", 2, "e"),
    ]
    assert [(step.name, step.span_id) for step in steps(found, "swap")] == [("worker w1", "f"), ("worker w2", None)]


def test_what_has_begun_and_not_ended_is_open() -> None:
    """While a run waits, trains, is judged, or swaps."""
    waits = run_timeline(RUN, "queued", WHOLE[:1], [])
    trains = run_timeline(RUN, "running", WHOLE[:2], [])
    is_judged = run_timeline(RUN, "running", WHOLE[:4], [])
    swaps = run_timeline(RUN, "succeeded", WHOLE[:6], [])

    assert [(step.lane, step.name) for step in open_steps(waits)] == [("queue wait", "queue")]
    assert [(step.lane, step.since_ns) for step in open_steps(trains)] == [("training", BEGIN_NS + 2 * SECOND)]
    assert [step.lane for step in open_steps(is_judged)] == ["gate"]
    assert [(step.lane, step.name) for step in open_steps(swaps)] == [("swap", "first worker")]


def test_a_version_that_waits_for_a_person_says_what_to_type() -> None:
    """Nothing else would tell that the pipeline has stopped there by intention."""
    found = run_timeline(RUN, "succeeded", WHOLE[:5], [])
    [promotion] = steps(found, "promotion")

    assert (promotion.name, promotion.state, promotion.end_ns) == ("approval", "waiting", None)
    assert promotion.detail == "interlock approve flights 4"


def test_the_time_that_a_person_took_is_a_step_of_its_own() -> None:
    """Beside the promotion's span, which is short; a rollback to the version later on changes nothing of it."""
    promoted = event("model.promoted", 70, 4, promotion_seq=7, cause="approval")
    again = event("model.promoted", 900, 4, promotion_seq=9, cause="rollback")
    spans = [span(telemetry.SPAN_PROMOTE, "p", 69.9, 70)]
    found = [run_timeline(RUN, "succeeded", [*WHOLE[:5], promoted, again], known) for known in ([], spans)]
    (alone,), (beside, promotion) = [steps(each, "promotion") for each in found]

    assert alone == beside
    assert (alone.name, alone.state, (alone.end_ns or 0) - alone.start_ns) == ("approval", "done", 60 * SECOND)
    assert promotion.span_id == "p"


def test_a_refusal_stands_at_the_gate_with_its_reasons_also_when_its_span_has_come() -> None:
    """A span that ended well is no verdict."""
    events = [*WHOLE[:4], event("evaluation.failed", 10, 4, reasons=["r2 is 0.1", "it must be 0.6"])]
    [gate] = steps(run_timeline(RUN, "refused", events, [span(telemetry.SPAN_GATE, "g", 9.5, 10)]), "gate")

    assert (gate.state, gate.detail, gate.span_id) == ("refused", "r2 is 0.1; it must be 0.6", "g")


def test_a_failed_training_ends_its_lane_with_the_reason() -> None:
    """And a request that never came to a training ends in the queue."""
    failed = event("training.failed", 5, reason="out of memory", outcome="failed")
    [training] = steps(run_timeline(RUN, "failed", [*WHOLE[:2], failed], []), "training")
    never = run_timeline(RUN, "failed", [WHOLE[0], failed], [])

    assert (training.state, training.detail) == ("failed", "out of memory")
    assert open_steps(never) == []
