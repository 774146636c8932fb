"""The second pass: splits and writes the two Parquet files, byte for byte the same every time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from interlock_contracts.data import Holdout
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_modeling.split import ROW_COLUMN, in_holdout
from numpy.typing import NDArray

from interlock_ingest.validation.duplicates import Dropped
from interlock_ingest.validation.result import Parts
from interlock_ingest.validation.staging import SIDE_COLUMN, Staging

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GROUP_ROWS = 65_536
_GROUP_TEXT_BYTES = 64 * 1024 * 1024
"""A row group ends with the row that reaches either: long texts that repeat are small in the file that came only."""


class _Part:
    """One Parquet file whose row groups depend on its rows alone, however these come in."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        texts: Any = [
            field.name for field in schema if pa.types.is_string(field.type)
        ]  # numbers are packed better without
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", store_schema=False, use_dictionary=texts)
        self._group: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0
        self.path = path
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        reached = np.cumsum(_text_bytes(batch))
        start = 0
        while start < batch.num_rows:
            before = int(reached[start - 1]) if start else 0
            full = int(np.searchsorted(reached, before + _GROUP_TEXT_BYTES - self._group_bytes)) + 1
            end = min(full, start + _GROUP_ROWS - self._group_rows, batch.num_rows)
            self._group.append(batch.slice(start, end - start))
            self._group_rows += end - start
            self._group_bytes += int(reached[end - 1]) - before
            if self._group_rows == _GROUP_ROWS or self._group_bytes >= _GROUP_TEXT_BYTES:
                self._write()
            start = end
        self.rows += batch.num_rows

    def close(self, metadata: dict[str, str]) -> None:
        if self._group:
            self._write()
        if metadata:
            self._writer.add_key_value_metadata(metadata)
        self._writer.close()

    def _write(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._group), row_group_size=_GROUP_ROWS)
        self._group, self._group_rows, self._group_bytes = [], 0, 0


def _text_bytes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the bytes of each row's texts, shape (rows,)."""
    total = np.zeros(batch.num_rows, dtype=np.int64)
    columns: list[Any] = batch.columns
    for column in columns:
        if pa.types.is_string(column.type):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy()
    return total


def write_parts(staging: Staging, pipeline: Pipeline, dropped: Dropped, folder: Path, role: DatasetRole) -> Parts:
    """Write the kept rows, in the order of the file, to the side each belongs to: all held out for evaluation."""
    names = [*pipeline.data.columns, ROW_COLUMN]
    schema = pa.schema([staging.schema.field(name) for name in names])
    train, holdout = _Part(folder / "train.parquet", schema), _Part(folder / "holdout.parquet", schema)
    cut = _cut(staging, pipeline.data.holdout, dropped) if role == "training" else None
    start = 0
    for batch in staging.batches():
        kept = dropped.kept(start, batch.num_rows)
        start += batch.num_rows
        held = held_out(batch, pipeline, cut) if role == "training" else np.ones(batch.num_rows, dtype=np.bool_)
        rows_ = batch.select(names)
        for part, mask in ((train, kept & ~held), (holdout, kept & held)):
            if mask.any():
                part.add(rows_.filter(pa.array(mask)))
    for part in (train, holdout):
        part.close(staging.metadata)
    moment = None if cut is None else _EPOCH + cut * _MICROSECOND
    return Parts(train=train.path, holdout=holdout.path, train_rows=train.rows, holdout_rows=holdout.rows, cut=moment)


def _cut(staging: Staging, rule: Holdout, dropped: Dropped) -> int | None:
    """Return the time, in microseconds, from which on rows are held out; None where a hash decides.

    That is the pipeline's watermark, once it has one; else the file's own newest part begins there.
    """
    if rule.by == "hash":
        return None
    if isinstance(rule.watermark, datetime):
        return (rule.watermark - _EPOCH) // _MICROSECOND
    return staging.newest(max(1, round(rule.fraction * (staging.rows - dropped.count))), dropped.kept)


def held_out(batch: pa.RecordBatch, pipeline: Pipeline, cut: int | None) -> NDArray[np.bool_]:
    """Return which rows of a staged batch are held out; ``cut`` is the time, in microseconds, of a split by time."""
    data = pipeline.data
    if cut is not None and data.holdout_column is not None:
        times: NDArray[np.int64] = batch.column(data.holdout_column).cast(pa.int64()).to_numpy()
        return times >= cut
    column = SIDE_COLUMN if data.side_columns else ROW_COLUMN
    return in_holdout(batch.column(column).to_numpy(), data.holdout.fraction)
