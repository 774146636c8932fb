"""Targets that a few columns give exactly: sums, differences, products and ratios, and labels by comparing two."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from interlock_modeling.leaks.found import Cells, Numbers
from interlock_modeling.leaks.power import FEWEST, parts_cleanly

_ROWS = 2000
_MOST_COLUMNS = 100
_MOST_COMPARED = 12
_MOST_NAMED = 6
_EXACT = 1e-3
"""Share of the target's own spread that is left where a formula gives it: cells are rounded."""

_NEARLY_ALL = 0.99


def exact_columns(columns: list[Cells], target: Cells) -> list[str]:
    """Return the columns that together give the target exactly, two or more; none where no formula was found."""
    numbers = [each for each in columns if each.ordered and each.distinct > 2 and each.present.all()]  # noqa: PLR2004
    if len(numbers) < 2 or len(target.values) < FEWEST:  # noqa: PLR2004 - one alone has been looked at
        return []
    if not target.ordered:
        return _compared(numbers, target)
    some = slice(None, None, max(1, len(target.values) // _ROWS))
    numbers = numbers[: min(_MOST_COLUMNS, len(target.values[some]) // 6)]
    table, truth = np.stack([each.values[some] for each in numbers], axis=1), target.values[some]
    kept = _linear(table, truth)
    positive = (table > 0).all(axis=0)
    if not kept and (truth > 0).all() and positive.sum() > 1:
        kept = np.flatnonzero(positive)[_linear(np.log(table[:, positive]), np.log(truth))].tolist()
    return [numbers[each].name for each in kept]


def _linear(table: Numbers, truth: Numbers) -> list[int]:
    """Return the columns [rows, columns] of which the truth is a sum with weights; those it does without are left out.

    Every second row is for finding the weights and the others for judging them, so that many columns cannot learn
    few rows by heart.
    """
    spread = table.std(axis=0)
    usable = np.flatnonzero((spread > 0) & np.isfinite(spread)).tolist()
    with np.errstate(all="ignore"):
        scaled = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1)
    if len(usable) < 2 or not np.isfinite(truth.std()) or not _gives(scaled[:, usable], truth):  # noqa: PLR2004
        return []
    weights = np.linalg.lstsq(scaled[:, usable], truth - truth.mean(), rcond=None)[0]
    kept = usable
    for column in [usable[each] for each in np.argsort(np.abs(weights))]:
        fewer = [each for each in kept if each != column]
        if fewer and _gives(scaled[:, fewer], truth):
            kept = fewer
    return sorted(kept) if 2 <= len(kept) <= _MOST_NAMED else []  # noqa: PLR2004


def _gives(table: Numbers, truth: Numbers) -> bool:
    design = np.column_stack((table, np.ones(len(truth))))
    weights = np.linalg.lstsq(design[::2], truth[::2], rcond=None)[0]
    off = np.abs(truth[1::2] - design[1::2] @ weights)
    low, high = np.quantile(truth, (0.25, 0.75))
    spread = high - low or truth.std()
    return bool(np.mean(off <= _EXACT * spread) >= _NEARLY_ALL)


def _compared(numbers: list[Cells], target: Cells) -> list[str]:
    for one, other in combinations(numbers[:_MOST_COMPARED], 2):
        for values in (one.values - other.values, one.values + other.values):
            together = Cells("", values, ordered=True, groups=target.groups, sizes=np.arange(len(values)))
            if parts_cleanly(together, target):
                return [one.name, other.name]
    return []
