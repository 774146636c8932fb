"""The folds of cross-validation, each with an encoder fitted on its own training rows only."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from interlock_modeling.encoder import Encoder
from interlock_modeling.signature import Targets
from numpy.typing import NDArray

from interlock_trainer.cuts import cuts
from interlock_trainer.preprocessing import directions, encoder_of, preprocessor_for
from interlock_trainer.tables import TrainingTable
from interlock_trainer.weights import Weights


@dataclass(frozen=True)
class Fold:
    """One fold: the rows to fit, those to score, and the encoder fitted on the former."""

    encoder: Encoder
    fit: NDArray[np.int64]
    score: NDArray[np.int64]


@dataclass(frozen=True)
class EncodedFold:
    """One fold's numbers, ready for an estimator."""

    fit_matrix: NDArray[np.float64]
    fit_targets: Targets
    fit_weights: NDArray[np.float64] | None
    directions: list[int]
    score_matrix: NDArray[np.float64]
    score_targets: Targets


@dataclass(frozen=True)
class Folds:
    """The rows and all folds; small enough to be shared whole, since one-hot columns are made where they are used."""

    table: pa.Table
    targets: Targets
    weights: Weights
    monotone: dict[str, int]
    folds: list[Fold]

    def encoded(self, fold: int) -> EncodedFold:
        """Return one fold's numbers; takes some ten milliseconds for 50,000 rows."""
        part = self.folds[fold]
        return EncodedFold(
            part.encoder.encode_table(self.table.take(part.fit)),
            self.targets[part.fit],
            self.weights.of(self.targets[part.fit], part.fit),
            directions(part.encoder, self.monotone),
            part.encoder.encode_table(self.table.take(part.score)),
            self.targets[part.score],
        )


def make_folds(data: TrainingTable, frame: pd.DataFrame, folds: int, seed: int) -> Folds:
    """Cut the rows as the holdout was cut, by label for a classification, and fit an encoder for each fold.

    Raises:
        DataError: the rows cannot be cut into so many folds.
    """
    made = []
    for fit, score in cuts(data.belonging, data.targets, len(data.signature.labels or ()), folds, seed):
        part = frame.iloc[fit]
        made.append(Fold(encoder_of(data.signature, preprocessor_for(data.signature, part).fit(part)), fit, score))
    return Folds(data.table, data.targets, data.weights, data.monotone, made)
