"""All searches for leaks in a sample of rows, and what each says."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from numpy.typing import NDArray

from interlock_modeling.leaks import rows as among_rows
from interlock_modeling.leaks.formulas import exact_columns
from interlock_modeling.leaks.found import Cells, Leak, Mask, cells_of
from interlock_modeling.leaks.power import FEWEST, TELLING, parts_cleanly, power

_MOST_ROWS = 10_000
_FEWEST_ROWS = 1000
_MOST_CELLS = 400_000
_PRESENT = 50
"""Rows with a value from which a column that is often missing is judged on them alone as well."""

_EXPECTED = "or say that it is known with `leak: expected`"


def sample_rows(rows: int, columns: int) -> NDArray[np.int64]:
    """Return the places, in order, of the rows to search: at most 10,000, and fewer of a wide table.

    One is drawn from each of as many equal stretches, the same ones every time.
    """
    wanted = min(rows, max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_CELLS // max(1, columns))))
    ends = np.arange(wanted + 1, dtype=np.int64) * rows // max(1, wanted)
    drawn = np.random.default_rng(0).random(wanted) * np.diff(ends)
    return ends[:-1] + drawn.astype(np.int64)


def target_leaks(pipeline: Pipeline, rows: pa.Table) -> list[Leak]:
    """Return the features of the rows that tell the target: one alone, or several by a formula."""
    cells = cells_of(rows, pipeline)
    return _telling(pipeline, cells) if rows.num_rows >= FEWEST else []


def find_leaks(pipeline: Pipeline, rows: pa.Table, held: Mask, total: int) -> list[Leak]:
    """Return every leak that is found in a sample of a file's ``total`` rows, in the order of the file.

    ``rows`` have all declared columns, ``held`` tells which of them are held out. Columns with ``leak: expected`` are
    left out.
    """
    if rows.num_rows < FEWEST:
        return []
    cells = cells_of(rows, pipeline)
    ids = [each for name, each in cells.items() if name != pipeline.target and among_rows.is_row_id(each)]
    counters = {each.name for each in ids if among_rows.counts_up(each)}
    found, alone = _copies(pipeline, cells, ids, held, total)
    if not alone.all():
        cells = {name: each.where(alone) for name, each in cells.items()}
        held = held[alone]
    return [
        *_telling(pipeline, {name: each for name, each in cells.items() if name not in counters}),
        *_ids(pipeline, ids),
        *found,
        *_entities(pipeline, cells, {each.name for each in ids}, held),
        *_times(pipeline, cells, held),
    ]


def _judged(pipeline: Pipeline, names: Iterable[str]) -> list[str]:
    declared = pipeline.data.columns
    return [name for name in names if declared[name].leak is None]


def _telling(pipeline: Pipeline, cells: dict[str, Cells]) -> list[Leak]:
    """Of a time only counts whether it is known: what is near in time is alike by nature, see `_times`."""
    target = cells[pipeline.target]
    features = [cells[name] for name in _judged(pipeline, pipeline.features) if name in cells]
    found, others = [], []
    for each in features:
        timed = pipeline.data.columns[each.name].type == "datetime"
        if (words := _tells(each.known() if timed else each, target)) is None:
            others.append(each)
            continue
        why = f"{each.name!r} alone {words} {target.name!r}: it is made from it, or known only after it"
        act = f"if it is not known when a prediction is asked for, declare `role: ignore` for it, {_EXPECTED}"
        found.append(Leak("target_copy", each.name, len(target.values), f"{why}; {act}"))
    if together := exact_columns(others, target):
        listed = ", ".join(map(repr, together))
        why = f"{listed} together give {target.name!r} exactly: it can be computed from them, or one of them from it"
        act = f"declare `role: ignore` for what is not known when a prediction is asked for, {_EXPECTED}"
        found.append(Leak("target_formula", together[0], len(target.values), f"{why}; {act}"))
    return found


def _tells(column: Cells, target: Cells) -> str | None:
    """Return how the column tells the target, as a verb; None where it does not."""
    strength = power(column, target)
    if strength >= TELLING:
        return f"tells {strength:.1%} of"
    if parts_cleanly(column, target):
        return "parts the rows exactly by"
    present = column.present
    if _PRESENT <= present.sum() < len(present):
        strength = power(column.where(present), target.where(present))
        if strength >= TELLING:
            return f"tells, in the {present.mean():.0%} of the rows that have it, {strength:.1%} of"
    return None


def _ids(pipeline: Pipeline, ids: list[Cells]) -> list[Leak]:
    features = _judged(pipeline, pipeline.features)
    return [
        Leak(
            "row_id",
            each.name,
            each.distinct,
            f"{each.name!r} has another value in every row, as a number or a name of the row has: a model can only "
            f"learn it by heart; declare `role: ignore` for it, or make it the `key`, {_EXPECTED}",
        )
        for each in ids
        if each.name in features and pipeline.data.columns[each.name].type != "datetime"
    ]


def _copies(
    pipeline: Pipeline, cells: dict[str, Cells], ids: list[Cells], held: Mask, total: int
) -> tuple[list[Leak], Mask]:
    """Return what is to be said of copies across the split, and which rows are no copies of another."""
    names = {each.name for each in ids} | set(pipeline.data.key or ())
    ignored = {name for name, column in pipeline.data.columns.items() if column.role == "ignore"}
    compared = [each for name, each in cells.items() if name not in names | ignored]
    share, alone = among_rows.copies(compared, held, total)
    apart = [each.name for each in ids]
    if share < among_rows.COPIES or len(_judged(pipeline, apart)) < len(apart):
        return [], alone
    but = f" but for {', '.join(map(repr, apart))}" if apart else " but for rounding"
    why = f"about {share:.0%} of the held-out rows equal a training row{but}, so metrics tell what was learned by heart"
    act = "remove the copies, or declare as `data.group` what they have in common: a group's rows lie on one side"
    count = max(1, round(share * held.sum() * total / len(held)))
    return [Leak("near_duplicates", apart[0] if apart else None, count, f"{why}; {act}")], alone


def _entities(pipeline: Pipeline, cells: dict[str, Cells], ids: set[str], held: Mask) -> list[Leak]:
    target, found = cells[pipeline.target], []
    others = [each for name, each in cells.items() if name != pipeline.target]
    for each in (cells[name] for name in _judged(pipeline, cells)):
        if each.name in ids or each is target or not among_rows.is_entity(each, others):
            continue
        both = among_rows.shared(each, held)
        strength = power(Cells(each.name, each.values, False, each.groups, each.sizes), target)
        if both < 0.5 or strength < among_rows.ENTITY_POWER:  # noqa: PLR2004 - most of them
            continue
        why = f"{both:.0%} of the held-out rows have a {each.name!r} that is trained on as well, which tells"
        why = f"{why} {strength:.0%} of {target.name!r}: metrics are those of known ones, and new ones may do worse"
        act = "declare it as `data.group`, so that each lies on one side, or say that none is new with `leak: expected`"
        found.append(Leak("shared_entities", each.name, int(held.sum()), f"{why}; {act}"))
    return found


def _times(pipeline: Pipeline, cells: dict[str, Cells], held: Mask) -> list[Leak]:
    target, found = cells[pipeline.target], []
    times = [name for name, column in pipeline.data.columns.items() if column.type == "datetime"]
    for each in (cells[name] for name in _judged(pipeline, times) if name != pipeline.target):
        if not held.any() or held.all() or each.values[held].min() > each.values[~held].max():
            continue
        strength = among_rows.near_in_time(each, target)
        if strength < among_rows.TIME_POWER:
            continue
        why = f"rows next to each other by {each.name!r} have similar {target.name!r} ({strength:.0%} of it), and the"
        why = f"{why} split holds out rows between training rows, so metrics are better than those of a forecast"
        act = f"declare `holdout: {{by: time, column: {each.name}}}`, {_EXPECTED}"
        found.append(Leak("shared_times", each.name, int(held.sum()), f"{why}; {act}"))
    return found
