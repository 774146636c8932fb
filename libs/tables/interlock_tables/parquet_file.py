"""Reads Parquet a few rows at a time; a column whose stored type is not the declared one refuses the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Column, Data
from numpy.typing import NDArray

from interlock_tables.blocks import refuse_other_kinds
from interlock_tables.cells import Faults, Odd, cut, in_calendar
from interlock_tables.findings import EXAMPLES_SHOWN, Findings, UnreadableError
from interlock_tables.header import note_columns
from interlock_tables.spellings import MAX_CELL_BYTES
from interlock_tables.typed import (
    ARROW_TYPES,
    MAX_COLUMNS,
    ROWS_AT_ONCE,
    Cells,
    TypedRows,
    compute,
    most_unpacked,
    too_many_columns,
    too_much_unpacked,
)

_MAGIC = b"PAR1"
_BUFFER_BYTES = 1 << 20
_BATCH_BYTES = 16 << 20
_FEWEST_ROWS = 64


def read_parquet(path: Path, data: Data, findings: Findings) -> Iterator[TypedRows]:
    """Yield the rows of the file, numbered from 1.

    Raises:
        UnreadableError: the file is no Parquet file, or is damaged.
    """
    texts = [name for name, column in data.columns.items() if column.type == "category"]
    with open_parquet(path, texts) as file:
        names = fitting(file.schema_arrow, data.columns, findings)
        first = 1
        for batch in light_batches(file, names, most=most_unpacked(path)):
            cells = {name: typed_cells(name, data.columns[name], batch.column(name)) for name in names}
            lines = np.arange(first, first + batch.num_rows, dtype=np.int64)
            first += batch.num_rows
            yield TypedRows(lines, cells)
        if names and first - 1 != file.metadata.num_rows:
            why = f"its footer promises {file.metadata.num_rows} rows, and {first - 1} are there"
            raise UnreadableError("damaged", f"the Parquet file is damaged: {why}")


@contextmanager
def open_parquet(path: Path, texts: Sequence[str]) -> Iterator[pq.ParquetFile]:
    """Open a file to be read while the block lasts; columns ``texts`` come dictionary-encoded.

    Raises:
        UnreadableError: the file is no Parquet file, is damaged (also when that shows later), or has a column twice.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if head[:4] != _MAGIC:
        refuse_other_kinds(head)
        raise UnreadableError("file_kind", "the file is not a Parquet file: it does not begin with PAR1")
    try:
        names = pq.read_schema(path).names
        _refuse_repeated(names)
        there = [name for name in texts if name in names]
        with pq.ParquetFile(
            path, buffer_size=_BUFFER_BYTES, pre_buffer=False, memory_map=False, read_dictionary=there
        ) as opened:
            yield opened
    except MemoryError as error:
        why = "reading a group of its rows takes more memory than is allowed; write smaller row groups and pages"
        raise UnreadableError("memory", why) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableError("damaged", f"the Parquet file is damaged: {str(error)[:200]}") from error


