"""Tables made up for the search for leaks: columns of numpy, what is declared of them, and whether one leaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]


@dataclass
class Made:
    """A table: its columns, the last of which is the target ``y`` unless it is named, and settings of ``data``."""

    name: str
    columns: Columns
    target: str = "y"
    data: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    """Rules by any of which the leak is seen; empty for a clean table."""

    @property
    def types(self) -> dict[str, dict[str, Any]]:
        """Return the columns as a pipeline declares them."""
        return {name: {"type": _type(values), **self.declared.get(name, {})} for name, values in self.columns.items()}

    @property
    def csv(self) -> str:
        """Return the rows as CSV; a number that is missing is an empty cell."""
        texts = [[_text(each) for each in values.tolist()] for values in self.columns.values()]
        return "\n".join([",".join(self.columns), *(",".join(row) for row in zip(*texts, strict=True))]) + "\n"


def _type(values: NDArray[Any]) -> str:
    if values.dtype.kind == "M":
        return "datetime"
    return {"f": "number", "i": "integer", "b": "boolean"}.get(values.dtype.kind, "category")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value).lower()


def labels(values: NDArray[Any], words: tuple[str, ...]) -> NDArray[Any]:
    """Return whole numbers as words."""
    found: NDArray[Any] = np.array(words)[values]
    return found


def hours(rows: int, *, step: int = 60) -> NDArray[Any]:
    """Return times, ``step`` minutes apart."""
    start = np.datetime64("2026-01-01T00:00:00", "us")
    times: NDArray[Any] = start + np.arange(rows) * np.timedelta64(step, "m")
    return times


def normal_table(rng: np.random.Generator, rows: int, *, noise: float = 1.0, columns: int = 4) -> Columns:
    """Return independent normal features, and a target that is their weighted sum with noise."""
    x = rng.normal(size=(rows, columns))
    y = x @ rng.uniform(0.5, 2, columns) + noise * rng.normal(size=rows)
    return {**{f"x{n}": x[:, n] for n in range(columns)}, "y": y}


def put(columns: Columns, **more: NDArray[Any]) -> Columns:
    """Return the columns with more of them before the target."""
    return {**{name: each for name, each in columns.items() if name != "y"}, **more, "y": columns["y"]}
