"""How many rows of an evaluation file are trained on as well."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_ingest.leakage import known_rows, trained_rows
from interlock_modeling.split import ROW_COLUMN


def part(path: Path, *hashes: int) -> Path:
    pq.write_table(pa.table({ROW_COLUMN: pa.array(np.array(hashes, dtype=np.uint64))}), path, row_group_size=2)
    return path


def test_shared_rows_are_counted_as_the_evaluation_file_has_them(tmp_path: Path) -> None:
    """Equal rows each count, once however many files hold them; files without any are not named, nor are empty ones."""
    large = 2**64 - 1
    evaluation = part(tmp_path / "evaluation", 5, large, 5, 7, 8)
    files = {"a": [large, 1, 2, large], "b": [1, 2, 3], "c": [], "d": [9, 5, large]}
    training = iter([(name, part(tmp_path / name, *hashes)) for name, hashes in files.items()])

    assert trained_rows(evaluation, training) == (3, ["a", "d"])
    assert trained_rows(evaluation, iter([])) == (0, [])


def test_known_rows_are_those_that_a_union_would_not_have_more_of() -> None:
    """Equal ones count as many as the file with the most has."""
    new = np.array([1, 1, 1, 2, 3], dtype=np.uint64)
    files = [np.array([1, 1, 9], dtype=np.uint64), np.array([1, 3, 3], dtype=np.uint64)]

    assert known_rows(new, files) == 3
    assert known_rows(new, [new, files[0]]) == 5
    assert known_rows(new, []) == 0
