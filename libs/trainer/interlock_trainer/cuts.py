"""Which rows each fold fits and which it scores: cut as the holdout is, so that a search asks what the gate will ask.

Rows that the holdout keeps together, those of one group or key, lie on one side of every fold. Under ``by: time`` each
fold fits rows that are strictly older than those it scores. Without either, rows are dealt out at random.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.signature import Targets
from interlock_modeling.split import row_hashes
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from interlock_trainer.errors import DataError

Rows = NDArray[np.int64]
Cut = tuple[Rows, Rows]
"""The rows to fit and the rows to score, each in ascending order of their place, or of their time."""

MOST_STRATIFIED = 5_000
"""Groups that are dealt out by label one by one, about 0.1 ms each; of more, chance alone gives each fold its share."""


@dataclass(frozen=True)
class Belonging:
    """What the split knows of each row: its group [n], or when it happened [n], in microseconds since 1970.

    ``word`` is the part of the pipeline file that says so. ``groups`` is None where each row is one of its own.
    """

    groups: NDArray[np.uint64] | None = None
    times: NDArray[np.int64] | None = None
    word: str = ""

    @classmethod
    def of(cls, pipeline: Pipeline, table: pa.Table) -> "Belonging":
        """Return that of the rows of a table.

        Raises:
            DataError: a row has no time.
        """
        newest = pipeline.data.holdout_column
        if newest is not None:
            if nulls := table.column(newest).null_count:
                raise DataError(f"{newest!r} decides who is newest (data.holdout), and is missing in {nulls} rows")
            times = np.asarray(table.column(newest).combine_chunks().cast(pa.int64()))
            return cls(times=times, word=f"data.holdout.by: time ({newest})")
        names = pipeline.data.side_columns
        if names is None:
            return cls()
        groups = row_hashes({name: table.column(name).combine_chunks() for name in names})
        shared = len(np.unique(groups)) < len(groups)
        word = pipeline.data.identifying[names[0]]
        return cls(groups=groups if shared else None, word=f"data.{word} ({', '.join(names)})")


def columns_of(pipeline: Pipeline) -> list[str]:
    """Return the columns that ``Belonging.of`` reads."""
    newest = pipeline.data.holdout_column
    return [newest] if newest is not None else pipeline.data.side_columns or []


def cuts(belonging: Belonging, targets: Targets, labels: int, folds: int, seed: int) -> list[Cut]:
    """Return the rows of each fold; ``labels`` is how many a classification has, 0 for a regression.

    Raises:
        DataError: the groups or times are too few for the folds, or a fold lacks a label.
    """
    if belonging.times is not None:
        made = _by_time(belonging, targets, labels, folds)
    elif belonging.groups is not None:
        made = _by_group(belonging, targets, labels, folds, seed)
    else:
        splitter: Any = StratifiedKFold if labels else KFold
        plain = splitter(n_splits=folds, shuffle=True, random_state=seed)
        return list(plain.split(np.zeros(len(targets)), targets))
    _check_labels(belonging, targets, labels, made)
    return made


def _by_group(belonging: Belonging, targets: Targets, labels: int, folds: int, seed: int) -> list[Cut]:
    groups: Any = belonging.groups
    count = len(np.unique(groups))
    if count < folds:
        advice = f"declare training.folds: {count}" if count > 1 else "at least 2 are needed"
        raise DataError(
            f"the training rows have {count} groups by {belonging.word}, too few for {folds} folds, each of which "
            f"needs one of its own. Collect more, or {advice}; data.group says which rows belong together"
        )
    splitter: Any = StratifiedGroupKFold if labels and count <= MOST_STRATIFIED else GroupKFold
    cut = splitter(n_splits=folds, shuffle=True, random_state=seed)
    return list(cut.split(np.zeros(len(targets)), targets, groups))


def _by_time(belonging: Belonging, targets: Targets, labels: int, folds: int) -> list[Cut]:
    """Cut the newer rows into blocks of about equal size; each is scored by a fit on all rows that are older.

    These are scikit-learn's ``TimeSeriesSplit``, but that rows of one moment lie in one block, and that the first fit
    knows every label.
    """
    times: Any = belonging.times
    order = np.argsort(times, kind="stable")
    ordered, know = times[order], _rows_to_know(targets[order], labels)
    moments = np.flatnonzero(np.concatenate(([False], ordered[1:] > ordered[:-1])))
    moments = moments[moments >= know]
    if len(moments) < folds:
        after = " after every label has occurred" if labels else ""
        raise DataError(
            f"the training rows have too few different times by {belonging.word}{after}: {folds} folds by time need "
            f"{folds + 1}, each fitted on what is older than it scores. Collect more, or declare fewer folds"
        )
    oldest = max(len(order) - folds * (len(order) // (folds + 1)), know)
    ideal = np.linspace(oldest, len(order), folds, endpoint=False)
    places = np.arange(folds)
    nearest = np.searchsorted(moments, ideal)
    rising = np.maximum.accumulate(nearest - places) + places
    starts = moments[np.minimum(rising, len(moments) - folds + places)]
    ends = [*starts[1:], len(order)]
    return [(order[:start], order[start:end]) for start, end in zip(starts, ends, strict=True)]


def _rows_to_know(ordered: Targets, labels: int) -> int:
    """Return how many of the oldest rows have every label once."""
    if not labels:
        return 1
    _, first = np.unique(ordered, return_index=True)
    return int(first.max()) + 1


def _check_labels(belonging: Belonging, targets: Targets, labels: int, made: list[Cut]) -> None:
    """Refuse folds that cannot learn every label, or that score one label only."""
    for fit, score in made if labels else ():
        if len(np.unique(targets[fit])) < labels or len(np.unique(targets[score])) < 2:  # noqa: PLR2004
            raise DataError(
                f"the labels lie in too few groups or times by {belonging.word} for {len(made)} folds: each must learn "
                "every label and score two. Collect more, declare fewer training.folds, or training.rare_labels: "
                "set_aside; data.group says which rows belong together"
            )


def units_of(belonging: Belonging, rows: int) -> NDArray[Any]:
    """Return for each row the number of what a fold takes as a whole: its group, or the row itself."""
    return np.arange(rows) if belonging.groups is None else belonging.groups