def _refuse_repeated(names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise too_many_columns(len(names))
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        why = f"columns stand more than once in the file: {', '.join(repeated[:20])}"
        raise UnreadableError("duplicate_label", why)


def fitting(schema: pa.Schema, columns: Mapping[str, Column], findings: Findings) -> list[str]:
    """Return the declared columns whose stored type fits; the others, and those missing, are noted."""
    note_columns(schema.names, list(columns), findings)
    names = []
    for name, column in columns.items():
        if name in schema.names:
            kind = schema.field(name).type
            if _fits(kind, column.type):
                names.append(name)
            else:
                why = f"{name!r} is stored as {kind}, which is not {column.type}"
                findings.header.append(Finding(rule="type", column=name, message=why))
    return names


def light_batches(
    file: pq.ParquetFile, names: list[str], *, most: int, from_group: int = 0, threads: bool = False
) -> Iterator[pa.RecordBatch]:
    """Yield batches that stay small when their texts are unpacked: a text stored once may stand in every row.

    The row groups before ``from_group`` are skipped.

    Raises:
        UnreadableError: the columns unpack to more than ``most`` bytes.
    """
    total = 0
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    heaviest = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1.0)
    rows = max(_FEWEST_ROWS, min(ROWS_AT_ONCE, int(_BATCH_BYTES / max(heaviest, 1.0))))
    for batch in file.iter_batches(
        rows, row_groups=list(range(from_group, len(groups))), columns=names, use_threads=threads
    ):
        unpacked = sum(_unpacked_bytes(column) for column in batch.columns)
        total += unpacked
        if total > most:
            raise too_much_unpacked(most)
        size = max(1, batch.num_rows * _BATCH_BYTES // max(unpacked, _BATCH_BYTES))
        yield from (batch.slice(start, size) for start in range(0, batch.num_rows, size))


def _unpacked_bytes(column: Any) -> int:
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = compute.binary_length(column.dictionary.cast(pa.large_string()))
    return int(compute.sum(lengths.take(column.indices)).as_py() or 0)


def _fits(stored: pa.DataType, declared: str) -> bool:
    types = pa.types
    if types.is_dictionary(stored):
        stored = stored.value_type
    if types.is_null(stored):
        return True
    if declared == "number":
        return types.is_integer(stored) or types.is_floating(stored) or types.is_decimal(stored)
    if declared == "category":
        return types.is_string(stored) or types.is_large_string(stored) or types.is_integer(stored)
    if declared == "datetime":
        return types.is_timestamp(stored) or types.is_date(stored)
    return types.is_integer(stored) if declared == "integer" else types.is_boolean(stored)


def typed_cells(name: str, column: Column, stored: pa.Array[Any]) -> Cells:
    """Cast to the declared type; cells that would lose something on the way are bad."""
    kind = ARROW_TYPES[column.type]
    odd: Odd = {}
    if pa.types.is_dictionary(stored.type):
        stored = stored.dictionary_decode()  # type: ignore[attr-defined]
    if column.type == "number":
        values = stored.cast(kind, safe=False)
        bad, why = compute.invert(compute.is_finite(values)), "is not a finite number"
    elif column.type == "category":
        values = stored.cast(kind)
        values.validate(full=True)
        long = compute.greater(compute.binary_length(values), MAX_CELL_BYTES)
        bad = compute.or_(long, compute.match_substring(values, "\0"))
        why = f"is longer than {MAX_CELL_BYTES} bytes or holds a NUL character"
    else:
        if column.type == "datetime":
            stored, odd = _to_microseconds(name, stored)
        values = _cast_losslessly(stored, kind)
        if column.type == "datetime":
            values = compute.if_else(pa.array(in_calendar(values)), values, pa.scalar(None, kind))
        bad = compute.and_(values.is_null(), stored.is_valid())
        why = "does not fit 64 bits" if column.type == "integer" else "is not in the years 1 to 9999"
    mask: NDArray[np.bool_] = bad.fill_null(False).to_numpy(zero_copy_only=False)
    if not mask.any():
        return Cells(values, {}, odd)
    faults = Faults(name)
    first = stored.filter(pa.array(mask)).slice(0, EXAMPLES_SHOWN).cast(pa.string()).to_pylist()
    faults.add("type", why, mask, [str(text) for text in first])
    return Cells(compute.if_else(pa.array(mask), pa.scalar(None, kind), values), faults.by_cause, odd)


def _to_microseconds(name: str, stored: pa.Array[Any]) -> tuple[pa.Array[Any], Odd]:
    """Cut nanoseconds to whole microseconds; other units stay as they are."""
    if not (pa.types.is_timestamp(stored.type) and stored.type.unit == "ns"):
        return stored, {}
    nanoseconds = stored.cast(pa.int64()).fill_null(0).to_numpy()
    whole = nanoseconds // 1000
    nulls: NDArray[np.bool_] = stored.is_null().to_numpy(zero_copy_only=False)
    micros: pa.Array[Any] = pa.array(whole, mask=nulls).cast(pa.timestamp("us", stored.type.tz))
    return micros, cut(name, nanoseconds != whole * 1000, stored)


def _cast_losslessly(stored: pa.Array[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Cast the column; when some cells do not fit, cell by cell, with null for those."""
    try:
        return stored.cast(kind)
    except pa.ArrowInvalid:
        pieces = []
        for row in range(len(stored)):
            try:
                pieces.append(stored.slice(row, 1).cast(kind))
            except pa.ArrowInvalid:
                pieces.append(pa.array([None], kind))
        return pa.concat_arrays(pieces)
