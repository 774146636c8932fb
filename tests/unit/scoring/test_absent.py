"""A file without a column that the model may do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_scoring import scoring

from tests.unit.scoring.files import job_for, parquet, run


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("part_rows", [1, 1024])
def test_an_optional_column_that_is_not_in_the_file_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str, part_rows: int
) -> None:
    """Nobody would notice that the model took it as null in every row; one that is there and empty is no such case."""
    store = MemoryStore()
    monkeypatch.setattr(scoring, "_FEWEST_ROWS", part_rows)
    monkeypatch.setattr(scoring, "PART_ROWS", part_rows)
    whole: dict[str, Any] = {"size": [3.0, 4.0], "color": pa.nulls(2, pa.string())}
    without: Any = {
        "csv": "size\n3\n4\n",
        "jsonl": '{"size": 3}\n{"size": 4}\n',
        "parquet": parquet(size=whole["size"]),
    }
    empty: Any = {"csv": "size,color\n3,\n4,\n", "jsonl": '{"size": 3}\n{"size": 4, "color": "red"}\n'}
    empty["parquet"] = parquet(**whole)

    told = run(job_for(store, without[format_], format=format_), store, tmp_path / "1").warnings
    assert told == ["column 'color' is in no row of the file: the model took it as null"]
    assert run(job_for(store, empty[format_], number=2, format=format_), store, tmp_path / "2").warnings == []
