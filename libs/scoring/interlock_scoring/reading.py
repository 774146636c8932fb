"""A file as blocks of rows for the model, in flat memory, by the same strict rules by which ingest reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.data import Column, Data
from interlock_modeling.signature import ModelSignature
from interlock_tables.csv_file import csv_labels
from interlock_tables.findings import Cause, Findings, UnreadableError
from interlock_tables.header import note_columns
from interlock_tables.parquet_file import fitting, light_batches, open_parquet
from interlock_tables.reading import read_rows
from interlock_tables.stored_types import typed_cells
from interlock_tables.typed import ARROW_TYPES, Cells, TypedRows, most_unpacked

from interlock_scoring.rows import Fault, Rows

_READ_BYTES = 1 << 20


def features_of(signature: ModelSignature) -> dict[str, Column]:
    """Return the columns that must be read as the model takes them."""
    return {feature.name: Column(type=feature.type, format=feature.format) for feature in signature.features}


def read_blocks(path: Path, data: Data, signature: ModelSignature, *, start: int = 0) -> Iterator[Rows]:
    """Yield the rows from row ``start`` on, in the order of the file.

    Of CSV and Parquet every column is repeated in the answer, of JSON Lines those that are declared.

    Raises:
        UnreadableError: the file cannot be read (on), or lacks a column that the model needs.
    """
    blocks = _parquet if data.format == "parquet" else _text
    for block in blocks(path, data, signature, start):
        if block.first + len(block) > start:
            yield block.cut(max(0, start - block.first), len(block))


def rows_in(path: Path, data: Data) -> int:
    """Return how many rows a file has; of a text file the lines, which may be a few more."""
    if data.format == "parquet":
        with open_parquet(path, []) as file:
            return int(file.metadata.num_rows)
    with path.open("rb") as text:
        return sum(block.count(b"\n") for block in iter(lambda: text.read(_READ_BYTES), b""))


def _parquet(path: Path, data: Data, signature: ModelSignature, start: int) -> Iterator[Rows]:
    del data
    columns, texts = features_of(signature), signature.text_cells
    with open_parquet(path, [name for name, column in columns.items() if column.type == "category"]) as file:
        findings = Findings()
        names = fitting(file.schema_arrow, columns, findings)
        _refuse(findings, signature)
        group, first = _group_of(file, start)
        every, most = file.schema_arrow.names, most_unpacked(path)
        for batch in light_batches(file, every, most=most, from_group=group, threads=True):
            cells = {name: typed_cells(name, columns[name], batch.column(name), texts) for name in names}
            yield Rows(first, _plain(batch), _features(signature, cells, batch.num_rows), _faults(cells))
            first += batch.num_rows


def _group_of(file: pq.ParquetFile, row: int) -> tuple[int, int]:
    """Return the row group that holds a row, and that group's first row."""
    first = 0
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if row < first + rows:
            return group, first
        first += rows
    return file.metadata.num_row_groups, first


def _plain(batch: pa.RecordBatch) -> pa.Table:
    """Return the batch with texts unpacked, and without what its writer's library noted for itself."""
    table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
    for place, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(column.type.value_type))
    return table


@dataclass
class _Noted(Findings):
    """Also keeps which lines are no rows, until they are taken."""

    lost: list[tuple[int, str]] = field(default_factory=list)

    def set_aside(self, cause: Cause, count: int, lines: Sequence[int], examples: Sequence[str]) -> None:
        del count, examples
        self.lost += [(line, cause.why) for line in lines]

    def take(self) -> list[tuple[int, str]]:
        lost, self.lost = self.lost, []
        return lost


