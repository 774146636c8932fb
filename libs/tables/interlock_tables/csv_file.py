"""Reads CSV as declared: strict records, then Arrow's parser on those that are sound."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
from interlock_contracts.data import Data
from pyarrow import csv

from interlock_tables.blocks import utf8_blocks
from interlock_tables.cells import leading_zeros, parse_texts
from interlock_tables.csv_records import CARRIAGE_RETURN, FEWER, MORE, QUOTE, RecordCutter, Records
from interlock_tables.findings import EXAMPLES_SHOWN, LINES_SHOWN, Cause, Findings, UnreadableError
from interlock_tables.header import Header, check_labels, read_header
from interlock_tables.locales import Locale
from interlock_tables.trailing_blanks import Margin, without_empty_rows_at_the_end
from interlock_tables.typed import MAX_RECORD_BYTES, TypedRows

_MISQUOTED_ROWS = 10_000
_BLANK = Cause("blank_line", None, "blank lines are skipped")


def read_csv(path: Path, data: Data, findings: Findings) -> Iterator[TypedRows]:
    """Yield the rows of the file; what is no row, and what is odd about the header, goes to ``findings``.

    Raises:
        UnreadableError: the file cannot be read (on) with what is declared.
    """
    blocks = utf8_blocks(path, data.csv.encoding)
    head, header = _head(blocks, data)
    margin = Margin(header.labels)
    check_labels(header.labels[: margin.start], list(data.columns), findings)
    width = len(header.labels)
    misquoted = 0
    parts = _records(chain([head[header.size :]], blocks), header, data)
    for records in without_empty_rows_at_the_end(parts, width, data.csv.delimiter, findings):
        _note(records, width, findings)
        misquoted += len(records.bad.get(QUOTE, ([], []))[0])
        if misquoted > data.rules.max_bad_rows + _MISQUOTED_ROWS:
            why = f"reading stopped after {misquoted} rows with misplaced quotes; is data.csv.quote right?"
            raise UnreadableError("quote", why)
        if len(records.lines):
            yield _typed(records, header, data, margin, findings)
    margin.note(findings)


def _records(blocks: Iterable[bytes], header: Header, data: Data) -> Iterator[Records]:
    width, line = len(header.labels), header.lines + 1
    cutter = RecordCutter(delimiter=data.csv.delimiter, quote=data.csv.quote, width=width, line=line)
    for block in blocks:
        yield from cutter.cut(block, final=False)
    yield from cutter.cut(b"", final=True)


def csv_labels(path: Path, data: Data) -> list[str]:
    """Return the labels of all columns, declared or not, but blank ones at the end.

    Raises:
        UnreadableError: the file does not begin with a header as declared.
    """
    labels = _head(utf8_blocks(path, data.csv.encoding), data)[1].labels
    return labels[: Margin(labels).start]


def _head(blocks: Iterator[bytes], data: Data) -> tuple[bytes, Header]:
    """Return the header, and the bytes that were read to find it."""
    head = b""
    while len(head) < MAX_RECORD_BYTES and (block := next(blocks, b"")):
        head += block
    if not head.strip():
        raise UnreadableError("empty_file", "the file holds nothing but blanks")
    return head, read_header(head, data.csv, list(data.columns))


def _note(records: Records, width: int, findings: Findings) -> None:
    causes = {
        FEWER: Cause("row_width", None, f"the row has fewer cells than the header, which has {width}"),
        MORE: Cause("row_width", None, f"the row has more cells than the header, which has {width}"),
        QUOTE: Cause(
            "quote",
            None,
            "a quote stands where none may: enclose the whole cell in quotes and double those inside, or declare "
            "another data.csv.quote",
        ),
        CARRIAGE_RETURN: Cause("line_end", None, "the row holds a carriage return, neither quoted nor a line end"),
    }
    if records.blank:
        findings.odd[_BLANK].add(len(records.blank), records.blank[:5])
    for what, (lines, examples) in records.bad.items():
        findings.set_aside(causes[what], len(lines), lines, examples)
        findings.rows += len(lines)
        findings.bad_rows += len(lines)


def _typed(records: Records, header: Header, data: Data, margin: Margin, findings: Findings) -> TypedRows:
    places = {name: str(header.labels.index(name)) for name in data.columns if name in header.labels}
    table = csv.read_csv(
        io.BytesIO(records.data),
        read_options=csv.ReadOptions(
            use_threads=False,
            block_size=len(records.data) + 1,
            column_names=[str(place) for place in range(len(header.labels))],
        ),
        parse_options=csv.ParseOptions(
            delimiter=data.csv.delimiter, quote_char=data.csv.quote, newlines_in_values=True, ignore_empty_lines=False
        ),
        convert_options=csv.ConvertOptions(
            include_columns=[*places.values(), *margin.places],
            column_types=dict.fromkeys([*places.values(), *margin.places], pa.string()),
            null_values=data.csv.null_values,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            check_utf8=False,
        ),
    )
    if table.num_rows != len(records.lines):
        raise AssertionError(f"{len(records.lines)} records were cut, but Arrow reads {table.num_rows}")
    margin.look(records.lines, [table.column(place).combine_chunks() for place in margin.places])
    texts = {name: table.column(place).combine_chunks() for name, place in places.items()}
    for name, column in texts.items():
        if data.columns[name].type in ("number", "integer"):
            _warn_of_leading_zeros(name, column, records, findings)
    locale = Locale(data.csv.decimal, data.csv.thousands)
    cells = {name: parse_texts(name, data.columns[name], column, locale) for name, column in texts.items()}
    return TypedRows(records.lines, cells)


def _warn_of_leading_zeros(name: str, texts: pa.Array[Any], records: Records, findings: Findings) -> None:
    zeros = leading_zeros(texts)
    if zeros.any():
        why = f"{name!r} has leading zeros, which a number does not keep; if it is a code, declare it as category"
        tally = findings.odd[Cause("leading_zeros", name, why)]
        examples: list[Any] = texts.filter(pa.array(zeros)).slice(0, EXAMPLES_SHOWN).to_pylist()
        tally.add(int(zeros.sum()), records.lines[zeros][:LINES_SHOWN].tolist(), examples)
