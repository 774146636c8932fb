"""How well one column alone tells the target: each row is predicted from other rows alone."""

from __future__ import annotations

import numpy as np

from interlock_modeling.leaks.found import Cells, Mask, Numbers

TELLING = 0.99
"""Power from which a column is taken for the target in another form. Honest ones come near: of a flight's time in the
air, its distance tells 0.98."""

NEIGHBOURS = 2
FEWEST = 30
"""Rows below which nothing is said: chance can do anything with fewer."""

FEWEST_OF_A_KIND = 5
_FEWEST_OF_A_LABEL = 10
_MOST_LABELS = 50


def power(column: Cells, target: Cells) -> float:
    """Return how much of the target the column tells, from 0 or below (nothing) to 1 (all).

    Of a number: the coefficient of determination of its ranks, which a few far rows do not decide. Of a label: the mean
    share of each label's rows that is predicted right, 0 for the most frequent label alone. Rows are predicted from
    those of the same value; where a value is rare, from its neighbours in order.
    """
    rows = len(target.values)
    if rows < FEWEST or len(column.sizes) < 2 or len(target.sizes) < 2:  # noqa: PLR2004 - a constant tells nothing
        return 0.0
    if target.ordered:
        truth = (_ranks(target) - (rows - 1) / 2)[:, None]
        left = truth - _predicted(column, truth)
        return float(1 - (left**2).sum() / (truth**2).sum())
    if len(target.sizes) > _MOST_LABELS:
        return 0.0
    truth = np.zeros((rows, len(target.sizes)))
    truth[np.arange(rows), target.groups] = 1
    right = _predicted(column, truth).argmax(axis=1) == target.groups
    recalls = np.bincount(target.groups, weights=right) / target.sizes
    counted = recalls[target.sizes >= _FEWEST_OF_A_LABEL]
    if len(counted) < 2:  # noqa: PLR2004 - no two labels to tell apart
        return 0.0
    return float((counted.mean() - 1 / len(counted)) / (1 - 1 / len(counted)))


def parts_cleanly(column: Cells, target: Cells) -> bool:
    """Return whether values of one lie in separate stretches of the other: a grade of a score, a label by a cut.

    That is the target cut into bands by the column, or for labels the column cut into bands by the target; each value
    of what is cut off must have rows enough, so that chance does not do it.
    """
    line, bands = (target, column) if target.ordered else (column, target)
    if not line.ordered or not 2 <= len(bands.sizes) <= _MOST_LABELS:  # noqa: PLR2004 - two bands
        return False
    fewest = FEWEST_OF_A_KIND if target.ordered else _FEWEST_OF_A_LABEL
    if bands.sizes.min() < fewest or not line.present.all() or len(line.sizes) <= len(bands.sizes):
        return False
    order = np.lexsort((bands.groups, line.values))
    values, kinds = line.values[order], bands.groups[order]
    changes = kinds[1:] != kinds[:-1]
    return int(changes.sum()) == len(bands.sizes) - 1 and not bool((values[1:] == values[:-1])[changes].any())


def _ranks(cells: Cells) -> Numbers:
    """Return the mean rank of each row's value, from 0."""
    ends = np.cumsum(cells.sizes)
    return (ends - (cells.sizes + 1) / 2)[cells.groups]


def _predicted(column: Cells, truth: Numbers) -> Numbers:
    """Return a prediction of ``truth`` [rows, outputs] for each row from others: see `power`."""
    sizes, groups = column.sizes[:, None], column.groups
    sums = np.stack([np.bincount(groups, weights=each) for each in truth.T], axis=1)
    others = np.maximum(sizes[groups] - 1, 1)
    same = (sums[groups] - truth) / others
    rare: Mask = column.sizes < FEWEST_OF_A_KIND
    overall = truth.mean(axis=0)
    if not column.ordered:
        return np.where((sizes == 1)[groups], overall, same)
    near = _beside(sums / sizes)
    return np.where(rare[groups][:, None], near[groups], same)


def _beside(means: Numbers) -> Numbers:
    """Return the mean of the values on both sides of each, itself left out; [values, outputs]."""
    total, count = np.zeros_like(means), np.zeros((len(means), 1))
    for step in range(1, NEIGHBOURS + 1):
        total[step:] += means[:-step]
        count[step:] += 1
        total[:-step] += means[step:]
        count[:-step] += 1
    return total / np.maximum(count, 1)
