"""Whatever stands in a table, and whatever its columns are called: what init writes parses, and the table fits it."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_cli.init.scalars import entry, scalar
from interlock_contracts.pipeline_file import parse_pipeline

from tests.unit.cli.init.drafts import draft, refusals

ROWS = 40
NASTY = (
    *("yes", "No", "on", "null", "~", "1", "01234", "-999", "1e3", "2024-01-31", "12:30", "NA", "?", "-", ".5", "="),
    *("a b", " a", "a ", "a: b", "a #b", "#a", "- a", "[a]", "{a: b}", "a, b", "'a'", '"a"', "a\\b", "&a", "*a", "!a"),
    *("%a", "@a", "`a`", "|", ">", "größe", "日本", "🙂", "a\tb", "a\nb", "\u2028", "\x7f", "\u00a0", "\ufeffa", "<<"),
    *("__a", "__row_hash__", "x" * 1200, "null_values", "true"),
)
WORDS = st.sampled_from(NASTY) | st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=8)


class Column(NamedTuple):
    """Cells of one kind, and some that are missing."""

    kind: str
    cells: list[Any]


def _cells(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, min_size=ROWS, max_size=ROWS) | st.lists(values, min_size=ROWS, max_size=ROWS)


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(microsecond=0))  # noqa: DTZ001
COLUMNS = st.one_of(
    st.builds(
        Column,
        st.just("category"),
        st.lists(WORDS, min_size=1, max_size=4).flatmap(lambda few: _cells(st.sampled_from(few))),
    ),
    st.builds(Column, st.just("category"), _cells(WORDS)),
    st.builds(Column, st.just("integer"), _cells(st.integers(-5, 5) | st.integers(-(2**62), 2**62))),
    st.builds(Column, st.just("number"), _cells(st.floats(-1e6, 1e6))),
    st.builds(Column, st.just("boolean"), _cells(st.booleans())),
    st.builds(Column, st.just("datetime"), _cells(MOMENTS)),
)
TABLES = st.dictionaries(WORDS, COLUMNS, min_size=1, max_size=5)


def whole(table: dict[str, Column]) -> dict[str, Column]:
    """Return the table with a column that can be learned from and one that can be predicted."""
    good: dict[str, list[Any]] = {"feature": [n % 7 for n in range(ROWS)], "goal": [n % 3 * 1.5 for n in range(ROWS)]}
    return {name: each for name, each in table.items() if name.strip()} | {
        name: Column("number", cells) for name, cells in good.items()
    }


def assert_fits(path: Path, columns: int) -> None:
    text, pipeline = draft(path, "--target", "goal")
    assert "goal" in pipeline.data.columns
    assert len(pipeline.data.columns) <= columns
    assert all(line.isprintable() for line in text.split("\n"))
    assert refusals(path, pipeline) == []


@settings(max_examples=60)
@given(table=TABLES, delimiter=st.sampled_from(",;\t|"))
def test_any_csv_fits_its_draft(table: dict[str, Column], delimiter: str) -> None:
    """Quoted as needed, in any of the usual dialects."""
    columns = whole(table)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(each.cells for each in columns.values()), strict=True):
        writer.writerow("" if cell is None else cell for cell in row)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(out.getvalue().encode())
        assert_fits(path, len(columns))


@settings(max_examples=20)
@given(table=TABLES)
def test_any_json_lines_fit_their_draft(table: dict[str, Column]) -> None:
    """Missing cells are null, or their keys are."""
    columns = whole(table)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.jsonl"
        with path.open("w") as file:
            for row in zip(*(each.cells for each in columns.values()), strict=True):
                file.write(json.dumps(dict(zip(columns, row, strict=True)), default=str) + "\n")
        assert_fits(path, len(columns))


@settings(max_examples=20)
@given(table=TABLES)
def test_any_parquet_fits_its_draft(table: dict[str, Column]) -> None:
    """As it is stored."""
    columns = whole(table)
    kinds = {
        "category": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "datetime": pa.timestamp("us", "UTC"),
    }
    stored = {
        name: pa.array(
            [cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else cell for cell in each.cells], kinds[each.kind]
        )
        for name, each in columns.items()
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        pq.write_table(pa.table(stored), path)
        assert_fits(path, len(columns))


@settings(max_examples=500)
@given(text=WORDS)
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    """As a value and as a column's name."""
    line = entry(text, f"{{type: category, values: [{scalar(text)}]}}")
    content = f"name: m\ntask: regression\ntarget: goal\ndata:\n  columns:\n    {line}\n    goal: {{type: number}}\n"
    if text.startswith("__") or text == "goal":
        return
    columns = parse_pipeline(content.encode()).data.columns

    assert list(columns) == [text, "goal"]
    assert columns[text].values == [text]
