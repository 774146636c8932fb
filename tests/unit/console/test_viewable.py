"""Whatever event is projected, the pages that list it can be answered: one bad event breaks no list."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interlock_console.domain import columns, run_changes
from interlock_console.runs import event_view, run_line
from interlock_console.store import EventRow, RunRow
from interlock_console.timeline import open_steps, run_timeline
from interlock_contracts.catalog import ROUTES
from interlock_contracts.console import RunLanes
from litestar.serialization import encode_json

from tests.support.event_strategies import envelopes, events

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEPT = sorted(route.event.type for route in ROUTES if not route.ephemeral)
OF_RUNS = [
    "retrain.requested",
    "training.queued",
    "dataset.ingested",
    "training.started",
    "training.completed",
    "training.failed",
    "model.registered",
    "evaluation.passed",
    "evaluation.failed",
    "model.promoted",
    "model.serving",
    "model.load_failed",
]
RUNS = settings(max_examples=100, suppress_health_check=list(HealthCheck))


def stored(data: st.DataObject, *types: str) -> tuple[EventRow, dict[str, Any] | None]:
    """Return the row of an event, as the database gives it back, and what the event changes of its run."""
    event = data.draw(events(*types))
    values = columns(event, data.draw(envelopes(event)), NOW)
    changes = run_changes(event, values["time"])
    return EventRow(**{**values, "data": json.loads(json.dumps(values["data"]))}), changes


@RUNS
@given(st.data())
def test_every_event_and_its_run_can_be_listed(data: st.DataObject) -> None:
    """With any source, any time, and numbers of any size."""
    row, changes = stored(data, *KEPT)

    assert encode_json(event_view(row).model_dump(mode="json"))
    if row.run_id is not None and changes is not None:
        run: dict[str, Any] = {"run_id": row.run_id, "model": row.model, "state": "queued", "requested_at": row.time}
        line = run_line(RunRow(**{"attempt": 0, **run, **changes}))
        assert encode_json(line.model_dump(mode="json"))


@RUNS
@given(st.data(), st.sampled_from(["queued", "running", "failed", "succeeded"]))
def test_the_page_of_a_run_of_any_events_can_be_answered(data: st.DataObject, state: str) -> None:
    """In any order, from any clock; the lanes are in nanoseconds, and JSON's readers have 64 bits."""
    rows = [stored(data, each)[0] for each in data.draw(st.lists(st.sampled_from(OF_RUNS), max_size=6))]
    lanes = run_timeline(str(data.draw(st.uuids())), state, rows, [])
    line = run_line(RunRow(run_id=data.draw(st.uuids()), model="m", state=state, requested_at=NOW, attempt=0))

    page = RunLanes(**line.model_dump(), lanes=lanes, open=open_steps(lanes)).model_dump(mode="json")

    assert encode_json(page)
    moments = [step[name] or 0 for lane in page["lanes"] for step in lane["steps"] for name in ("start_ns", "end_ns")]
    assert all(0 <= moment < 2**63 for moment in moments)
