"""From cells to the float64 matrix that an engine takes; plain numbers in JSON, so it can be read and checked.

Each feature becomes one or more matrix columns, in the signature's order:

- number, integer, boolean: one column, missing values replaced by ``fill``, then ``(x - center) / scale``;
- datetime: four such columns (see ``datetime_numbers``): ``days``, ``month``, ``weekday``, ``hour``, in UTC;
- category: one 0/1 column for each of ``values``. A missing value counts as ``fill``, which may be a level of its own
  (``None``, last in ``values``). A category that is not among ``values``, never seen or too rare, gives all zeros.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, model_validator

from interlock_modeling import cells
from interlock_modeling.cells import Cells
from interlock_modeling.rows import RowWarning, left_out, outside, read_rows
from interlock_modeling.signature import Feature, ModelSignature, Part

Matrix = NDArray[np.float64]

DATETIME_PARTS = ("days", "month", "weekday", "hour")
_SHOWN = 60


class Scaled(Part):
    """What happens to the numbers of one matrix column."""

    fill: FiniteFloat
    center: FiniteFloat = 0.0
    scale: Annotated[FiniteFloat, Field(gt=0)] = 1.0


class NumericColumn(Part):
    """A feature that is read as numbers."""

    kind: Literal["number", "boolean", "datetime"]
    name: str
    numbers: list[Scaled]

    @model_validator(mode="after")
    def _as_many_as_the_kind_has(self) -> Self:
        if len(self.numbers) != (len(DATETIME_PARTS) if self.kind == "datetime" else 1):
            raise ValueError(f"a {self.kind} column does not have {len(self.numbers)} numbers")
        return self

    @property
    def names(self) -> list[str]:
        """Return the names of the matrix columns."""
        return [f"{self.name}.{part}" for part in DATETIME_PARTS] if self.kind == "datetime" else [self.name]


class CategoryColumn(Part):
    """A feature that is read as one of known texts."""

    kind: Literal["category"] = "category"
    name: str
    values: Annotated[list[str | None], Field(min_length=1)]
    fill: str | None

    @model_validator(mode="after")
    def _values_are_distinct(self) -> Self:
        if len(set(self.values)) != len(self.values) or self.fill not in self.values:
            raise ValueError("values must be distinct, and fill must be one of them")
        return self

    @property
    def names(self) -> list[str]:
        """Return the names of the matrix columns."""
        return [f"{self.name}={value}" for value in self.values]

    @cached_property
    def lookup(self) -> dict[str | None, int]:
        """Return each value's position; ``None`` stands for a missing cell."""
        positions = {value: position for position, value in enumerate(self.values)}
        return {**positions, None: positions[self.fill]}


EncoderColumn = Annotated[NumericColumn | CategoryColumn, Field(discriminator="kind")]


