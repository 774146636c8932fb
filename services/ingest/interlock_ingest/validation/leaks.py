"""Leaks within one file: a sample of its staged rows, searched, and what was found as findings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.leaks import find_leaks, sample_rows
from interlock_tables.typed import compute

from interlock_ingest.validation.parts import held_out
from interlock_ingest.validation.result import Parts
from interlock_ingest.validation.staging import Staging

_LONGEST_TEXT = 100
_MICROSECOND = timedelta(microseconds=1)


def leaks_in(staging: Staging, pipeline: Pipeline, parts: Parts) -> list[Finding]:
    """Return what leaks in the rows, some of a large file, that were split into ``parts``."""
    places = sample_rows(staging.rows, len(pipeline.data.columns))
    cut = None if parts.cut is None else (parts.cut - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
    sampled, held, start = [], [], 0
    for batch in staging.batches():
        first, end = np.searchsorted(places, (start, start + batch.num_rows))
        rows = batch.take(places[first:end] - start)
        start += batch.num_rows
        sampled.append(pa.table({name: _shortened(rows.column(name)) for name in pipeline.data.columns}))
        held.append(held_out(rows, pipeline, cut))
    found = find_leaks(pipeline, pa.concat_tables(sampled), np.concatenate(held), staging.rows) if sampled else []
    return [Finding(rule=each.rule, column=each.column, count=each.count, message=each.message) for each in found]


def _shortened(values: pa.Array[Any]) -> pa.Array[Any]:
    """Return long texts as their beginning and length, so that a sample stays small."""
    if not pa.types.is_string(values.type):
        return values
    lengths = compute.binary_length(values)
    if (compute.max(lengths).as_py() or 0) <= _LONGEST_TEXT:
        return values
    short: pa.Array[Any] = compute.binary_join_element_wise(
        compute.utf8_slice_codeunits(values, 0, _LONGEST_TEXT), lengths.cast(pa.string()), "\0"
    )
    return short
