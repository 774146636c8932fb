"""Good rows on disk between the two passes: the first reads and counts, the second drops and splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.split import ROW_COLUMN, row_hashes
from interlock_tables.typed import ARROW_TYPES
from numpy.typing import NDArray

from interlock_ingest.validation.chunk import Chunk
from interlock_ingest.validation.duplicates import KEY, ROW, Buckets

SIDE_COLUMN = "__side__"
"""Name of the staged column that holds the hash by which a row's side is decided."""

_LEVEL = 65_536


class Staging:
    """Typed rows with their hashes in an Arrow file, and the hashes again in buckets."""

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        folder.mkdir(parents=True)
        data = pipeline.data
        self._columns = list(data.columns)
        self._key = data.key
        self._side = data.side_columns
        self._time = data.holdout_column
        self._path = folder / "rows.arrow"
        self._times = folder / "times"
        fields = [(name, ARROW_TYPES[column.type]) for name, column in data.columns.items()]
        fields += [(ROW_COLUMN, pa.uint64())] + ([(SIDE_COLUMN, pa.uint64())] if self._side else [])
        self.schema = pa.schema(fields)
        self._sink = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, self.schema)
        self._time_sink = self._times.open("wb")
        self.row_buckets = Buckets(folder / "row", ROW)
        self.key_buckets = Buckets(folder / "key", KEY) if data.rules.unique_key else None
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        for buckets in (self.row_buckets, self.key_buckets):
            if buckets is not None:
                buckets.close()

    def add(self, chunk: Chunk) -> NDArray[np.uint64]:
        """Keep the rows; return their hashes. Declared columns that the file lacks count as null."""
        rows = len(chunk.lines)
        present = chunk.columns
        columns = {name: present[name] if name in present else self._nulls(name, rows) for name in self._columns}
        hashes = row_hashes(columns)
        stored: list[Any] = [*columns.values(), pa.array(hashes)]
        places = np.empty(rows, dtype=ROW)
        places["hash"], places["at"] = hashes, np.arange(self.rows, self.rows + rows)
        self.row_buckets.add(places)
        if self._side:
            stored.append(pa.array(row_hashes({name: columns[name] for name in self._side})))
        if self._key and self.key_buckets is not None:
            keys = np.empty(rows, dtype=KEY)
            keys["hash"] = row_hashes({name: columns[name] for name in self._key})
            keys["row"], keys["line"] = hashes, chunk.lines
            self.key_buckets.add(keys)
        if self._time is not None:
            columns[self._time].cast(pa.int64()).fill_null(0).to_numpy().tofile(self._time_sink)
        self._writer.write_batch(pa.record_batch(stored, schema=self.schema))
        self.rows += rows
        return hashes

    def _nulls(self, name: str, rows: int) -> pa.Array[Any]:
        nulls: pa.Array[Any] = pa.array([None] * rows, self.schema.field(name).type)
        return nulls

    def finish(self) -> None:
        """Close what was written, so that it can be read; doing it twice does nothing."""
        if self._sink.closed:
            return
        self._writer.close()
        self._sink.close()
        self._time_sink.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the order of the file."""
        with pa.OSFile(str(self._path), "rb") as source, pa.ipc.open_stream(source) as reader:
            yield from reader

    def newest(self, rows: int, kept: Callable[[int, int], NDArray[np.bool_]]) -> int:
        """Return the time, in microseconds, of the ``rows``-th newest of the kept rows (1 <= rows <= kept rows)."""

        def times() -> Iterator[NDArray[np.int64]]:
            start = 0
            with self._times.open("rb") as file:
                while len(block := np.fromfile(file, dtype=np.int64, count=1 << 17)):
                    yield block[kept(start, len(block))]
                    start += len(block)

        return nth_largest(times, rows)


def nth_largest(values: Callable[[], Iterator[NDArray[np.int64]]], n: int) -> int:
    """Return the ``n``-th largest of values that can be gone through several times, without holding them.

    Each pass counts them in 65,536 equal steps and goes on inside the step that holds the n-th largest.
    """
    extremes = [(int(block.min()), int(block.max())) for block in values() if len(block)]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    while True:
        step = (high - low) // _LEVEL + 1
        counts = np.zeros(_LEVEL, dtype=np.int64)
        for block in values():
            inside = block[(block >= low) & (block <= high)]
            counts += np.bincount((inside - low) // step, minlength=_LEVEL)
        from_top = np.cumsum(counts[::-1])
        place = int(np.searchsorted(from_top, n))
        n -= int(from_top[place - 1]) if place else 0
        low += (_LEVEL - 1 - place) * step
        high = min(high, low + step - 1)
        if step == 1:
            return low
