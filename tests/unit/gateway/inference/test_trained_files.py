"""The file that a version was trained on will do: every way in reads its cells as the training read them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_cli.prediction_files import csv_rows, features_of
from interlock_contracts.pipeline import Pipeline
from interlock_gateway.inference.feedback import checked
from interlock_gateway.protocols.scoring_rows import rows_of
from interlock_gateway.protocols.tensors import Tensor, table_of
from interlock_modeling.rows import read_rows as cells_of
from interlock_modeling.signature import ModelSignature
from interlock_scoring.reading import read_blocks
from interlock_tables.findings import Findings
from interlock_tables.reading import read_rows
from interlock_tables.spellings import BOOLEANS

from tests.unit.gateway.inference.test_feedback import ROW as ROW_NAME

NUMBERS = st.floats(-1e9, 1e9).map(repr) | st.integers(-999, 999).map(lambda n: f"{n}.") | st.just("+1e-3")
INTEGERS = st.integers(-(2**53), 2**53)
TIMES = st.datetimes().map(lambda at: at.isoformat(" ")) | st.datetimes().map(lambda at: at.date().isoformat())
FINE = st.builds(
    "{}.{}{}".format,
    st.datetimes().map(lambda at: at.replace(microsecond=0).isoformat()),
    st.text("0123456789", min_size=1, max_size=9),
    st.sampled_from(["", "Z", "+00:00"]),
)
TEXTS: dict[str, st.SearchStrategy[str]] = {
    "number": NUMBERS,
    "integer": INTEGERS.map(str) | INTEGERS.map(lambda n: f"{n}.0") | st.sampled_from([" 7", "+7", "007"]),
    "boolean": st.sampled_from([*BOOLEANS, *map(str.upper, BOOLEANS), " yes "]),
    "category": st.text(st.sampled_from("aé7 ,;\"'\n"), max_size=4) | st.sampled_from(["94103", "007", "NA", "-"]),
    "datetime": TIMES | FINE,
}
"""By type how a CSV may spell a cell."""

JSON: dict[str, st.SearchStrategy[Any]] = {
    "number": st.floats(-1e9, 1e9) | st.integers(-999, 999) | NUMBERS,
    "integer": INTEGERS | st.just(3.0) | TEXTS["integer"],
    "boolean": st.booleans() | st.sampled_from([0, 1]) | TEXTS["boolean"],
    "category": st.integers() | TEXTS["category"],
    "datetime": TEXTS["datetime"],
}
"""By type how a line of JSON may."""


LOCALES = st.sampled_from([(".", None), (",", None), (",", "."), (",", " "), (".", ","), (".", "'")])
FORMATS = st.sampled_from([None, "%d.%m.%Y", "%m/%d/%Y %H:%M"])


def written(column: dict[str, Any], decimal: str, thousands: str | None) -> st.SearchStrategy[str]:
    """Return how a CSV may spell a cell where these are the signs and the column's format of dates."""
    kind = column["type"]
    if kind == "datetime" and "format" in column:
        return st.datetimes(datetime(1000, 1, 1)).map(lambda at: at.strftime(column["format"])) | TIMES  # noqa: DTZ001
    if kind not in ("number", "integer"):
        return TEXTS[kind]
    spelt = TEXTS[kind].map(lambda text: text.replace(".", decimal))
    grouped = INTEGERS.map(lambda n: f"{n:,}".replace(",", thousands or ""))
    return spelt | grouped if thousands else spelt


@dataclass(frozen=True)
class TrainedFile:
    """A file, and the pipeline by which it was read."""

    pipeline: Pipeline
    content: bytes
    rows: list[dict[str, Any]]

    @cached_property
    def table(self) -> pa.Table:
        """Return what the training saw."""
        findings = Findings()
        with self.on_disk() as path:
            blocks = [rows.cells for rows in read_rows(path, self.pipeline.data, findings)]
        assert not findings.bad
        assert all(not column.faults for cells in blocks for column in cells.values())
        names = list(self.pipeline.data.columns)
        return pa.concat_tables([pa.table({name: cells[name].values for name in names}) for cells in blocks])

    @cached_property
    def signature(self) -> ModelSignature:
        return ModelSignature.of(self.pipeline, self.table)

    def on_disk(self) -> _OnDisk:
        return _OnDisk(self.content, f"file.{self.pipeline.data.format}")


class _OnDisk:
    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name, self._folder = content, name, TemporaryDirectory()

    def __enter__(self) -> Path:
        path = Path(self._folder.name) / self._name
        path.write_bytes(self._content)
        return path

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


