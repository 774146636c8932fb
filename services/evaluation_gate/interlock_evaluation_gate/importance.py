"""Permutation importance: how much worse the answers get when one feature's values are shuffled among the rows."""

from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.report import FeatureImportance, PermutationImportance
from interlock_modeling import METRICS, Model
from interlock_modeling.signature import decide
from numpy.typing import NDArray

REPEATS = 5
"""Shufflings of each feature: their spread tells how far its mean can be trusted."""

MOST_FEATURES = 100
"""Features that are shuffled, the first ones declared."""

MOST_ROWS, LEAST_ROWS = 500, 100
MOST_ANSWERS = 50_000
"""Rows that are answered for all features and repeats together; with many features, each is shuffled in fewer rows."""

FEWEST_ROWS = 10
"""Of fewer held-out rows nothing can be said."""


def permutation_importance(pipeline: Pipeline, model: Model, holdout: pa.Table) -> PermutationImportance | None:
    """Return the importance of each feature for the pipeline's metric, the greatest first.

    Breiman 2001, Random Forests, section 10, with repeats: the metric on held-out rows, turned so that more is better,
    minus the same with the feature shuffled. The rows are a sample and the shufflings are drawn by the training's
    seed. None where the metric is not defined on the sample, or that has too few rows.
    """
    names = [feature.name for feature in model.signature.features if feature.name in holdout.column_names]
    shown = names[:MOST_FEATURES]
    affordable = MOST_ANSWERS // (REPEATS * max(1, len(shown)))
    rows = min(holdout.num_rows, MOST_ROWS, max(LEAST_ROWS, affordable))
    if rows < FEWEST_ROWS:
        return None
    seed = pipeline.training.seed
    chosen = np.random.default_rng(seed).choice(holdout.num_rows, rows, replace=False)
    sample = holdout.take(np.sort(chosen))
    target = model.signature.targets(sample)
    (whole,) = _utilities(pipeline, model, [sample], target)
    if not np.isfinite(whole):
        return None
    found = []
    for place, name in enumerate(shown):
        random = np.random.default_rng([seed, place])
        repeats = [_shuffled(sample, name, random) for _ in range(REPEATS)]
        losses = whole - np.array(_utilities(pipeline, model, repeats, target))
        if np.isfinite(losses).all():
            found.append(
                FeatureImportance(feature=name, mean=float(losses.mean()), deviation=float(losses.std(ddof=1)))
            )
    return PermutationImportance(
        metric=pipeline.champion.metric,
        rows=rows,
        repeats=REPEATS,
        features=sorted(found, key=lambda each: -each.mean),
        omitted=len(names) - len(found),
    )


def _shuffled(table: pa.Table, name: str, random: np.random.Generator) -> pa.Table:
    place = table.column_names.index(name)
    order = random.permutation(table.num_rows)
    return table.set_column(place, table.schema.field(place), table.column(place).take(order))


def _utilities(pipeline: Pipeline, model: Model, tables: list[pa.Table], target: NDArray[Any]) -> list[float]:
    """Return the metric on each of the tables, which have the same ``target``, turned so that more is better.

    NaN where it is undefined, or an answer is not finite. All are answered at once, as a call has a price of its own.
    """
    answers = model.predict_table(pa.concat_tables(tables)).scores
    metric = METRICS[pipeline.champion.metric].at(pipeline.training.quantile)
    found = []
    for scores in np.split(answers, len(tables)):
        decided = None if model.signature.labels is None else decide(scores, model.signature.threshold)
        sound = np.isfinite(scores).all()
        found.append(float(metric.utility(metric.value(target, scores, decided))) if sound else float("nan"))
    return found
