"""How many rows of an evaluation file are trained on as well."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_ingest.leakage import trained_rows
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