@st.composite
def trained_files(draw: st.DrawFn) -> TrainedFile:
    """Return a file of CSV or JSON Lines with features of some types, a target, perhaps a key and an ignored column."""
    kinds = draw(st.lists(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=4))
    columns = {f"f{place}": {"type": kind} for place, kind in enumerate(kinds)} | {"y": {"type": "number"}}
    data: dict[str, Any] = {"columns": columns, "format": draw(st.sampled_from(["csv", "jsonl"]))}
    if draw(st.booleans()):
        columns["id"] = {"type": "category"}
        data["key"] = "id"
    if draw(st.booleans()):
        columns["aside"] = {"type": draw(st.sampled_from(sorted(TEXTS))), "role": "ignore"}
    for column in columns.values():
        if column["type"] == "datetime" and (date_format := draw(FORMATS)):
            column["format"] = date_format
    is_csv, words = data["format"] == "csv", draw(st.lists(st.sampled_from(["", "NA", "-"]), unique=True))
    signs = draw(LOCALES)
    dialect = {"delimiter": draw(st.sampled_from([",", ";"])), "decimal": signs[0], "thousands": signs[1]}
    data["csv"] = {"null_values": words, **dialect}
    spelt = {name: written(column, *signs) if is_csv else JSON[column["type"]] for name, column in columns.items()}
    missing = st.sampled_from(words) if is_csv and words else st.nothing() if is_csv else st.none()
    cells = {name: spelt[name] if name in ("y", "id") else missing | spelt[name] for name in columns}
    drawn = draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=4))
    rows = [{name: row[name] for name in columns} for row in drawn]
    pipeline = Pipeline.model_validate({"name": "m", "task": "regression", "target": "y", "data": data})
    text = io.StringIO()
    if is_csv:
        writer = csv.DictWriter(text, list(columns), delimiter=pipeline.data.csv.delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(row) + "\n" for row in rows)
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return TrainedFile(pipeline, (mark + text.getvalue()).encode(), rows)


def ways_in(file: TrainedFile) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Yield what each way in makes of the file's features, by column."""
    pipeline, signature = file.pipeline, file.signature
    for way, rows in rows_by_way(file):
        yield way, {name: list(cells) for name, cells in cells_of(signature, rows)[0].items()}
    if pipeline.data.format == "csv":
        shape = [len(file.rows)]
        sent = [*pipeline.features, *signature.key, *signature.ignored]
        tensors = [Tensor(name, "BYTES", shape, [row[name] for row in file.rows]) for name in sent]
        yield "tensors of texts", plain(table_of(signature, tensors))
    with file.on_disk() as path:
        blocks = list(read_blocks(path, pipeline.data, signature))
        assert not any(block.faults for block in blocks)
        yield "whole file", plain(pa.concat_tables([block.features for block in blocks]))


def rows_by_way(file: TrainedFile) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows as JSON that each way in makes of the file."""
    pipeline, signature = file.pipeline, file.signature
    yield "predict", features_of(file.rows, pipeline, signature.key)
    for form, document in {
        "dataframe_records": file.rows,
        "instances": file.rows,
        "inputs": {name: [row[name] for row in file.rows] for name in file.rows[0]},
        "dataframe_split": {"columns": list(file.rows[0]), "data": [list(row.values()) for row in file.rows]},
    }.items():
        yield form, rows_of(signature, json.dumps({form: document}).encode(), "application/json")
    if pipeline.data.format == "csv":
        with file.on_disk() as path:
            yield "command line", features_of(csv_rows(path, pipeline), pipeline, signature.key)
        if pipeline.data.csv.delimiter == ",":
            yield "text/csv", rows_of(signature, file.content, "text/csv")


def plain(table: pa.Table) -> dict[str, list[Any]]:
    """Return a table's cells, with datetimes in microseconds since 1970."""
    return {
        name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


@settings(max_examples=60)
@given(trained_files())
def test_the_file_it_was_trained_on_will_do(file: TrainedFile) -> None:
    """Whatever its types, spellings, words for null and format, and with its target and key in it."""
    trained = plain(file.table.select(list(file.pipeline.features)))

    for way, cells in ways_in(file):
        assert cells == trained, way


@settings(max_examples=20)
@given(trained_files())
def test_its_targets_are_ground_truth(file: TrainedFile) -> None:
    """As a client would copy them from the file."""
    entries = [{"prediction": ROW_NAME, "actual": row["y"]} for row in file.rows]

    feedback, warnings = checked(entries, file.signature)
    assert [each.actual for each in feedback] == plain(file.table)["y"]
    assert not warnings
