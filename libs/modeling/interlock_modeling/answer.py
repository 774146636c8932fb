"""The body of a prediction's answer, the same for whoever waits for it and for who does not."""

from collections.abc import Sequence
from typing import Any

import msgspec

from interlock_modeling.rows import RowWarning
from interlock_modeling.signature import Label, ModelSignature, label_names

Scores = Sequence[Any]
"""Answers as numbers: one a row, or for a classification one list a row, a probability for each label."""


_BINARY = 2


class Warned(msgspec.Struct):
    """What was unusual about a row that is answered nevertheless; rows count from 0."""

    row: int
    column: str
    message: str


class PredictAnswer(msgspec.Struct, omit_defaults=True):
    """Predictions in the order of the rows, by the version named; row ``i`` is called ``<id>/<i>``.

    ``keys`` are the rows' columns of the key, where they have some.
    """

    id: str
    model: str
    version: int
    predictions: Sequence[Any]
    probabilities: list[dict[str, float]] | None = None
    warnings: list[Warned] = []
    keys: list[dict[str, Any]] = []


def keys_of(signature: ModelSignature, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the columns of the key that each row has, as they were sent; nothing where no row has any."""
    if not signature.key:
        return []
    keys = [{name: row[name] for name in signature.key if name in row} for row in rows]
    return keys if any(keys) else []


def answer(  # noqa: PLR0917 - on the hot path, where names cost
    prediction_id: str,
    model: str,
    version: int,
    labels: Sequence[Label] | None,
    scores: Scores,
    warnings: Sequence[RowWarning] = (),
    threshold: float | None = None,
) -> PredictAnswer:
    """Return the answer to one request; a classification's labels are chosen as ``signature.place_of`` does."""
    if labels is None:
        body = PredictAnswer(prediction_id, model, version, scores)
    else:
        names = label_names(labels)
        if threshold is not None:
            best = [labels[row[1] >= threshold] for row in scores]
        elif len(labels) == _BINARY:
            best = [labels[second > first] for first, second in scores]
        else:
            best = [labels[row.index(max(row))] for row in scores]
        if len(labels) == _BINARY:  # the same as below, in a third of the time
            one, other = names
            by_label = [{one: first, other: second} for first, second in scores]
        else:
            by_label = [dict(zip(names, row, strict=True)) for row in scores]
        body = PredictAnswer(prediction_id, model, version, best, by_label)
    if warnings:
        body.warnings = warned(warnings)
    return body


def warned(warnings: Sequence[RowWarning]) -> list[Warned]:
    """Return warnings as answers have them."""
    return [Warned(each.row, each.column, each.message) for each in warnings]
