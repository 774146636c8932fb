"""The target column: which one it is, by which task it is predicted, and which columns leak it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interlock_cli.init.facts import Facts
from interlock_cli.terminal import CommandError

Task = Literal["regression", "classification"]

_NAMES = (
    *("target", "label", "labels", "class", "outcome", "response", "churn", "churned", "survived", "default"),
    *("price", "saleprice", "sale_price", "sales", "income", "salary", "score", "quality", "diagnosis", "species"),
    *("medv", "cnt", "demand", "exited", "fraud", "is_fraud", "attrition", "revenue", "y"),
)
"""What targets are called, the surest first."""

_FEW_CLASSES = 10
_ROWS_PER_CLASS = 20
_MANY_CLASSES = 100
_BINS = 100
_ROWS_PER_BIN = 20
_GIVEN_AWAY = 0.99


def likely_target(facts: dict[str, Facts]) -> tuple[str, str] | None:
    """Return the column that is most likely the target, and why; None where no column could be."""
    possible = [name for name, each in facts.items() if why_no_target(each) is None and each.left_out is None]
    by_name = {name.strip().lower(): name for name in reversed(possible)}
    for known in _NAMES:
        if known in by_name:
            return by_name[known], "a guess by its name"
    return (possible[-1], "a guess: the last column that could be one") if possible else None


def named_target(facts: dict[str, Facts], name: str) -> Facts:
    """Return the column that the user names.

    Raises:
        CommandError: there is none of this name, or it cannot be predicted.
    """
    if name not in facts:
        near = difflib.get_close_matches(name, facts, n=1, cutoff=0.6)
        hint = f"perhaps {near[0]!r}" if near else f"the columns are {', '.join(facts)}"
        raise CommandError(f"no column is called {name!r}", hint=hint)
    why = why_no_target(facts[name])
    if why is not None:
        raise CommandError(f"{name!r} cannot be the target: {why}")
    return facts[name]


def why_no_target(facts: Facts) -> str | None:
    """Return why a column cannot be predicted, or None."""
    if facts.kind is None:
        return facts.left_out
    if facts.kind == "datetime":
        return "it is a datetime; a number of days, for instance, could be one"
    if facts.distinct < 2:  # noqa: PLR2004
        return "all rows have the same value" if facts.distinct else "no row has a value"
    if facts.kind == "category" and facts.distinct > max(_FEW_CLASSES, (len(facts.cells) - facts.nulls) / 2):
        return "; ".join([f"it has {facts.distinct:,} different texts, hardly one twice", *facts.hints])
    return None


def task_of(target: Facts, rows: int) -> tuple[Task, str]:
    """Return the task that fits the target, and why."""
    if target.kind in ("category", "boolean"):
        many = ": are these really classes" if target.distinct > _MANY_CLASSES else ""
        return "classification", f"{target.distinct:,} labels{many}"
    what = f"{target.distinct:,} different {'whole numbers' if target.kind == 'integer' else 'numbers'}"
    few = target.distinct <= min(_FEW_CLASSES, rows // _ROWS_PER_CLASS)
    if target.kind == "integer" and few:
        other = "" if target.distinct == 2 else "; regression, if their distance counts"  # noqa: PLR2004
        return "classification", what + other
    return "regression", what


def leaks(target: Facts, task: Task, others: Iterable[Facts], rows: int) -> dict[str, str]:
    """Return the columns that predict the target nearly alone (leaks), each with how well."""
    truth = _codes(target.cells) if task == "classification" else _numbers(target.cells)
    known = ~np.isnan(truth)
    found = {}
    for each in others:
        groups = _groups(each, rows)
        if groups is None:
            continue
        both = known & (groups >= 0)
        if both.sum() < rows / 2:
            continue
        share = (_explained_labels if task == "classification" else _explained_variance)(groups[both], truth[both])
        if share >= _GIVEN_AWAY:
            found[each.name] = f"a leak? It tells {target.name!r} by itself ({share:.1%}): is it known beforehand?"
    return found


def _numbers(cells: pa.Array[Any]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _codes(cells: pa.Array[Any]) -> NDArray[np.float64]:
    return _numbers(cells.dictionary_encode().indices)


def _groups(facts: Facts, rows: int) -> NDArray[np.int64] | None:
    """Return rows that are alike in the column: by value where values are few, else by quantile; -1 for a null."""
    if facts.kind is None or facts.distinct < 2:  # noqa: PLR2004
        return None
    most = min(_BINS, rows // _ROWS_PER_BIN)
    if facts.distinct <= most:
        codes = _codes(facts.cells)
    elif facts.kind in ("category", "boolean") or most < 2:  # noqa: PLR2004
        return None
    else:
        values = _numbers(facts.cells.cast(pa.int64()) if facts.kind == "datetime" else facts.cells)
        edges = np.quantile(values[~np.isnan(values)], np.linspace(0, 1, most + 1)[1:-1])
        codes = np.where(np.isnan(values), np.nan, np.searchsorted(edges, values))
    return np.where(np.isnan(codes), -1, codes).astype(np.int64)


def _explained_variance(groups: NDArray[np.int64], truth: NDArray[np.float64]) -> float:
    """Return the share of the variance between the groups, less what as many groups of noise would have."""
    total = float(((truth - truth.mean()) ** 2).sum())
    if not total:
        return 0.0
    counts = np.bincount(groups)
    means = np.bincount(groups, truth) / np.maximum(counts, 1)
    within = float(((truth - means[groups]) ** 2).sum())
    freedom = max(1, len(truth) - int((counts > 0).sum()))
    return 1 - within / total * (len(truth) - 1) / freedom


def _explained_labels(groups: NDArray[np.int64], truth: NDArray[np.float64]) -> float:
    """Return the share of the rows with another than the commonest label that the group's commonest gets right."""
    labels = truth.astype(np.int64)
    table = np.zeros((groups.max() + 1, labels.max() + 1), dtype=np.int64)
    np.add.at(table, (groups, labels), 1)
    wrong, base = len(labels) - int(table.max(axis=1).sum()), len(labels) - int(table.sum(axis=0).max())
    return 1 - wrong / base if base else 0.0
