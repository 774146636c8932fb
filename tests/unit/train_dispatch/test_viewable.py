"""Whatever event asks for a run, the run can be shown: one bad request breaks no list."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.http import RunView
from interlock_contracts.training import RetrainRequested, TrainingProgressed
from interlock_train_dispatch import runs, store
from interlock_train_dispatch.routes import run_view
from interlock_train_dispatch.run_reconciler import reported_progress
from interlock_train_dispatch.store import ArchiveRow, RunRow, SpecRow

from tests.support.event_strategies import envelopes, events

NOW = datetime(2026, 11, 29, tzinfo=UTC)
RUNS = settings(max_examples=100)
SPEC = SpecRow(
    pipeline="m",
    digest="d" * 64,
    revision=1,
    data_digest="e" * 64,
    spec={
        "name": "m",
        "task": "regression",
        "target": "y",
        "data": {"columns": {"x": {"type": "number"}, "y": {"type": "number"}}},
    },
)


class Session:
    """Keeps what it is given; there is nothing before."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    async def get(self, *_: Any) -> None:
        return None

    def add(self, row: Any) -> None:
        self.rows.append(row)


def answering(value: Any) -> Any:
    async def answer(*_: Any, **__: Any) -> Any:
        return value

    return answer


@RUNS
@given(st.data(), st.sampled_from([None, SPEC]), st.booleans(), st.booleans())
async def test_every_requested_run_can_be_shown(
    data: st.DataObject, spec: SpecRow | None, waits: bool, archived: bool
) -> None:
    """For a model or a spec that nobody has applied, or an archived one, beside a run that is queued or alone."""
    event = data.draw(events(RetrainRequested.type))
    assert isinstance(event, RetrainRequested)
    cause = data.draw(envelopes(event))
    session: Any = Session()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store.SpecRow, "names", answering(["flights"]))
        patched.setattr(store, "lock_model", answering(None))
        patched.setattr(SpecRow, "find", answering(spec))
        archive = ArchiveRow(model=event.model, archived=True, seq=1) if archived else None
        patched.setattr(store, "archive_of", answering(archive))
        patched.setattr(store, "queued", answering(RunRow(run_id=data.draw(st.uuids())) if waits else None))
        patched.setattr(store, "datasets", answering([]))
        patched.setattr(runs, "enqueue", answering(None))
        await runs.request(
            session, event.model, cause.identity, pipeline=event.pipeline, dataset=event.dataset, trigger="event"
        )
    [row] = session.rows
    row.created_at = NOW

    view = run_view(row)

    assert RunView.model_validate_json(view.model_dump_json()) == view
    assert (view.state, view.model) == ("failed", event.model)
    assert view.reason


@RUNS
@given(st.data())
def test_every_progress_that_is_kept_can_be_shown(data: st.DataObject) -> None:
    """The trainer runs code of many libraries, and its numbers need not be numbers."""
    event = data.draw(events(TrainingProgressed.type))
    odd = st.dictionaries(
        st.sampled_from([*TrainingProgressed.model_fields, "more"]), st.floats() | st.text(max_size=3)
    )
    told: dict[str, Any] = event.model_dump(mode="json") | data.draw(odd)
    run = RunRow(
        run_id=data.draw(st.uuids()),
        model="m",
        state="running",
        causation_id="c",
        attempt=1,
        pipeline_digest="",
        tags={},
        datasets=[],
        created_at=NOW,
    )
    found = reported_progress(json.dumps(told).encode(), run)
    run.progress = json.loads(found.model_dump_json()) if found else None
    json.dumps(run.progress, allow_nan=False)  # as a database would have it

    view = run_view(run)

    assert RunView.model_validate_json(view.model_dump_json()).progress == view.progress
