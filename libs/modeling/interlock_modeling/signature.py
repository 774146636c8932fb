"""Model signature: its features in order, its target, and for classification its labels."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
from interlock_contracts.data import Column
from interlock_contracts.pipeline import Pipeline, Transform
from interlock_tables.locales import Locale, TextCells
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, StrictStr

FeatureType = Literal["number", "integer", "boolean", "category", "datetime"]
Label = StrictBool | StrictInt | StrictStr
"""A class as it stands in the data: ``true``, ``1`` and ``"1"`` are three different labels."""


def label_names(labels: Sequence[Label]) -> list[str]:
    """Return labels as names of probabilities: a text as it is, others in JSON's spelling."""
    return [label if isinstance(label, str) else json.dumps(label) for label in labels]


def decide(scores: NDArray[np.float64], threshold: float | None) -> NDArray[np.int64]:
    """Return the place [n] of each row's predicted label, for probabilities [n, k].

    That is the most probable one, of equals the first; with a threshold, which is for two labels, the second from that
    probability on.
    """
    return scores.argmax(axis=1) if threshold is None else (scores[:, 1] >= threshold).astype(np.int64)


def place_of(row: Sequence[float], threshold: float | None) -> int:
    """Return the same for one row of Python's numbers."""
    return row.index(max(row)) if threshold is None else int(row[1] >= threshold)


Targets = NDArray[np.float64] | NDArray[np.int64]
"""Target values of a regression; for classification each row's place in ``ModelSignature.labels``, -1 if not there."""


