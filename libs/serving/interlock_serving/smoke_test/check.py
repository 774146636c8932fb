"""The smoke test itself: what a model must answer before it may serve, soundly, alone and together alike."""

from itertools import chain, count

import numpy as np
from interlock_modeling import Model, ModelFormatError
from interlock_modeling.signature import Feature, ModelSignature

_A_VALUE = {"number": 0.0, "integer": 0, "boolean": False, "datetime": "2020-01-01T00:00:00Z"}
_CLOSE = 1e-5


def check(model: Model) -> None:
    """Ask ``model`` ordinary rows; that also warms it up.

    Raises:
        InvalidRowsError: it gives no finite answer.
        ModelFormatError: its probabilities are none, or a row's answer depends on what is asked with it.
    """
    rows = sample_rows(model.signature)
    together = model.predict_rows(rows)
    if (odds := together.probabilities) is not None and not (
        (odds >= 0).all() and np.allclose(odds.sum(axis=1), 1.0, atol=_CLOSE)
    ):
        raise ModelFormatError("its probabilities are not between 0 and 1, or do not add up to 1")
    for number, row in enumerate(rows):
        if not np.allclose(model.predict_rows([row]).scores[0], together.scores[number], rtol=_CLOSE, atol=1e-9):
            raise ModelFormatError("a row alone is answered otherwise than the same row among others")


def sample_rows(signature: ModelSignature) -> list[dict[str, object]]:
    """Return ordinary rows: one with a value in every column, one with null where that may be."""
    full = {feature.name: _value(signature, feature) for feature in signature.features}
    sparse = {feature.name: None if feature.nullable else full[feature.name] for feature in signature.features}
    return [full, sparse]


def _value(signature: ModelSignature, feature: Feature) -> object:
    if feature.type == "category":
        return _text(signature, feature.values or [])
    bound = feature.min if feature.min is not None else feature.max
    if bound is None:
        return _A_VALUE[feature.type]
    return int(bound) if feature.type == "integer" else bound


def _text(signature: ModelSignature, values: list[str]) -> str:
    """Return a category, one of ``values`` if there are any, that is no word for a missing cell."""
    unknown = ("a" * length for length in count(1))
    return next(text for text in chain(values, unknown) if not signature.is_null(text))
