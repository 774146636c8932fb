from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_scoring.footer import join

TYPES: dict[str, tuple[Any, Any]] = {
    "n": (pa.float64(), st.one_of(st.none(), st.floats(allow_nan=False))),
    "i": (pa.int64(), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    "b": (pa.bool_(), st.booleans()),
    "s": (pa.string(), st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))),
    "t": (pa.timestamp("us", "UTC"), st.one_of(st.none(), st.integers(0, 2**50))),
    "l": (pa.list_(pa.int32()), st.lists(st.integers(0, 9), max_size=3)),
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in TYPES.items()])
TABLES = st.lists(st.lists(st.fixed_dictionaries({n: v for n, (_, v) in TYPES.items()}), max_size=30), min_size=1)


@settings(max_examples=25)
@given(TABLES.filter(lambda tables: len(tables) < 20), st.integers(1, 7))
def test_joined_files_are_the_rows_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, tables: list[list[dict[str, object]]], group: int
) -> None:
    """Whatever the parts hold, and however many row groups they have, the whole reads as their concatenation."""
    folder = tmp_path_factory.mktemp("join")
    parts = []
    for number, rows in enumerate(tables):
        parts.append(folder / f"{number}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), parts[-1], row_group_size=group, compression="zstd")
    join(parts, folder / "whole.parquet")

    whole = pq.read_table(folder / "whole.parquet")
    assert whole.equals(pa.concat_tables([pq.read_table(part) for part in parts]))
    assert pq.ParquetFile(folder / "whole.parquet").metadata.num_rows == sum(map(len, tables))


def test_statistics_lead_to_the_right_rows(tmp_path: Path) -> None:
    """A filter that skips row groups by their statistics finds the same rows as a look at each."""
    parts = []
    for number in range(20):
        parts.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table({"x": list(range(number * 10, number * 10 + 10))}), parts[-1], row_group_size=5)
    join(parts, tmp_path / "whole.parquet")

    found = pq.read_table(tmp_path / "whole.parquet", filters=[("x", ">=", 117), ("x", "<", 123)])
    assert found.column("x").to_pylist() == [117, 118, 119, 120, 121, 122]


def test_no_parts_make_no_file(tmp_path: Path) -> None:
    """An answer has rows, so it has parts."""
    with pytest.raises(ValueError, match="no part"):
        join([], tmp_path / "whole.parquet")
