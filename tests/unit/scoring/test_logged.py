"""The rows of a file that are drawn for the prediction log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.scoring import ScoredRow, ScoringJob
from interlock_scoring import logged, scoring

from tests.support.stored_models import put_classifier
from tests.unit.scoring.files import job_for, parquet, result, run


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def drawn(store: MemoryStore, job: ScoringJob, parts: int = 1) -> list[ScoredRow]:
    lines = b"".join(store.read(job.logged_key(part)) or b"" for part in range(parts))
    return [ScoredRow.model_validate_json(line) for line in lines.splitlines()]


def test_all_answered_rows_are_drawn_with_what_was_asked_and_answered(store: MemoryStore, tmp_path: Path) -> None:
    """One that does not fit has no answer, so no truth about it counts either."""
    job = job_for(store, "size,color\n3,red\nbig,red\n4.5,\n", on_error="null", log=1)
    report = run(job, store, tmp_path)

    assert (report.log, report.parts) == (1, 1)
    assert drawn(store, job) == [
        ScoredRow(row=0, values=[3.0, "red"], answer=1003.0),
        ScoredRow(row=2, values=[4.5, None], answer=1004.5),
    ]


def test_labels_come_with_their_probabilities(store: MemoryStore, tmp_path: Path) -> None:
    """In the order of the labels, as in the file."""
    content = parquet(size=[1.0, 5.0], color=["red", "red"])
    job = job_for(store, content, model=put_classifier(store), format="parquet", log=1)
    table = result(run(job, store, tmp_path), store)

    rows = drawn(store, job)
    assert [row.answer for row in rows] == [False, True]
    assert [row.probabilities for row in rows] == [
        list(each)
        for each in zip(
            table.column("probability_false").to_pylist(), table.column("probability_true").to_pylist(), strict=True
        )
    ]


def test_nothing_is_drawn_unless_it_is_asked_for(store: MemoryStore, tmp_path: Path) -> None:
    """And nothing is stored for it."""
    job = job_for(store, "size,color\n3,red\n")

    assert run(job, store, tmp_path).log == 0
    assert store.read(job.logged_key(0)) is None


def test_a_share_is_drawn_over_the_whole_file_and_always_the_same(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row ids go on from part to part, and each part has rows of its own."""
    monkeypatch.setattr(scoring, "PART_ROWS", 1000)
    monkeypatch.setattr(scoring, "_FEWEST_ROWS", 1)
    content: Any = "size,color\n" + "".join(f"{number % 100},red\n" for number in range(4000))
    job = job_for(store, content, log=0.25)
    report = run(job, store, tmp_path)
    other = MemoryStore()
    run(job_for(other, content, log=0.25), other, tmp_path / "again")

    rows = drawn(store, job, parts=4)
    assert report.parts == 4
    assert 900 < len(rows) < 1100
    assert [row.row % 100 for row in rows] == [row.values[0] for row in rows]
    in_parts = [{row.row % 1000 for row in rows if row.row // 1000 == part} for part in range(4)]
    assert len({frozenset(part) for part in in_parts}) == 4
    assert rows == drawn(other, job, parts=4)


def test_a_file_of_many_rows_gives_a_smaller_share(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so: the log's counts are read with it."""
    monkeypatch.setattr(logged, "MOST_ROWS", 100)
    content: Any = "".join(json.dumps({"size": number % 100}) + "\n" for number in range(1000))
    job = job_for(store, content, format="jsonl", log=1)

    assert run(job, store, tmp_path).log == 0.1
    assert 60 < len(drawn(store, job)) < 140


def test_the_sample_is_of_this_prediction(store: MemoryStore, tmp_path: Path) -> None:
    """The same file asked again has a sample of its own, so two of them tell more than one."""
    content: Any = "size,color\n" + "".join(f"{number % 100},red\n" for number in range(1000))
    first, second = (job_for(store, content, number=number, log=0.5) for number in (1, 2))
    for job in (first, second):
        run(job, store, tmp_path / str(job.prediction_id))

    assert first.prediction_id == UUID(int=1)
    assert {row.row for row in drawn(store, first)} != {row.row for row in drawn(store, second)}
