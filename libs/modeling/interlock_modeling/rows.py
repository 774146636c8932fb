"""JSON rows as clients send them: checked cell by cell against the signature, with errors that teach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock_contracts.names import near_name
from interlock_tables.locales import read
from interlock_tables.spellings import BadCellError

from interlock_modeling.cells import Cells
from interlock_modeling.signature import Feature, ModelSignature

MAX_ERRORS = 100
"""Checking stops after this many errors: an answer must stay small."""

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
    """Return the cells by column, with warnings about numbers outside their declared range and columns left out.

    A nullable column may be null, and missing where it is optional; columns of the key and ignored ones are left aside.

    Raises:
        InvalidRowsError: a row is not an object, or has an unknown, missing or ill-typed column.
    """
    errors: list[RowError] = []
    warnings: list[RowWarning] = []
    absent: dict[str, list[int]] = {}
    cells: dict[str, list[Any]] = {feature.name: [] for feature in signature.features}
    known = {*cells, *signature.key, *signature.ignored}
    for number, row in enumerate(rows):
        if len(errors) >= MAX_ERRORS:
            break
        if not isinstance(row, Mapping):
            errors.append(RowError(number, "", f"{shown(row)} is not a row; expected an object of column: value"))
            continue
        if not row.keys() <= known:
            errors.extend(RowError(number, _plain(name), _unknown(signature, name)) for name in row.keys() - known)
        for feature in signature.features:
            try:
                cell = _cell(signature, feature, row)
            except ValueError as error:
                errors.append(RowError(number, feature.name, str(error)))
                continue
            cells[feature.name].append(cell)
            if cell is None and feature.name not in row:
                absent.setdefault(feature.name, []).append(number)
            if (feature.min is not None or feature.max is not None) and _outside(feature, cell):
                warnings.append(outside(feature, number, cell))
    if errors:
        raise InvalidRowsError(sorted(errors, key=lambda error: (error.row, error.column))[:MAX_ERRORS])
    return cells, warnings + [left_out(name, numbers) for name, numbers in absent.items()]


def _cell(signature: ModelSignature, feature: Feature, row: Mapping[str, Any]) -> Any:
    value = row.get(feature.name)
    if signature.is_null(value):
        if feature.name not in row and not (feature.nullable and feature.optional):
            raise ValueError(f"the value {missing(feature)}")
        if not feature.nullable:
            raise ValueError(f"the value is null; expected {feature.expected}")
        return None
    try:
        return read(feature.type, value, signature.locale, feature.format)
    except BadCellError as error:
        raise ValueError(f"{shown(value)} is not accepted, it {error}; expected {feature.expected}") from None


def missing(feature: Feature) -> str:
    """Return why a request without this column is refused; the message goes on after its name."""
    why = "; it never was in training: send null where it is not known" if feature.nullable else ""
    return f"is missing{why}; expected {feature.expected}"


def outside(feature: Feature, row: int, cell: float) -> RowWarning:
    """Return the warning of a number outside its declared range."""
    text = f"{shown(cell)} is outside of the declared range; expected {feature.expected}"
    return RowWarning(row, feature.name, text)


def left_out(name: str, rows: Sequence[int]) -> RowWarning:
    """Return one warning for a column that rows leave out, at the first of them."""
    others = f" here and in {len(rows) - 1} more rows" if len(rows) > 1 else ""
    return RowWarning(rows[0], name, f"the column is missing{others}; it counts as null")


def _outside(feature: Feature, cell: float | None) -> bool:
    if cell is None:
        return False
    return (feature.min is not None and cell < feature.min) or (feature.max is not None and cell > feature.max)


def _unknown(signature: ModelSignature, name: Any) -> str:
    if name == signature.target:
        return "this is what the model predicts; leave it out"
    names = [feature.name for feature in signature.features]
    close = near_name(_plain(name), names)
    if close is not None:
        return f"unknown column; did you mean {close!r}?"
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
