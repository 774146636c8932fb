"""Whatever a trainer and the gate say of a version, it can be listed: one odd event breaks no list."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.http import VersionView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training import TrainingCompleted
from interlock_registry import handlers, ledger, promotion, stages, store
from interlock_registry.models import version_view
from interlock_registry.store import ModelRow, VersionRow

from tests.support.event_strategies import envelopes, events
from tests.unit.cli.views import NOW, SPEC


class Session:
    """Holds one version, as the database would give it back."""

    def __init__(self) -> None:
        self.row: Any = None

    def add(self, row: VersionRow) -> None:
        row.metrics, row.champion_metrics, row.reasons, row.tags, row.registered_at = {}, {}, [], {}, NOW
        self.row = row

    async def get(self, *_: Any) -> Any:
        return self.row


def answering(value: Any) -> Any:
    async def answer(*_: Any, **__: Any) -> Any:
        return value

    return answer


@settings(max_examples=100)
@given(st.data(), st.booleans())
async def test_every_version_can_be_listed(data: st.DataObject, by_person: bool) -> None:
    """Trained, then judged, with metrics and reasons of any kind, promoted or waiting."""
    trained = data.draw(events(TrainingCompleted.type))
    verdict = data.draw(events(EvaluationPassed.type, EvaluationFailed.type))
    assert isinstance(trained, TrainingCompleted)
    cause = data.draw(envelopes(trained))
    session: Any = Session()
    model = ModelRow(name=trained.model, versions=data.draw(st.integers(0, 2**31 - 2)), champion=None)
    spec: Pipeline = SPEC.model_copy(update={"promotion": "approval" if by_person else "automatic"})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "version_of_run", answering(None))
        patched.setattr(store, "lock_model", answering(model))
        for name, answer in (("request_evaluation", None), ("spec_of", spec), ("promote", None)):
            patched.setattr(promotion, name, answering(answer))
        patched.setattr(handlers, "lock_references", answering(None))
        patched.setattr(stages, "declared", answering(["production"]))
        patched.setattr(store, "champions", answering({}))
        patched.setattr(store, "has_served", answering(False))
        patched.setattr(ledger, "settle", answering(None))
        await handlers.register_version(trained, cause, session)
        if isinstance(verdict, EvaluationPassed):
            await handlers.promote_passed(verdict, cause, session, None)  # type: ignore[arg-type]
        elif isinstance(verdict, EvaluationFailed):
            await handlers.record_refusal(verdict, session)
    row: VersionRow = session.row
    for kept in (row.artifact, row.manifest, row.datasets, row.report, row.metrics, row.reasons):
        json.dumps(kept, allow_nan=False)  # as a database would have it

    view = version_view(row, {})

    assert VersionView.model_validate_json(view.model_dump_json()) == view
    assert view.registered_at < datetime.now(UTC)
    assert view.stage in ("passed", "refused", "registered")
