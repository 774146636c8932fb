"""A frame is written as the pipeline declares its files, so that ingest reads from it what the frame holds."""

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from interlock_client.tables import write_frame
from interlock_contracts.data import Data
from interlock_tables.findings import Findings
from interlock_tables.reading import read_rows

CELLS: dict[str, list[Any]] = {
    "size": [1.5, None, 1e-7],
    "rooms": [3, 4, None],
    "new": [True, None, False],
    "color": ["red", 'a;b "c"\n', None],
    "sold": ["2013-01-02T03:04:05", None, "2013-02-03T00:00:00"],
}
TYPES = {"size": "number", "rooms": "integer", "new": "boolean", "color": "category", "sold": "datetime"}
FORMATS: list[dict[str, Any]] = [
    {"format": "parquet"},
    {"format": "jsonl"},
    {"format": "csv"},
    {"format": "csv", "csv": {"delimiter": ";", "decimal": ",", "null_values": ["NA"], "encoding": "latin-1"}},
]


def frames() -> list[Any]:
    """Return the cells as a frame of each library, with the dtypes that people have."""
    by_pandas = pd.DataFrame(CELLS).assign(
        rooms=lambda frame: frame["rooms"].astype("Int64"),
        new=lambda frame: frame["new"].astype("boolean"),
        color=lambda frame: frame["color"].astype("category"),
        sold=lambda frame: pd.to_datetime(frame["sold"]),
    )
    by_polars = pl.DataFrame(CELLS).with_columns(pl.col("sold").str.to_datetime(), pl.col("color").cast(pl.Categorical))
    return [pytest.param(by_pandas, id="pandas"), pytest.param(by_polars, id="polars")]


@pytest.mark.parametrize("declared", FORMATS, ids=lambda each: "-".join([each["format"], *each.get("csv", {})]))
@pytest.mark.parametrize("frame", frames())
def test_ingest_reads_what_the_frame_holds(frame: Any, declared: dict[str, Any], tmp_path: Path) -> None:
    """Numbers, integers, booleans, categories and times, and nulls where they are missing."""
    data = Data.model_validate({**declared, "columns": {name: {"type": kind} for name, kind in TYPES.items()}})
    path = write_frame(frame, data, tmp_path)
    findings = Findings()
    (rows,) = read_rows(path, data, findings)

    assert not findings.bad
    assert not findings.odd
    read = {name: cells.values.to_pylist() for name, cells in rows.cells.items()}  # noqa: PD011 - Arrow's
    read["sold"] = [each and each.replace(tzinfo=None).isoformat() for each in read["sold"]]
    assert read == CELLS


def test_null_without_a_word_is_told(tmp_path: Path) -> None:
    """Rather than written as something else."""
    columns = {"a": {"type": "number"}, "b": {"type": "number"}}
    data = Data.model_validate({"csv": {"null_values": []}, "columns": columns})
    with pytest.raises(ValueError, match="column 'b' has a missing value"):
        write_frame(pd.DataFrame({"a": [1], "b": [None]}), data, tmp_path)
