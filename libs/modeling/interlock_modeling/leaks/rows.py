"""Rows that know each other across the split: numbers of rows, copies, entities, and neighbours in time."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from interlock_modeling.leaks.found import Cells, Mask
from interlock_modeling.leaks.power import FEWEST, power

COPIES = 0.05
"""Share of the held-out rows with a copy among the training rows from which it is said."""

ENTITY_POWER = 0.3
TIME_POWER = 0.5
_CALLED_ID = re.compile(
    r"(^|[_\s\-.])(id|ids|uuid|guid|key|index|idx|rowid|row|no|nr|number)$|[a-z](Id|ID|Uuid)$|^id([_\s\-.]|$)",
)
_CALLED_THING = re.compile(
    r"(^|[_\s\-.])(account|client|customer|device|driver|employee|entity|household|machine|member|patient|person|"
    r"player|seller|sensor|session|student|subject|supplier|user|vehicle)$",
)
_SURELY = 9.0
"""Chance would give equal cells but for e^-9, 1 in 8,000."""

_FEWEST_COPIES = 3
_CELLS_OF_A_SPREAD = 1000
_PAIRS_BY_CHANCE = 0.002


def is_row_id(column: Cells) -> bool:
    """Return whether the column names or numbers rows: another value in each, where chance would repeat some.

    ``column`` is in the order of the file.
    """
    here = column.values[column.present]
    if len(here) < FEWEST or column.distinct < len(here) or len(here) < len(column.values) / 2:
        return False
    if not column.ordered:
        return True
    if not column.whole:
        return False
    if counts_up(column):
        return True
    width = here.max() - here.min() + 1
    return called_id(column.name) or bool(len(here) ** 2 / (2 * width) > _SURELY)


def counts_up(column: Cells) -> bool:
    """Return whether each number is greater, or each smaller, than that of the row before."""
    steps = np.diff(column.values[column.present])
    return column.ordered and bool((steps > 0).all() or (steps < 0).all())


def called_id(name: str) -> bool:
    """Return whether the name says that it identifies something."""
    return _CALLED_ID.search(name if any(letter.islower() for letter in name) else name.lower()) is not None


def row_codes(columns: list[Cells]) -> NDArray[np.int64]:
    """Return a number for each row, equal where all cells are; numbers within 1/1000 of their spread count as equal."""
    codes = np.zeros(len(columns[0].values) if columns else 0, dtype=np.int64)
    for column in columns:
        codes = np.unique(codes * (len(column.values) + 1) + _rounded(column), return_inverse=True)[1].reshape(-1)
    return codes


def copies(columns: list[Cells], held: Mask, total: int) -> tuple[float, Mask]:
    """Return the share of the held-out rows that have a copy among the training rows, and which rows are no repeats.

    ``total`` is how many rows the file has, of which these are a sample. Rows of few or coarse columns are equal by
    nature, and mean nothing: the richest columns must tell rows apart by themselves, and where they do not, so must no
    other.
    """
    rows = len(held)
    alone = np.ones(rows, dtype=np.bool_)
    ordered = sorted(columns, key=_chance_of_equals)
    chance, told = 1.0, 0
    while told < len(ordered) and chance * total / 2 > _PAIRS_BY_CHANCE:
        chance *= _chance_of_equals(ordered[told])
        told += 1
    if rows < FEWEST or chance * total / 2 > _PAIRS_BY_CHANCE or told >= len(ordered):
        return 0.0, alone
    rich, whole = row_codes(ordered[:told]), row_codes(ordered)
    if _pairs(whole) < _pairs(rich) / 2 or not _pairs(whole):
        return 0.0, alone
    trained = np.zeros(whole.max() + 1, dtype=np.bool_)
    trained[whole[~held]] = True
    known = int(trained[whole[held]].sum())
    share = known / held.sum() if known >= _FEWEST_COPIES else 0.0
    alone[:] = False
    alone[np.unique(whole, return_index=True)[1]] = True
    return min(1.0, float(share) * total / rows), alone


def shared(column: Cells, held: Mask) -> float:
    """Return the share of the held-out rows whose value of the column training rows have as well."""
    trained = np.zeros(len(column.sizes), dtype=np.bool_)
    trained[column.groups[~held]] = True
    here = held & column.present
    return float(trained[column.groups[here]].mean()) if here.any() else 0.0


def is_entity(column: Cells, others: list[Cells]) -> bool:
    """Return whether the column names things that have several rows each: by its name, or by what it settles.

    What it settles are three other rich columns: a thing's own data do not change from row to row.
    """
    each = len(column.values) / max(1, column.distinct)
    if column.distinct < 10 or each < 2 or (column.ordered and not column.whole):  # noqa: PLR2004
        return False
    if called_id(column.name) or _CALLED_THING.search(column.name.lower()) is not None:
        return True
    rich = [other for other in others if 10 <= other.distinct <= column.distinct and other is not column]  # noqa: PLR2004
    return sum(_settles(column, other) for other in rich) >= 3  # noqa: PLR2004


def near_in_time(column: Cells, target: Cells) -> float:
    """Return how well the target's neighbours in time tell it, from 0 or below to 1; 0 where times are coarse."""
    if column.distinct < len(column.values) / 10 or not column.present.all():
        return 0.0
    return power(column, target)


def _settles(column: Cells, other: Cells) -> bool:
    pairs = len(np.unique(column.groups * (len(other.sizes) + 1) + other.groups))
    return pairs == len(column.sizes)


def _chance_of_equals(column: Cells) -> float:
    """Return the probability that two rows have equal cells, as far as the column itself tells."""
    sizes = np.bincount(_rounded(column)).astype(np.float64)
    rows = sizes.sum()
    pairs = float((sizes * (sizes - 1)).sum() / (rows * (rows - 1))) if rows > 1 else 1.0
    least = 1 / (2 * _CELLS_OF_A_SPREAD) if column.ordered else 1 / rows**2
    return max(pairs, float(least))


def _rounded(column: Cells) -> NDArray[np.int64]:
    if not column.ordered or column.whole:
        return column.groups
    here = column.values[column.present]
    low, high = np.quantile(here, (0.25, 0.75)) if len(here) else (0.0, 0.0)
    step = (high - low) / _CELLS_OF_A_SPREAD
    if not np.isfinite(step) or step <= 0:
        return column.groups
    with np.errstate(all="ignore"):
        cells = np.round(column.values / step)
    return np.unique(cells, return_inverse=True)[1].reshape(-1)


def _pairs(codes: NDArray[np.int64]) -> float:
    sizes = np.bincount(codes).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)
