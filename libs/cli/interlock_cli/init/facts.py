"""Profile of a table's columns: ranges, values, missing cells, and which columns are no features."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from interlock_tables.typed import compute

from interlock_cli.init.scalars import shortened
from interlock_cli.init.table import Kind, Table, TableColumn

FEW_VALUES = 12
"""Categories with at most so many values have them listed."""

LEVELS = 128
"""Values of a category that a training learns; rarer ones are one."""

_OFTEN = 5
_MANY_VALUES = 1000
_ENOUGH_ROWS = 20
_FEW_ROWS = 10
_PER_MILLE = 0.001
_TEXT_SHARE = 0.2
_ID = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|key|index|idx|nr|no|rownum|row_number|unnamed: 0)$|[a-z](Id|ID)$")


@dataclass
class Facts:
    """One column: its type, gaps and values. ``left_out`` says why it is no feature, ``key`` that it names its row."""

    name: str
    kind: Kind | None
    cells: pa.Array[Any]
    nulls: int
    distinct: int
    range: str | None = None
    values: list[tuple[str, int]] = field(default_factory=list)
    """The values of a category, the commonest first, each with its rows."""
    key: bool = False
    left_out: str | None = None
    date_format: str | None = None
    hints: list[str] = field(default_factory=list)

    def values_to_list(self, *, whole: bool) -> list[str] | None:
        """Return a category's values where they can be a rule: few, none of them rare, and of all rows."""
        if self.kind != "category" or not whole or not self.distinct <= FEW_VALUES:
            return None
        if not self.values or self.values[-1][1] < _OFTEN:
            return None
        return sorted(value for value, _ in self.values)


def facts_of(table: Table) -> dict[str, Facts]:
    """Return what stands in each column."""
    return {name: _facts(name, column, table.rows) for name, column in table.columns.items()}


def _facts(name: str, column: TableColumn, rows: int) -> Facts:
    cells = column.cells
    distinct = compute.count_distinct(cells, mode="only_valid").as_py() if column.kind else 0
    facts = Facts(name, column.kind, cells, cells.null_count, distinct)
    facts.hints += [column.hint] if column.hint else []
    facts.date_format = column.date_format
    if column.kind is None:
        facts.left_out = f"no type takes all its cells; {column.hint}"
        facts.hints.clear()
        return facts
    if column.kind in ("number", "integer", "datetime") and distinct:
        facts.range = _range(column.kind, cells)
    if column.kind == "category":
        facts.values = _values(cells)
    facts.key = _names_its_row(facts, rows)
    facts.left_out = _why_no_feature(facts, rows)
    return facts


def _range(kind: str, cells: pa.Array[Any]) -> str:
    ends = compute.min_max(cells)
    low, high = (_shown(kind, ends[end].as_py()) for end in ("min", "max"))
    return f"{low} to {high}"


def _shown(kind: str, value: Any) -> str:
    if kind == "datetime":
        return str(value.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00").removesuffix(" 00:00:00"))
    return str(value) if kind == "integer" else f"{value:g}"


def _values(cells: pa.Array[Any]) -> list[tuple[str, int]]:
    counted: list[dict[str, Any]] = compute.value_counts(cells.drop_null()).to_pylist()
    return sorted(((each["values"], each["counts"]) for each in counted), key=lambda each: (-each[1], each[0]))


def _names_its_row(facts: Facts, rows: int) -> bool:
    """Return whether the column is called as identifiers are, and every row has another value."""
    unique = rows >= _ENOUGH_ROWS and facts.distinct == rows
    called = _ID.search(facts.name) or _ID.search(facts.name.lower())
    return unique and facts.kind in ("integer", "category") and called is not None


def _why_no_feature(facts: Facts, rows: int) -> str | None:
    if not facts.distinct:
        return "no row has a value"
    if facts.distinct == 1 and not facts.nulls:
        return f"all rows have the same value, {shortened(str(facts.cells[0].as_py()))}"
    if facts.key:
        return "it identifies the row"
    if rows >= _ENOUGH_ROWS and facts.kind == "category":
        return _why_no_category(facts, rows)
    counts = rows >= _ENOUGH_ROWS and facts.kind == "integer" and facts.distinct == rows
    return "it counts the rows" if counts and _is_sequence(facts.cells, rows) else None


def _why_no_category(facts: Facts, rows: int) -> str | None:
    """Separate texts from categories: texts are too many to be learned, or hardly one is repeated."""
    given = rows - facts.nulls
    if facts.distinct == rows:
        return "another text in every row; `key: [...]` if it identifies the row"
    if facts.distinct > min(_MANY_VALUES, max(LEVELS, given * _TEXT_SHARE), max(_FEW_ROWS, given / 2)):
        return f"text: {facts.distinct:,} different values in {given:,} rows"
    return None


def _is_sequence(cells: pa.Array[Any], rows: int) -> bool:
    ends = compute.min_max(cells)
    return bool(ends["max"].as_py() - ends["min"].as_py() == rows - 1)


def describe(facts: Facts, rows: int, *, listed: bool) -> Iterator[str]:
    """Yield the parts of a column's comment; its values may be ``listed`` beside it."""
    if facts.range:
        yield facts.range
    if facts.kind == "integer" and 2 < facts.distinct <= FEW_VALUES:  # noqa: PLR2004
        yield f"{facts.distinct} values; category, if they are codes"
    if facts.kind == "category" and facts.distinct and not listed:
        learned = f", of which the {LEVELS} commonest are learned" if facts.distinct > LEVELS and not facts.key else ""
        yield f"{facts.distinct:,} values{learned}"
    if facts.nulls:
        share = facts.nulls / rows
        yield f"{share:.1%} missing" if share >= _PER_MILLE else f"{facts.nulls:,} missing"
    yield from facts.hints
