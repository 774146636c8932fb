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
from interlock_contracts.data import Column, Data
from interlock_contracts.datasets import Finding

from interlock_tables.blocks import refuse_other_kinds
from interlock_tables.findings import Findings, UnreadableError
from interlock_tables.header import note_columns
from interlock_tables.locales import AS_TYPED, TextCells
from interlock_tables.stored_types import is_text, misfit, typed_cells
from interlock_tables.typed import (
    MAX_COLUMNS,
    ROWS_AT_ONCE,
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


def read_parquet(path: Path, data: Data, findings: Findings, texts: TextCells = AS_TYPED) -> Iterator[TypedRows]:
    """Yield the rows of the file, numbered from 1.

    Raises:
        UnreadableError: the file is no Parquet file, or is damaged.
    """
    with open_parquet(path, [name for name, column in data.columns.items() if column.type == "category"]) as file:
        names = fitting(file.schema_arrow, data.columns, findings)
        first = 1
        for batch in light_batches(file, names, most=most_unpacked(path)):
            cells = {name: typed_cells(name, data.columns[name], batch.column(name), texts) for name in names}
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
        schema = pq.read_schema(path)
        _refuse_repeated(schema.names)
        there = [name for name in texts if name in schema.names and is_text(schema.field(name).type)]
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
            hint = misfit(kind, column.type)
            if hint is None:
                names.append(name)
            else:
                why = f"{name!r} is stored as {kind}, which is not read as {column.type}; {hint}"
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
    lengths = compute.binary_length(column.dictionary.cast(pa.large_binary()))
    return int(compute.sum(lengths.take(column.indices)).as_py() or 0)
