"""Leaks within one file: a sample of its staged rows, searched, and what was found as findings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.leaks import find_leaks, sample_rows

from interlock_ingest.validation.parts import held_out
from interlock_ingest.validation.result import Parts
from interlock_ingest.validation.staging import Staging

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
        sampled.append(rows)
        held.append(held_out(rows, pipeline, cut))
    table = pa.Table.from_batches(sampled, schema=staging.schema).select(list(pipeline.data.columns))
    found = find_leaks(pipeline, table, np.concatenate([np.zeros(0, dtype=np.bool_), *held]), staging.rows)
    return [Finding(rule=each.rule, column=each.column, count=each.count, message=each.message) for each in found]