class Part(BaseModel):
    """Base of all parts of a model description: an unknown field could change predictions, so it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(Part):
    """One input column; ``min``, ``max`` and ``values`` are what the pipeline declared, for texts and warnings.

    ``nullable`` says that a cell may be null, ``optional`` that then the column may be missing as well: it is declared
    so, or was null somewhere in training. Versions from before there was the difference leave all such columns out.
    ``format`` is how a datetime may be written besides ISO 8601.
    """

    name: str
    type: FeatureType
    nullable: bool
    optional: bool = True
    format: str | None = Field(default=None, exclude_if=lambda value: value is None)
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    values: list[str] | None = None

    @property
    def expected(self) -> str:
        """Return in words what a cell of this column may hold."""
        return _EXPECTED[self.type] + self._limits() + (" or null" if self.nullable else "")

    def _limits(self) -> str:
        if self.values is not None:
            shown = ", ".join(repr(value) for value in self.values[:8])
            return f", one of {shown}" + (", …" if len(self.values) > 8 else "")  # noqa: PLR2004
        if self.min is not None and self.max is not None:
            return f" from {self.min:g} to {self.max:g}"
        if self.min is not None:
            return f" of at least {self.min:g}"
        return f" of at most {self.max:g}" if self.max is not None else ""


_EXPECTED: dict[FeatureType, str] = {
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
    "category": "a text",
    "datetime": "an ISO 8601 datetime such as '2013-01-31T18:30:00Z'",
}


class ModelSignature(Part):
    """A model's input and output; the order of ``features`` is the order in which the encoder reads them.

    ``null_values`` are the texts that meant a missing cell in the CSV files of the training; None where there were none
    such, or the version is older than the field. ``key`` names the columns that tell rows apart: a request may have
    them, and gets them back. ``ignored`` are columns of the training files that are no features: a request may have
    them, and whatever they hold is dropped. ``transform`` was applied to the target that the engine was fitted
    to; answers are in the target's own unit all the same. ``threshold`` is the least probability
    at which the second of two labels is predicted; without it the most probable label is. ``decimal`` and
    ``thousands`` are how texts of numbers were written there.
    """

    task: Literal["regression", "classification"]
    target: str
    target_type: FeatureType
    features: Annotated[list[Feature], Field(min_length=1)]
    null_values: list[str] | None = None
    key: list[str] = []
    ignored: list[str] = Field(default=[], exclude_if=lambda value: not value)
    decimal: str = Field(default=".", exclude_if=lambda value: value == ".")
    thousands: str | None = Field(default=None, exclude_if=lambda value: value is None)
    transform: Transform | None = Field(default=None, exclude_if=lambda value: value is None)
    threshold: float | None = Field(default=None, gt=0, lt=1, exclude_if=lambda value: value is None)
    labels: Annotated[list[Label], Field(min_length=2)] | None = None

    @classmethod
    def of(cls, pipeline: Pipeline, table: pa.Table) -> Self:
        """Build the signature of a pipeline; a classification's labels are the distinct targets of ``table``.

        Raises:
            ValueError: a classification's table holds fewer than two distinct targets.
        """
        default = pipeline.data.rules.max_null_fraction
        return cls(
            task=pipeline.task,
            target=pipeline.target,
            target_type=pipeline.data.columns[pipeline.target].type,
            features=[_feature(name, column, default, table) for name, column in pipeline.features.items()],
            key=pipeline.data.key or [],
            ignored=pipeline.ignored,
            transform=pipeline.target_transform,
            threshold=pipeline.training.threshold_number,
            null_values=pipeline.data.csv.null_values if pipeline.data.format == "csv" else None,
            decimal=pipeline.data.csv.decimal if pipeline.data.format == "csv" else ".",
            thousands=pipeline.data.csv.thousands if pipeline.data.format == "csv" else None,
            labels=_labels(pipeline.target, table) if pipeline.task == "classification" else None,
        )

    def is_null(self, cell: Any) -> bool:
        """Return whether a cell, of JSON or of a tensor, means a missing one."""
        return cell is None or (type(cell) is str and self.null_values is not None and cell in self.null_values)

    @property
    def text_cells(self) -> TextCells:
        """What the texts of a file mean whose format has types of its own."""
        return TextCells(frozenset(self.null_values or ()), self.locale)

    @property
    def locale(self) -> Locale:
        """How a text is read as a number, in every protocol."""
        return Locale(self.decimal, self.thousands)

    def targets(self, table: pa.Table) -> Targets:
        """Return the target of each row: float64, or for classification the label's index (-1 when unknown).

        Raises:
            ValueError: a target is null, or a regression's target is not a finite number.
        """
        column = _column(table, self.target)
        if column.null_count:
            raise ValueError(f"target {self.target!r} is null in {column.null_count} of {len(column)} rows")
        if self.labels is None:
            numbers = np.asarray(column).astype(np.float64)
            if not np.isfinite(numbers).all():
                raise ValueError(f"target {self.target!r} holds values that are not finite numbers")
            return numbers
        index = {(type(label), label): position for position, label in enumerate(self.labels)}
        encoded = column.dictionary_encode()
        known = [index.get((type(value), value), -1) for value in encoded.dictionary.to_pylist()]
        rows: NDArray[np.int64] = np.asarray(known, dtype=np.int64)[np.asarray(encoded.indices)]
        return rows


def _feature(name: str, column: Column, default_null_fraction: float, table: pa.Table) -> Feature:
    null_fraction = default_null_fraction if column.max_null_fraction is None else column.max_null_fraction
    return Feature(
        name=name,
        type=column.type,
        nullable=null_fraction > 0 or column.optional,
        format=column.format,
        optional=column.optional or (name in table.column_names and table.column(name).null_count > 0),
        min=column.min,
        max=column.max,
        values=column.values,
    )


def _labels(target: str, table: pa.Table) -> list[Any]:
    labels: list[Any] = sorted(_column(table, target).drop_null().unique().to_pylist())
    if len(labels) < 2:  # noqa: PLR2004
        raise ValueError(f"target {target!r} has fewer than two distinct values ({labels}): nothing to tell apart")
    return labels


def _column(table: pa.Table, name: str) -> Any:
    """Return a column as one array.

    Raises:
        ValueError: the table has no such column.
    """
    if name not in table.column_names:
        raise ValueError(f"the table has no column {name!r}")
    return table.column(name).combine_chunks()