class Encoder(Part):
    """The preprocessing of one model; equal cells give equal numbers, whether they come as JSON rows or as a table."""

    columns: Annotated[list[EncoderColumn], Field(min_length=1)]

    @cached_property
    def names(self) -> list[str]:
        """Return the name of each matrix column, for instance ``carrier=AA`` or ``time.hour``."""
        return [name for column in self.columns for name in column.names]

    def encode_rows(self, signature: ModelSignature, rows: Sequence[Any]) -> tuple[Matrix, list[RowWarning]]:
        """Return the matrix [n, len(names)] of JSON rows, with warnings about unknown categories and odd numbers.

        Raises:
            InvalidRowsError: rows that don't fit the signature.
        """
        checked, warnings = read_rows(signature, rows)
        arrays = [_of_cells(column, checked) for column in self.columns]
        for column in self.columns:
            if isinstance(column, CategoryColumn):
                warnings += _unknown(column, enumerate(checked[column.name]))
        return self._assemble(arrays, len(rows)), warnings

    def encode_table(self, table: pa.Table) -> Matrix:
        """Return the matrix [n, len(names)] of a table with the declared types; other columns are ignored.

        Raises:
            ValueError: a column is missing.
        """
        missing = [column.name for column in self.columns if column.name not in table.column_names]
        if missing:
            raise ValueError(f"the table has no column {missing[0]!r}")
        return self._assemble([_of_table(column, table) for column in self.columns], table.num_rows)

    def encode_request(
        self, signature: ModelSignature, table: pa.Table, absent: Collection[str]
    ) -> tuple[Matrix, list[RowWarning]]:
        """Return the matrix of a request's table, with the warnings that :meth:`encode_rows` gives for its rows.

        ``absent`` names the features that the request left out; the table has nulls there.
        """
        arrays = [_of_table(column, table) for column in self.columns]
        warnings: list[RowWarning] = []
        unseen: list[RowWarning] = []
        for feature, column, array in zip(signature.features, self.columns, arrays, strict=True):
            if isinstance(column, CategoryColumn):
                places = np.flatnonzero(array == cells.UNSEEN)
                texts = table.column(column.name).take(places).to_pylist()
                unseen += _unknown(column, zip(places.tolist(), texts, strict=True))
            elif feature.min is not None or feature.max is not None:
                warnings += _outside(feature, array, table)
        warnings.sort(key=lambda each: each.row)
        left = [each.name for each in signature.features if each.name in absent and table.num_rows]
        return self._assemble(arrays, table.num_rows), [
            *warnings,
            *(left_out(name, range(table.num_rows)) for name in left),
            *unseen,
        ]

    def _assemble(self, arrays: list[NDArray[Any]], rows: int) -> Matrix:
        matrix = np.zeros((rows, len(self.names)), dtype=np.float64)
        start = 0
        for column, array in zip(self.columns, arrays, strict=True):
            width = len(column.names)
            block = matrix[:, start : start + width]
            if isinstance(column, CategoryColumn):
                known = np.flatnonzero(array != cells.UNSEEN)
                block[known, array[known]] = 1.0
            else:
                block[:] = _scaled(column, array)
            start += width
        return matrix


def _scaled(column: NumericColumn, array: NDArray[Any]) -> Matrix:
    numbers = cells.datetime_numbers(array) if column.kind == "datetime" else array[:, None]
    fill, center, scale = np.array([(part.fill, part.center, part.scale) for part in column.numbers]).T
    with np.errstate(over="ignore"):  # the largest numbers become infinite; Model refuses what isn't finite in the end
        scaled: Matrix = (np.where(np.isnan(numbers), fill, numbers) - center) / scale
    return scaled


def _of_cells(column: NumericColumn | CategoryColumn, checked: Cells) -> NDArray[Any]:
    if isinstance(column, CategoryColumn):
        return cells.codes_of_cells(checked[column.name], column.lookup)
    if column.kind == "datetime":
        return cells.datetimes_of_cells(checked[column.name])
    return cells.numbers_of_cells(checked[column.name])


def _of_table(column: NumericColumn | CategoryColumn, table: pa.Table) -> NDArray[Any]:
    array = table.column(column.name).combine_chunks()
    if isinstance(column, CategoryColumn):
        return cells.codes_of_column(array, column.lookup)
    return cells.datetimes_of_column(array) if column.kind == "datetime" else cells.numbers_of_column(array)


def _unknown(column: CategoryColumn, texts: Iterable[tuple[int, str | None]]) -> list[RowWarning]:
    """Warn about the categories of rows that have no column: never seen in training, or too rare there."""
    known = sum(value is not None for value in column.values)
    return [
        RowWarning(
            row,
            column.name,
            f"category {value[:_SHOWN]!r} is not among the {known} that the model knows; it counts as none",
        )
        for row, value in texts
        if value is not None and value not in column.lookup
    ]


def _outside(feature: Feature, numbers: NDArray[np.float64], table: pa.Table) -> list[RowWarning]:
    """Warn about numbers of a table outside their declared range."""
    low = -np.inf if feature.min is None else feature.min
    high = np.inf if feature.max is None else feature.max
    places = np.flatnonzero((numbers < low) | (numbers > high))  # neither is true of NaN
    found: list[Any] = table.column(feature.name).take(places).to_pylist()
    return [outside(feature, row, cell) for row, cell in zip(places.tolist(), found, strict=True)]
