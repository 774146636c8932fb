"""The encoder as nodes of a graph: one tensor [rows, 1] for each column goes in, the matrix comes out.

- number, integer, boolean: float64, NaN where a cell is missing;
- datetime: int64, microseconds since 1970 in UTC, ``MISSING_MOMENT`` where one is missing;
- category: text, the column's own ``missing_text`` where one is missing.
"""

import numpy as np
from onnx import TensorProto

from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn
from interlock_modeling.portable.graph import ML, Graph
from interlock_modeling.signature import ModelSignature

MISSING_MOMENT = int(np.iinfo(np.int64).min)

_DAY = 86_400_000_000
_DAYS_TO_1970 = 719_468
"""From 0000-03-01, where the calendar's cycles of 400 years begin that are counted here."""


def missing_text(signature: ModelSignature, column: CategoryColumn) -> str:
    """Return the text that stands for a missing cell: none that the model knows, and empty where that means missing."""
    text = "" if signature.is_null("") else "<missing>"
    while text in column.values:
        text += "<missing>"
    return text


def tensor_type(column: NumericColumn | CategoryColumn) -> int:
    """Return ONNX's type of a column's tensor."""
    if isinstance(column, CategoryColumn):
        return int(TensorProto.STRING)
    return int(TensorProto.INT64 if column.kind == "datetime" else TensorProto.DOUBLE)


def add_encoder(graph: Graph, signature: ModelSignature, encoder: Encoder) -> str:
    """Add what makes the matrix [rows, len(encoder.names)] of tensors that are named as the columns are."""
    blocks = [
        _one_hot(graph, column, missing_text(signature, column))
        if isinstance(column, CategoryColumn)
        else _scaled(graph, column)
        for column in encoder.columns
    ]
    return graph.add("Concat", *blocks, axis=1)


def _one_hot(graph: Graph, column: CategoryColumn, missing: str) -> str:
    known = {missing: column.lookup[None]} | {text: at for text, at in column.lookup.items() if text is not None}
    codes = graph.add(
        "LabelEncoder",
        column.name,
        domain=ML,
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=-1,
    )
    places = graph.integers(np.arange(len(column.values))[None, :])
    return graph.cast(graph.add("Equal", codes, places), TensorProto.DOUBLE)


def _scaled(graph: Graph, column: NumericColumn) -> str:
    fill, center, scale = np.array([[(part.fill, part.center, part.scale) for part in column.numbers]]).T[:, :, 0]
    if column.kind == "datetime":
        missing = graph.add("Equal", column.name, graph.integers(MISSING_MOMENT))
        numbers = _datetime_numbers(graph, graph.add("Where", missing, graph.integers(0), column.name))
    else:
        missing, numbers = graph.add("IsNaN", column.name), column.name
    numbers = graph.add("Where", missing, graph.numbers(fill[None, :]), numbers)
    if center.any():
        numbers = graph.add("Sub", numbers, graph.numbers(center[None, :]))
    return graph.add("Div", numbers, graph.numbers(scale[None, :])) if (scale != 1).any() else numbers


def _datetime_numbers(graph: Graph, moments: str) -> str:
    """Add what ``cells.datetime_numbers`` does; all integers are positive from the year 1 on, so division rounds down.

    The month is that of Howard Hinnant's ``civil_from_days``, "chrono-Compatible Low-Level Date Algorithms".
    """

    def divided(tensor: str, by: int) -> str:
        return graph.add("Div", tensor, graph.integers(by))

    def times(tensor: str, by: int) -> str:
        return graph.add("Mul", tensor, graph.integers(by))

    def plus(tensor: str, number: int) -> str:
        return graph.add("Add", tensor, graph.integers(number))

    shifted = plus(moments, _DAYS_TO_1970 * _DAY)
    day = divided(shifted, _DAY)
    in_day = graph.add("Sub", shifted, times(day, _DAY))
    weekday = graph.add("Mod", plus(day, (3 - _DAYS_TO_1970) % 7), graph.integers(7))

    of_era = graph.add("Sub", day, times(divided(day, 146_097), 146_097))
    leaps = graph.add(
        "Sub", divided(of_era, 36_524), graph.add("Add", divided(of_era, 1_460), divided(of_era, 146_096))
    )
    year = divided(graph.add("Add", of_era, leaps), 365)
    begun = graph.add("Sub", graph.add("Add", times(year, 365), divided(year, 4)), divided(year, 100))
    march_based = divided(plus(times(graph.add("Sub", of_era, begun), 5), 2), 153)
    month = plus(graph.add("Mod", plus(march_based, 2), graph.integers(12)), 1)

    as_numbers = [graph.cast(part, TensorProto.DOUBLE) for part in (moments, month, weekday, in_day)]
    as_numbers[0] = graph.add("Div", as_numbers[0], graph.numbers(_DAY))
    as_numbers[3] = graph.add("Div", as_numbers[3], graph.numbers(3.6e9))
    return graph.add("Concat", *as_numbers, axis=1)
