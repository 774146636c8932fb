"""The first rows of a table, read by the readers of ingest: what they take, a file like this one can be declared as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from interlock_contracts.csv_lines import named_delimiter
from interlock_contracts.data import Column, Csv, Data
from interlock_tables.blocks import refuse_other_kinds
from interlock_tables.findings import Findings, UnreadableError
from interlock_tables.parquet_file import open_parquet
from interlock_tables.reading import read_rows
from interlock_tables.typed import compute

from interlock_cli.init import dialect, locales
from interlock_cli.terminal import CommandError

Format = Literal["csv", "jsonl", "parquet"]
Kind = Literal["integer", "number", "boolean", "datetime", "category"]

ROWS_READ = 100_000
"""Rows that are looked at, from the top: enough for types and ranges, and a matter of seconds."""

_PROBED = 1000
_HEAD = 1 << 18
_KINDS: tuple[Kind, ...] = ("integer", "number", "boolean", "datetime", "category")
"""The strictest first: the first that takes every cell is the type."""

NO_FORMATS: Mapping[str, str | None] = {}
_FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}


@dataclass
class TableColumn:
    """One column: its type and cells; without a type ``hint`` says why no type takes it."""

    kind: Kind | None
    cells: pa.Array[Any]
    hint: str | None = None
    date_format: str | None = None


@dataclass
class Table:
    """The rows that were read; ``whole`` if these are all. ``hints`` are about the file as a whole."""

    format: Format
    csv: Csv
    rows: int
    whole: bool
    columns: dict[str, TableColumn]
    hints: list[str] = field(default_factory=list)


@dataclass
class _Reading:
    """What one pass of the reader gave: cells by column, and for each column that has misfits, why."""

    cells: dict[str, pa.Array[Any]]
    faults: dict[str, str]
    findings: Findings
    rows: int
    whole: bool


def read_table(path: Path) -> Table:
    """Return the first rows of a CSV, JSON Lines or Parquet file.

    Raises:
        CommandError: it is no such file, or none that ingest would take.
    """
    kind = _FORMATS.get(path.suffix.lower(), "csv")
    try:
        return _read_csv(path) if kind == "csv" else _read_typed(path, kind)
    except UnreadableError as error:
        line = f" (line {error.finding.lines[0]})" if error.finding.lines else ""
        raise CommandError(f"{path}: {error}{line}") from error


def _read_csv(path: Path) -> Table:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    refuse_other_kinds(head, dialect.encodings(head)[0])
    for encoding in (candidates := dialect.encodings(head)):
        _, text = named_delimiter(head.decode(encoding, errors="ignore").removeprefix("\ufeff"))
        delimiter, quote = dialect.delimiter_and_quote(text)
        csv = Csv(delimiter=delimiter, quote=quote, encoding=encoding, null_values=[])
        labels = next(dialect.records(text, delimiter, quote), [])
        if len(labels) == 1 and dialect.has_columns_below(text, quote):
            raise CommandError(f"{path}: line 1 is no header but {labels[0]!r}; remove what stands before the header")
        try:
            return _read_texts(path, csv, _declarable(path, labels))
        except UnreadableError as error:
            if error.finding.rule != "encoding" or encoding == candidates[-1]:
                raise
    raise AssertionError("the last candidate has returned or raised")


def _read_texts(path: Path, csv: Csv, labels: list[str]) -> Table:
    """Look at all cells as texts first: for null words, and for digits that are no numbers."""
    texts = _pass(path, _data("csv", csv, dict.fromkeys(labels, _column("category", None))), ROWS_READ)
    if texts.findings.header:
        raise CommandError(f"{path}: {texts.findings.header[0].message}")
    _refuse_empty(path, texts)
    looks = {name: dialect.look(cells, csv.delimiter) for name, cells in texts.cells.items()}
    decimal, thousands = locales.agreed(each.locale for each in looks.values() if each.locale)
    nulls = sorted({word for each in looks.values() for word in each.nulls})
    csv = csv.model_copy(update={"null_values": ["", *nulls], "decimal": decimal, "thousands": thousands})
    kinds: dict[str, list[Kind]] = {}
    for name, each in looks.items():
        kinds[name] = ["category"] if each.code else _kinds(decimals=each.decimals)
    table = _typed(path, "csv", csv, kinds, {name: each.date_format for name, each in looks.items()})
    for name, each in looks.items():
        column = table.columns[name]
        column.hint = column.hint or ("digits that are a code, not a number" if each.code else each.hint)
        if others := _met(texts.cells[name], set(nulls) - each.nulls):
            told = f"{', '.join(map(repr, others))} counts as missing, as in the columns that need it"
            column.hint = f"{column.hint}; {told}" if column.hint else told
    return table


def _met(texts: pa.Array[Any], words: set[str]) -> list[str]:
    """Return which of the words are among the texts."""
    found: Any = texts.filter(compute.is_in(texts, value_set=pa.array(sorted(words), pa.string())))
    return sorted(found.unique().to_pylist())


def _declarable(path: Path, labels: Iterable[str]) -> list[str]:
    """Return the labels that a pipeline file can declare, at least two."""
    found = [name for name in dict.fromkeys(labels) if name.strip() and name[:2] != "__" and "\0" not in name]
    if len(found) < 2:  # noqa: PLR2004
        shown = ", ".join(map(repr, found)) or "none"
        raise CommandError(f"{path}: a target and a feature are needed; of the columns these can be declared: {shown}")
    return found


def _read_typed(path: Path, form: Format) -> Table:
    """Take the types as they are stored; whether a whole number may have decimals, too, is seen there."""
    kinds = _parquet_kinds(path) if form == "parquet" else _jsonl_kinds(path)
    return _typed(path, form, Csv(), {name: kinds[name] for name in _declarable(path, kinds)})


def _kinds(*, decimals: bool) -> list[Kind]:
    """Return the types to try; a column with decimals is none of integers, though the first cells may be whole."""
    return [kind for kind in _KINDS if kind != "integer" or not decimals]


def _parquet_kinds(path: Path) -> dict[str, list[Kind]]:
    with open_parquet(path, []) as file:
        schema = file.schema_arrow
    types = pa.types
    return {
        each.name: []
        if types.is_nested(each.type)
        else _kinds(decimals=types.is_floating(each.type) or types.is_decimal(each.type))
        for each in schema
    }


def _jsonl_kinds(path: Path) -> dict[str, list[Kind]]:
    found: dict[str, bool] = {}
    with path.open("rb") as file:
        for line in islice(file, ROWS_READ):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue  # the reader says why, with the line
            for name, value in row.items() if isinstance(row, dict) else ():
                found[name] = found.get(name, False) or isinstance(value, float)
    return {name: _kinds(decimals=decimals) for name, decimals in found.items()}


def _typed(
    path: Path, form: Format, csv: Csv, kinds: dict[str, list[Kind]], formats: Mapping[str, str | None] = NO_FORMATS
) -> Table:
    """Read again and again, each column as the next type once it has a cell that does not fit: few rows first."""
    why = dict.fromkeys(kinds, "it is nested, or no row has it")
    for limit in (_PROBED, ROWS_READ):
        while True:
            columns = {name: _column(left[0], formats.get(name)) for name, left in kinds.items() if left}
            reading = _pass(path, _data(form, csv, columns), limit)
            if not reading.faults:
                break
            for name, fault in reading.faults.items():
                kinds[name].pop(0)
                why[name] = fault
    _refuse_empty(path, reading)
    found = {
        name: TableColumn(kinds[name][0], reading.cells[name], date_format=columns[name].format)
        if name in reading.cells
        else TableColumn(None, pa.nulls(reading.rows), why[name])
        for name in kinds
    }
    return Table(form, csv, reading.rows, reading.whole, found, list(_bad_rows(reading.findings)))


def _refuse_empty(path: Path, reading: _Reading) -> None:
    if not reading.rows:
        why = "; ".join(_bad_rows(reading.findings)) or "it has no data rows"
        raise CommandError(f"{path}: {why}")


def _column(kind: Kind, date_format: str | None) -> Column:
    return Column(type=kind, format=date_format if kind == "datetime" else None)


def _data(form: Format, csv: Csv, columns: dict[str, Column]) -> Data:
    return Data.model_construct(format=form, csv=csv, columns=columns)  # one column alone can be read, too


def _pass(path: Path, data: Data, limit: int) -> _Reading:
    findings = Findings()
    pieces: dict[str, list[pa.Array[Any]]] = {}
    faults: dict[str, str] = {}
    rows, whole = 0, True
    for read in read_rows(path, data, findings):
        taken = min(len(read.lines), limit - rows)
        whole = taken == len(read.lines)
        for name, cells in read.cells.items():
            pieces.setdefault(name, []).append(cells.values.slice(0, taken))
            for cause, (mask, examples) in cells.faults.items():
                if mask[:taken].any():
                    faults.setdefault(name, f"{cause.why}: {', '.join(map(repr, examples))}")
        rows += taken
        if not whole:
            break
    faults |= {each.column: each.message for each in findings.header if each.column}
    return _Reading({name: pa.concat_arrays(each) for name, each in pieces.items()}, faults, findings, rows, whole)


def _bad_rows(findings: Findings) -> Iterator[str]:
    for cause, tally in findings.bad.items():
        lines = ", ".join(map(str, tally.lines))
        yield f"{tally.count:,} bad row{'s'[: tally.count - 1]} (line {lines}): {cause.why}"