def _text(path: Path, data: Data, signature: ModelSignature, start: int) -> Iterator[Rows]:
    del start  # what a line is depends on all lines before it
    noted = _Noted()
    if signature.null_values is not None:  # how texts were written in training, whatever is declared by now
        written = {name: getattr(signature, name) for name in ("null_values", "decimal", "thousands")}
        data = data.model_copy(update={"csv": data.csv.model_copy(update=written)})
    columns = {**data.columns, **features_of(signature)}
    repeated = {name: column.type for name, column in columns.items()}
    if data.format == "csv":
        labels = csv_labels(path, data.model_copy(update={"columns": columns}))
        findings = Findings()
        note_columns(labels, list(columns), findings)
        _refuse(findings, signature)
        columns |= {label: Column(type="category") for label in labels if label not in columns}
        repeated = {label: columns[label].type for label in labels}
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in repeated.items()])
    first = 0
    for rows in read_rows(path, data.model_copy(update={"columns": columns}), noted, signature.text_cells):
        if not first:
            _refuse(noted, signature)
        block = _block(rows, noted.take(), schema, signature, first)
        yield block
        first += len(block)
    _refuse(noted, signature)
    rest = noted.take()
    if rest:
        yield _block(TypedRows(np.empty(0, dtype=np.int64), {}), rest, schema, signature, first)


def _block(
    rows: TypedRows, lost: list[tuple[int, str]], schema: pa.Schema, signature: ModelSignature, first: int
) -> Rows:
    """Put lines that are no rows back to where they stood, as rows of nulls."""
    lines = np.concatenate([rows.lines, np.array([line for line, _ in lost], dtype=np.int64)])
    order = np.argsort(lines, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    faults = {
        int(place[at]): Fault(fault.column, f"line {lines[at]}: {fault.message}")
        for at, fault in _faults(
            {name: each for name, each in rows.cells.items() if name not in signature.ignored}
        ).items()
    }
    for at, (line, why) in enumerate(lost, len(rows.lines)):
        faults[int(place[at])] = Fault(None, f"line {line}: {why}")
    table = pa.table([_values(rows.cells, name, len(rows.lines), schema) for name in schema.names], schema=schema)
    if lost:
        nothing = pa.table([_nulls(len(lost), kind) for kind in schema.types], schema=schema)
        standing: Any = pa.array(order)
        table = pa.concat_tables([table, nothing]).take(standing)
    cells = {name: Cells(table.column(name).combine_chunks(), {}) for name in schema.names}
    return Rows(first, table, _features(signature, cells, table.num_rows), faults)


def _values(cells: dict[str, Cells], name: str, rows: int, schema: pa.Schema) -> pa.Array[Any]:
    return cells[name].values if name in cells else _nulls(rows, schema.field(name).type)


def _nulls(rows: int, kind: pa.DataType) -> pa.Array[Any]:
    nulls: Any = pa.nulls  # its stubs want to know the very type
    made: pa.Array[Any] = nulls(rows, kind)
    return made


def _features(signature: ModelSignature, cells: dict[str, Cells], rows: int) -> pa.Table:
    columns = {
        feature.name: cells[feature.name].values if feature.name in cells else _nulls(rows, ARROW_TYPES[feature.type])
        for feature in signature.features
    }
    return pa.table(columns)


def _faults(cells: dict[str, Cells]) -> dict[int, Fault]:
    """Return by position the first thing that is wrong with each row that has a bad cell."""
    faults: dict[int, Fault] = {}
    for name, column in cells.items():
        for cause, (mask, _) in column.faults.items():
            for at in mask.nonzero()[0].tolist():
                faults.setdefault(at, Fault(name, cause.why))
    return faults


def _refuse(findings: Findings, signature: ModelSignature) -> None:
    """Refuse a file whose columns leave the model without what it needs."""
    if findings.header:
        first = findings.header[0]
        raise UnreadableError(first.rule, first.message)
    needed = {feature.name: feature for feature in signature.features}
    for name, hint in findings.missing_columns.items():
        if name in needed and (hint or not (needed[name].nullable and needed[name].optional)):
            why = f"the model needs column {name!r}, which is not in the file{hint}"
            raise UnreadableError("missing_column", why)
