"""Rows on which a wrong export shows: training rows, rows on and beside splits, missing cells, unseen categories."""

import numpy as np
import pyarrow as pa
from interlock_modeling.encoder import Encoder, NumericColumn
from interlock_modeling.engines import Engine, ForestEngine, MedianForestEngine
from numpy.typing import NDArray

SAMPLE = 2_000
SPLITS_PER_FEATURE = 100

_UNSEEN = "\N{BLACK SQUARE} never seen in training"


def probe_rows(encoder: Encoder, engine: Engine, table: pa.Table, seed: int) -> pa.Table:
    """Return rows in the manner of ``table``; integers come as float64, so that they too can lie beside a split."""
    rng = np.random.default_rng(seed)
    numbers = [column for column in encoder.columns if isinstance(column, NumericColumn) and column.kind == "number"]
    loose = table.select([column.name for column in encoder.columns])
    for column in numbers:
        at = loose.column_names.index(column.name)
        loose = loose.set_column(at, column.name, loose.column(column.name).cast(pa.float64(), safe=False))
    picked = rng.choice(loose.num_rows, min(SAMPLE, loose.num_rows), replace=False)
    sample = loose.take(np.sort(picked))
    parts = [sample, *_odd_rows(encoder, sample)]
    if isinstance(engine, MedianForestEngine):
        engine = engine.forest
    if isinstance(engine, ForestEngine):
        parts += [_beside_splits(sample, column, encoder, engine, rng) for column in numbers]
    return pa.concat_tables(parts)


def _odd_rows(encoder: Encoder, sample: pa.Table) -> list[pa.Table]:
    """Return a few rows with each cell missing in turn, with each category unseen in turn, and with all missing."""
    few = sample.slice(0, 5)
    nothing = {name: pa.nulls(few.num_rows, few.schema.field(name).type) for name in few.column_names}
    odd = [pa.table(nothing, schema=few.schema)]
    for at, column in enumerate(encoder.columns):
        odd.append(few.set_column(at, few.schema.field(at), nothing[column.name]))
        if column.kind == "category":
            odd.append(few.set_column(at, few.schema.field(at), pa.array([_UNSEEN] * few.num_rows)))
    return odd


def _beside_splits(
    sample: pa.Table, column: NumericColumn, encoder: Encoder, engine: ForestEngine, rng: np.random.Generator
) -> pa.Table:
    """Return rows whose cell of one column is encoded to a threshold exactly, or to a number just beside it."""
    thresholds = engine.thresholds(encoder.names.index(column.name))
    chosen = rng.permutation(thresholds)[:SPLITS_PER_FEATURE]
    part = column.numbers[0]
    decoded = _near(chosen) * part.scale + part.center
    step = np.spacing(np.maximum(np.abs(decoded), abs(part.center)))  # smaller ones vanish in ``x - center``
    cells = np.concatenate([decoded - step, decoded, decoded + step])
    rows = sample.take(rng.integers(0, sample.num_rows, len(cells)))
    return rows.set_column(rows.column_names.index(column.name), column.name, pa.array(cells))


def _near(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the thresholds, the float32 on both sides, and the points where rounding to float32 turns over."""
    single = thresholds.astype(np.float32)
    below, above = (np.nextafter(single, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf))
    return np.concatenate([thresholds, below, above, (thresholds + below) / 2, (thresholds + above) / 2])
