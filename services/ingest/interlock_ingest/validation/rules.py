"""Compares rows with what their columns declare, and counts what breaks a rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.data import Column
from interlock_contracts.pipeline import TRANSFORMED_ABOVE, Pipeline
from interlock_tables.cells import byte_at
from interlock_tables.findings import EXAMPLES_SHOWN, LINES_SHOWN, Cause, Tallies
from interlock_tables.typed import compute
from numpy.typing import NDArray

from interlock_ingest.domain import Findings
from interlock_ingest.validation.chunk import Chunk

_VALUES_SHOWN = 10


def with_target(chunk: Chunk, target: str, findings: Findings) -> Chunk:
    """Return the rows that have a target; count the others."""
    column = chunk.columns.get(target)
    if column is None or not column.null_count:
        return chunk
    present: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    findings.untargeted.add(int((~present).sum()), chunk.lines[~present][:LINES_SHOWN].tolist())
    return chunk.where(present)


def check_rules(chunk: Chunk, pipeline: Pipeline, findings: Findings) -> None:
    """Count in ``findings`` every cell of the chunk that breaks a rule of its column."""
    findings.checked_rows += len(chunk.lines)
    data = pipeline.data
    for name, values in chunk.columns.items():
        if values.null_count:
            missing = values.is_null()
            lines = chunk.lines[missing.to_numpy(zero_copy_only=False)]
            findings.nulls[name].add(len(lines), lines[:LINES_SHOWN].tolist())
            if name == data.holdout_column:
                why = f"{name!r} decides who is newest (data.holdout), and is missing"
                _note(findings.broken, Cause("holdout", name, why), missing, values, chunk)
            if data.columns[name].role == "weight":
                why = f"{name!r} is the weight of the row, and is missing"
                _note(findings.broken, Cause("weight", name, why), missing, values, chunk)
            if data.rules.unique_key and name in (data.key or ()):
                _note(
                    findings.broken,
                    Cause("unique_key", name, f"{name!r} is (part of) the key, and is missing"),
                    missing,
                    values,
                    chunk,
                )
        if data.columns[name].type == "category" and _may_be_spaced(values):
            why = f"{name!r} has values with spaces around them, which count as part of the value"
            spaced = compute.match_substring_regex(values, r"^\s|\s$")
            _note(findings.odd, Cause("spaces", name, why), spaced, values, chunk)
        if data.columns[name].role == "weight":
            zero = compute.equal(values, 0).fill_null(False).to_numpy(zero_copy_only=False)
            findings.weightless.add(int(zero.sum()), chunk.lines[zero][:LINES_SHOWN].tolist())
        if name == pipeline.target and (transform := pipeline.target_transform) is not None:
            least = TRANSFORMED_ABOVE[transform]
            why = f"{name!r} is at most {least:g}, of which there is no {transform} (target.transform)"
            impossible = compute.less_equal(values, pa.scalar(least, pa.float64()))
            _note(findings.broken, Cause("target_transform", name, why), impossible, values, chunk)
        for cause, broken in _broken(name, data.columns[name], values):
            _note(findings.broken, cause, broken, values, chunk)


def _may_be_spaced(texts: pa.Array[Any]) -> bool:
    """Return whether a text begins or ends with a byte that might be a space; a regular expression takes longer."""
    ends = [byte_at(texts, place) for place in (0, -1)]
    return any(bool(((end > 0) & (end <= ord(" "))).any()) for end in ends)


def _broken(name: str, column: Column, values: pa.Array[Any]) -> list[tuple[Cause, Any]]:
    """Return a mask (null where the cell is) for each rule of the column."""
    broken = []
    if column.role == "weight":
        why = f"{name!r} is the weight of the row, which is a number of at least 0"
        sound = compute.and_(compute.is_finite(values), compute.greater_equal(values, 0))
        broken.append((Cause("weight", name, why), compute.invert(sound)))
    if column.min is not None:
        why = f"{name!r} is below {column.min:g}, the declared min"
        broken.append((Cause("min", name, why), compute.less(values, pa.scalar(column.min, pa.float64()))))
    if column.max is not None:
        why = f"{name!r} is above {column.max:g}, the declared max"
        broken.append((Cause("max", name, why), compute.greater(values, pa.scalar(column.max, pa.float64()))))
    if column.values is not None:
        shown = ", ".join(repr(value) for value in column.values[:_VALUES_SHOWN])
        more = ", …" if len(column.values) > _VALUES_SHOWN else ""
        why = f"{name!r} is none of its declared values: {shown}{more}"
        known = compute.is_in(values, value_set=pa.array(column.values, pa.string()))
        broken.append((Cause("values", name, why), compute.and_(compute.invert(known), values.is_valid())))
    return broken


def _note(tallies: Tallies, cause: Cause, broken: Any, values: pa.Array[Any], chunk: Chunk) -> None:
    mask: NDArray[np.bool_] = broken.fill_null(False).to_numpy(zero_copy_only=False)
    if mask.any():
        first = values.filter(pa.array(mask)).slice(0, 1000).unique().slice(0, EXAMPLES_SHOWN)
        examples = [str(value) for value in first.to_pylist() if value is not None]
        tallies[cause].add(int(mask.sum()), chunk.lines[mask][:LINES_SHOWN].tolist(), examples)
