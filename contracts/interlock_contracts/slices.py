"""A slice of the holdout as a pipeline file declares it: the rows by one column, or by two, and what must hold."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from interlock_contracts.data import Column, Columns, Section

DEFAULT_BINS = 5
"""Quantile bins of a numeric column that has too many values to be taken one by one."""


class BiasBound(Section):
    """How far the mean of predicted minus actual may lie from zero, in the target's unit."""

    max: float = Field(gt=0)


class Slice(Section):
    """The rows by the values of one column or of each pair of values of two; what is declared must hold in each.

    ``bins`` are for numbers: how many quantile bins, or the inner edges, ascending; an edge belongs to the bin above.
    Slices of fewer than ``min_rows`` rows are listed and not judged. The deciding metric may be ``no_worse_than`` so
    much below the champion's on the same rows, in the metric's unit.
    """

    column: Annotated[Columns, Field(max_length=2)]
    bins: Annotated[int, Field(ge=2, le=20)] | Annotated[list[float], Field(min_length=1, max_length=30)] | None = None
    min_rows: int = Field(default=50, ge=1)
    no_worse_than: float | None = Field(default=None, ge=0)
    bias: BiasBound | None = None

    @property
    def name(self) -> str:
        """Return the name that reports have it under."""
        return " and ".join(self.column)

    @field_validator("bins")
    @classmethod
    def _edges_ascend(cls, value: int | list[float] | None) -> int | list[float] | None:
        if isinstance(value, list) and sorted(set(value)) != value:
            raise ValueError("edges must ascend")
        return value

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if len(set(self.column)) < len(self.column):
            raise ValueError(f"column names {self.column[0]!r} twice")
        if isinstance(self.bins, list) and len(self.column) > 1:
            raise ValueError("edges belong to one column; for two give how many bins")
        return self


def _form(value: Any) -> str:
    return "column" if isinstance(value, str) else "slice"


DeclaredSlice = Annotated[
    Annotated[str, Tag("column")] | Annotated[Slice, Tag("slice")],
    Discriminator(_form),
]
"""A column's name alone: its slices are reported, and judged by nothing."""


def check_slices(slices: Sequence[Slice], columns: Mapping[str, Column], task: str) -> None:
    """Raise ValueError where slices do not fit the pipeline's task or ``columns``, which have all of their names."""
    names = [each.name for each in slices]
    for each in slices:
        kinds = {name: columns[name].type for name in each.column}
        if names.count(each.name) > 1:
            raise ValueError(f"gate.slices has slices by {each.name!r} twice")
        if each.bins is not None and not {"number", "integer"} & set(kinds.values()):
            described = ", ".join(f"{name!r} is a {kind}" for name, kind in kinds.items())
            raise ValueError(f"gate.slices: bins belong to number and integer columns; {described}")
        if each.bias is not None and task != "regression":
            raise ValueError(f"gate.slices: a bias belongs to a regression; by {each.name!r} declare no_worse_than")
