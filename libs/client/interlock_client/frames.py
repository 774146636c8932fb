"""Rows of pandas and polars frames as JSON has them, and frames of predictions."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar, runtime_checkable

Row = Mapping[str, Any]


@runtime_checkable
class Frame(Protocol):
    """A ``pandas.DataFrame`` or a ``polars.DataFrame``; neither is imported before a caller brings one."""

    @property
    def columns(self) -> Any:
        """Return the names of its columns."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many rows and columns it has."""


F = TypeVar("F", bound=Frame)


def is_polars(frame: Frame) -> bool:
    """Return whether it is a polars frame, and not pandas'.

    Raises:
        TypeError: it is neither.
    """
    library = type(frame).__module__.partition(".")[0]
    if library not in ("pandas", "polars"):
        raise TypeError(f"{type(frame).__name__} is not a frame of pandas or polars, and no list of rows")
    return library == "polars"


def cells(name: str, values: Any) -> list[Any]:
    """Return values as JSON can hold them: of a list, a series or an array; ``name`` is theirs in errors.

    Raises:
        ValueError: a number is infinite.
        TypeError: a value has no form in JSON, such as bytes or a duration.
    """
    if hasattr(values, "isna"):  # a series of pandas, whose marks of what is missing are its own
        values = [None if gone else value for value, gone in zip(values.astype(object), values.isna(), strict=True)]
    return [_cell(name, value) for value in values]


def rows_of(frame: Frame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON can hold them; the index of pandas is left out.

    Everything that pandas or polars calls missing is None; dates and times are ISO 8601 texts.

    Raises:
        ValueError: two columns have the same name, or a number is infinite.
        TypeError: a cell has no form in JSON, such as bytes or a duration.
    """
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise ValueError(f"the frame has the column {next(each for each in names if names.count(each) > 1)!r} twice")
    columns = [cells(name, _column(frame, place)) for place, name in enumerate(names)]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _column(frame: Any, place: int) -> Any:
    return frame.to_series(place) if is_polars(frame) else frame.iloc[:, place]


def _cell(column: str, value: Any) -> Any:
    """Return a value as JSON has it; a scalar of numpy first as Python's."""
    value = value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        if math.isnan(value):
            return None
        raise ValueError(f"column {column!r} has an infinite number")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"column {column!r} has a {type(value).__name__}, which is no number, text, boolean or time")


def like(frame: F, columns: Mapping[str, Iterable[Any]]) -> F:
    """Return a frame of these columns: of the library of ``frame``, and with its index."""
    if is_polars(frame):
        import polars as pl  # noqa: PLC0415 - whoever has a polars frame has polars

        made: Any = pl.DataFrame({name: list(values) for name, values in columns.items()}, strict=False)
    else:
        import pandas as pd  # noqa: PLC0415 - likewise

        index = getattr(frame, "index")  # noqa: B009 - pandas' alone
        made = pd.DataFrame({name: list(values) for name, values in columns.items()}, index=index)
    return made  # type: ignore[no-any-return]
