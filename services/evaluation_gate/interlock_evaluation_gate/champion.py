"""The champion on a holdout that was stored under a newer spec: its rows as the champion's own version reads them."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from interlock_contracts.data import Column
from interlock_modeling import Model
from interlock_modeling.encoder import CategoryColumn
from interlock_modeling.signature import Feature, ModelSignature
from interlock_tables.cells import parse_texts
from interlock_tables.typed import ARROW_TYPES


class NotComparableError(Exception):
    """The champion cannot be measured on these rows, whatever the candidate is like; the text says why."""


def as_champion_reads(holdout: pa.Table, champion: Model, candidate: ModelSignature) -> pa.Table:
    """Return the holdout with the columns of the champion's signature, cast to the types that it was trained on.

    Where the spec has given a column another type since, cells are read as the champion's version would read the file
    that they came from: the whole number 94103 as the text "94103", the text "94103" as a whole number.

    Raises:
        NotComparableError: the two do not predict the same, a column is gone, or its cells cannot be read so.
    """
    signature = champion.signature
    if (signature.task, signature.target) != (candidate.task, candidate.target):
        theirs = f"{candidate.target!r} ({candidate.task})"
        raise NotComparableError(f"it predicts {signature.target!r} ({signature.task}), the candidate {theirs}")
    if signature.labels != candidate.labels:
        raise NotComparableError(
            f"it knows the labels {_listed(signature.labels)}, the candidate {_listed(candidate.labels)}"
        )
    known = {column.name: column for column in champion.encoder.columns}
    for feature in signature.features:
        if feature.name not in holdout.column_names:
            raise NotComparableError(f"its column {feature.name!r} is gone")
        column = holdout.column(feature.name)
        if column.type != ARROW_TYPES[feature.type]:
            read = read_as(feature, column, known.get(feature.name))
            holdout = holdout.set_column(holdout.column_names.index(feature.name), feature.name, read)
    return holdout


def read_as(feature: Feature, column: Any, encoded: Any) -> Any:
    """Return the column with the feature's type.

    Raises:
        NotComparableError: the file's own spelling would be needed, and is not stored, or no such cell could be read.
    """
    stored = next(name for name, kind in ARROW_TYPES.items() if kind == column.type)
    if stored == "category":  # the texts of the file
        cells = parse_texts(feature.name, Column(type=feature.type), column.combine_chunks())
        for cause in cells.faults:
            raise NotComparableError(f"its column of type {feature.type} is now of type {stored}, and {cause.why}")
        return cells.values
    reader = _READERS.get((stored, feature.type))
    if reader is None:
        raise NotComparableError(f"its column {feature.name!r} of type {feature.type} is now of type {stored}")
    if isinstance(encoded, CategoryColumn) and any(value != _canonical(value) for value in encoded.values):
        raise NotComparableError(
            f"its column {feature.name!r} is now of type {stored}, which does not keep texts such as "
            f"{next(value for value in encoded.values if value != _canonical(value))!r}"
        )
    try:
        return reader(column)
    except pa.ArrowInvalid as error:
        raise NotComparableError(
            f"its column {feature.name!r} is now of type {stored}, with cells that are no {feature.type}: {error}"
        ) from error


def _canonical(value: str | None) -> str | None:
    """Return a text that is a whole number as an integer column would keep it: without leading zeros or sign."""
    digits = value.strip().lstrip("+-") if value is not None else ""
    return str(int(value or "")) if digits.isascii() and digits.isdigit() else value


_READERS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("integer", "number"): lambda column: column.cast(pa.float64(), safe=False),
    ("number", "integer"): lambda column: column.cast(pa.int64()),
    ("integer", "category"): lambda column: column.cast(pa.string()),
}
"""By stored and wanted type. A text from a number, a boolean or a time would need the file's own spelling."""


def _listed(labels: Any) -> str:
    return ", ".join(map(repr, labels[:8])) + (", …" if len(labels) > 8 else "") if labels else "none"  # noqa: PLR2004
