"""JSON rows as clients send them: checked cell by cell against the signature, with errors that teach."""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from interlock_modeling.cells import Cells
from interlock_modeling.signature import Feature, FeatureType, ModelSignature

MAX_ERRORS = 100
"""Checking stops after this many errors: nobody reads more, and an answer must stay small."""

_INT64 = 2**63
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row is refused; ``column`` is empty when the row as a whole is at fault. Rows count from 0."""

    row: int
    column: str
    message: str

    @property
    def place(self) -> str:
        """Return in words where the fault is."""
        return f"row {self.row}, column {self.column!r}" if self.column else f"row {self.row}"


@dataclass(frozen=True, slots=True)
class RowWarning:
    """What is unusual about a row that was accepted nevertheless. Rows count from 0."""

    row: int
    column: str
    message: str


class InvalidRowsError(ValueError):
    """Rows that don't fit the signature; ``errors`` has at most ``MAX_ERRORS`` entries."""

    def __init__(self, errors: list[RowError]) -> None:
        self.errors = errors
        first = errors[0]
        super().__init__(f"row {first.row}, column {first.column!r}: {first.message}")


def read_rows(signature: ModelSignature, rows: Sequence[Any]) -> tuple[Cells, list[RowWarning]]:
    """Return the cells by column, and a warning for each number outside its declared range.

    A nullable column may be missing or null. Datetimes without an offset count as UTC.

    Raises:
        InvalidRowsError: a row is not an object, or has an unknown, missing or ill-typed column.
    """
    errors: list[RowError] = []
    warnings: list[RowWarning] = []
    cells: dict[str, list[Any]] = {feature.name: [] for feature in signature.features}
    for number, row in enumerate(rows):
        if len(errors) >= MAX_ERRORS:
            break
        if not isinstance(row, Mapping):
            errors.append(RowError(number, "", f"{shown(row)} is not a row; expected an object of column: value"))
            continue
        if not row.keys() <= cells.keys():
            errors.extend(RowError(number, _plain(name), _unknown(signature, name)) for name in row.keys() - cells)
        for feature in signature.features:
            try:
                cell = _cell(feature, row)
            except ValueError as error:
                errors.append(RowError(number, feature.name, str(error)))
                continue
            cells[feature.name].append(cell)
            if (feature.min is not None or feature.max is not None) and _outside(feature, cell):
                text = f"{shown(cell)} is outside of the declared range; expected {feature.expected}"
                warnings.append(RowWarning(number, feature.name, text))
    if errors:
        raise InvalidRowsError(sorted(errors, key=lambda error: (error.row, error.column))[:MAX_ERRORS])
    return cells, warnings


def _cell(feature: Feature, row: Mapping[str, Any]) -> Any:
    value = row.get(feature.name)
    if value is None:
        if feature.nullable:
            return None
        state = "null" if feature.name in row else "missing"
        raise ValueError(f"the value is {state}; expected {feature.expected}")
    return _PARSERS[feature.type](value, feature)


def _refuse(value: Any, feature: Feature) -> ValueError:
    return ValueError(f"{shown(value)} is not accepted; expected {feature.expected}")


def _number(value: Any, feature: Feature) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(value, feature)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("the number is too large for a 64-bit float") from None
    if not math.isfinite(number):
        raise _refuse(value, feature)
    return number


def _integer(value: Any, feature: Feature) -> float:
    number = _number(value, feature)
    if not number.is_integer():
        raise _refuse(value, feature)
    if not -_INT64 <= value < _INT64:
        raise ValueError(f"{shown(value)} does not fit into 64 bits")
    return number


def _boolean(value: Any, feature: Feature) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, feature)
    return value


def _text(value: Any, feature: Feature) -> str:
    if not isinstance(value, str):
        raise _refuse(value, feature)
    return value


def _datetime(value: Any, feature: Feature) -> datetime:
    if not isinstance(value, str):
        raise _refuse(value, feature)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _refuse(value, feature) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_PARSERS: dict[FeatureType, Callable[[Any, Feature], Any]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "category": _text,
    "datetime": _datetime,
}


def _outside(feature: Feature, cell: float | None) -> bool:
    if cell is None:
        return False
    return (feature.min is not None and cell < feature.min) or (feature.max is not None and cell > feature.max)


def _unknown(signature: ModelSignature, name: Any) -> str:
    if name == signature.target:
        return "this is what the model predicts; leave it out"
    names = [feature.name for feature in signature.features]
    close = difflib.get_close_matches(_plain(name), names, n=1)
    if close:
        return f"unknown column; did you mean {close[0]!r}?"
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")  # noqa: PLR2004
    return f"unknown column; the model takes {shown}"


def _plain(name: Any) -> str:
    """Return a client's column name fit for an answer: short, and without what JSON text can't carry."""
    return str(name)[:_SHOWN].encode("utf-8", "replace").decode()


def shown(value: Any) -> str:
    """Return a client's value fit for an answer: short, and a word for what has no text."""
    try:
        text = repr(value)
    except ValueError:  # an int of more than 4,300 digits has no text
        text = "a very long number"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
