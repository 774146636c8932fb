"""Whatever a check finds in a file, the file can be listed: one odd file breaks no list."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.datasets import DatasetIngested, DatasetRejected
from interlock_contracts.filters import DATASET_ROLES
from interlock_contracts.http import DatasetView
from interlock_contracts.refs import ArtifactRef
from interlock_ingest import workers
from interlock_ingest.store import DatasetRow
from interlock_ingest.views import dataset_view
from interlock_ingest.workers import _accept, reject

from tests.support.event_strategies import events
from tests.unit.cli.views import NOW

REF = ArtifactRef(sha256="a" * 64, bytes=1)
names = st.none() | st.text(max_size=300)


async def nothing(*_: Any, **__: Any) -> None:
    """Take the place of the outbox."""


@settings(max_examples=100)
@given(st.data(), names, names, names)
async def test_every_file_can_be_listed(
    data: st.DataObject, file_name: str | None, note: str | None, uploaded_by: str | None
) -> None:
    """Accepted or rejected, with any findings, names and notes."""
    published = data.draw(events(DatasetIngested.type, DatasetRejected.type))
    row = DatasetRow(
        pipeline="m",
        digest="b" * 64,
        pipeline_digest="c" * 64,
        state="checking",
        bytes=data.draw(st.integers(0, 2**63 - 1)),
        cause="c",
        role=data.draw(st.sampled_from(DATASET_ROLES)),
        file_name=file_name,
        note=note,
        uploaded_by=uploaded_by,
        received_at=NOW,
        received_number=data.draw(st.integers(1, 2**31 - 1)),
        reasons=[],
        warnings=[],
    )
    session: Any = None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(workers, "enqueue", nothing)
        if isinstance(published, DatasetIngested):
            await _accept(session, row, published.dataset, published.warnings, published.profile)
        elif isinstance(published, DatasetRejected):
            await reject(session, row, published.reasons, [], REF)
    for kept in (row.dataset, row.profile, row.reasons, row.warnings):
        json.dumps(kept, allow_nan=False)  # as a database would have it

    view = dataset_view(row)

    assert DatasetView.model_validate_json(view.model_dump_json()) == view
    assert (view.state, view.batch) in {("accepted", row.received_number), ("rejected", None)}
