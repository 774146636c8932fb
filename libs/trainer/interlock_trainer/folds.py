"""The folds of cross-validation, each encoded once, by what its own training rows say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from interlock_modeling.signature import Targets
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from interlock_trainer.preprocessing import encoder_of, preprocessor_for
from interlock_trainer.tables import TrainingTable


@dataclass(frozen=True)
class Fold:
    """One fold: its encoded rows [n, width], those to fit first, then those to score."""

    matrix: NDArray[np.float64]
    targets: Targets
    fit_rows: int


def encoded_folds(data: TrainingTable, frame: pd.DataFrame, folds: int, seed: int) -> Iterator[Fold]:
    """Split the rows at random, by label for a classification, and encode each fold."""
    splitter = KFold if data.signature.labels is None else StratifiedKFold
    cut: Any = splitter(n_splits=folds, shuffle=True, random_state=seed)
    for fit, score in cut.split(np.zeros(len(frame)), data.targets):
        part = frame.iloc[fit]
        encoder = encoder_of(data.signature, preprocessor_for(data.signature, part).fit(part))
        order = np.concatenate((fit, score))
        matrix = encoder.encode_table(data.table.take(order))
        yield Fold(matrix, data.targets[order], len(fit))
