"""The header of a CSV: line 1, with the declared columns in it; when it is not so, says what it looks like instead."""

import csv
import io
from collections import Counter
from dataclasses import dataclass

from interlock_contracts.csv_lines import named_delimiter
from interlock_contracts.data import Csv
from interlock_contracts.datasets import Finding
from interlock_contracts.names import near_name

from interlock_tables.findings import Findings, UnreadableError, shorten
from interlock_tables.typed import MAX_COLUMNS, MAX_RECORD_BYTES, too_many_columns

_PREAMBLE = 20
_COLUMNS_SHOWN = 5
_DELIMITERS = (",", ";", "\t", "|", ":", " ")


@dataclass(frozen=True)
class Header:
    """The labels, and how many lines and bytes they take."""

    labels: list[str]
    lines: int
    size: int


def read_header(head: bytes, dialect: Csv, declared: list[str]) -> Header:
    """Return the header at the start of ``head``.

    Raises:
        UnreadableError: line 1 is no header: wrong delimiter, text before it, no declared column in it.
    """
    text = head[:MAX_RECORD_BYTES].decode(errors="ignore")
    named, below = named_delimiter(text)
    skipped = int(named == dialect.delimiter)
    if skipped:
        text = below
    records = [(record, line + skipped) for record, line in _first_records(text, dialect)]
    first, lines = records[0] if records else ([], 1)
    if len(first) > MAX_COLUMNS:
        raise too_many_columns(len(first))
    best = max((record for record, _ in records), key=lambda record: _known(record, declared), default=[])
    if _known(best, declared) > _known(first, declared):
        on = next(end for record, end in records if record is best)
        why = f"the header is not on line 1 but on line {on}; remove the lines before it"
        raise UnreadableError("header_position", why, line=on, examples=[text.partition("\n")[0]])
    if not _known(first, declared):
        raise _no_header(text, dialect, declared, first)
    size = 0
    for _ in range(lines):
        size = head.find(b"\n", size) + 1 or len(head)
    return Header(first, lines, size)


def check_labels(labels: list[str], declared: list[str], findings: Findings) -> None:
    """Note repeated, blank, missing and undeclared labels."""
    repeated = sorted(label for label, count in Counter(labels).items() if label.strip() and count > 1)
    if repeated:
        why = "column labels stand more than once in the header; each column needs a name of its own"
        shown = [shorten(label) for label in repeated[:20]]
        findings.header.append(
            Finding(rule="duplicate_label", count=len(repeated), lines=[1], examples=shown, message=why)
        )
    blank = [position for position, label in enumerate(labels, 1) if not label.strip()]
    if blank:
        why = f"column labels are blank (the first is column {blank[0]} of {len(labels)})"
        if blank == [1]:
            why += "; a first column without name is often an exported index: export without it"
        findings.header.append(Finding(rule="blank_label", count=len(blank), lines=[1], message=why))
    note_columns(labels, declared, findings)


def note_columns(labels: list[str], declared: list[str], findings: Findings) -> None:
    """Note declared columns that are missing, with what was perhaps meant, and undeclared ones."""
    known = set(declared)
    undeclared = [label for label in dict.fromkeys(labels) if label.strip() and label not in known]
    findings.extra_columns = undeclared
    for name in declared:
        if name not in labels:
            alike = near_name(name, undeclared)
            findings.missing_columns[name] = f"; it has {shorten(alike)!r}" if alike is not None else ""


def _first_records(text: str, dialect: Csv) -> list[tuple[list[str], int]]:
    """Return the first records, and the line on which each ends; stops at the first that is not well-formed."""
    reader = csv.reader(
        io.StringIO(text, newline="\n"), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True
    )
    records: list[tuple[list[str], int]] = []
    try:
        for record in reader:
            records.append((record, reader.line_num))
            if len(records) > _PREAMBLE:
                break
    except csv.Error as error:
        if not records:
            why = f"line 1 is not a CSV header: {error}"
            if "new-line" in str(error):
                why = "line 1 holds carriage returns alone; end each line with a line feed (or both)"
            raise UnreadableError("header", why, line=1, examples=[text[:200]]) from error
    return records


def _known(record: list[str], declared: list[str]) -> int:
    return len(set(record) & set(declared))


def _no_header(text: str, dialect: Csv, declared: list[str], first: list[str]) -> UnreadableError:
    """Return the error for a first line without any declared column."""
    line = text.partition("\n")[0].rstrip("\r")
    named, _ = named_delimiter(text)
    if named is not None:
        why = f"line 1 says that the delimiter is {named!r}; declare data.csv.delimiter: {named!r}"
        return UnreadableError("delimiter", why, line=1, examples=[line])
    for other in _DELIMITERS:
        labels = [label.strip('"') for label in line.split(other)]
        if other not in (dialect.delimiter, dialect.quote) and _known(labels, declared):
            looks = "looks like one cell" if len(first) == 1 else f"gives {len(first)} cells"
            why = (
                f"with the declared delimiter {dialect.delimiter!r} the header {looks}; with {other!r} it holds "
                f"declared columns. If the file is right, declare data.csv.delimiter: {other!r}"
            )
            return UnreadableError("delimiter", why, line=1, examples=[line])
    shown = ", ".join(repr(name) for name in declared[:_COLUMNS_SHOWN])
    more = ", …" if len(declared) > _COLUMNS_SHOWN else ""
    why = f"line 1 holds none of the declared columns ({shown}{more}); is the header missing?"
    return UnreadableError("header", why, line=1, examples=[line])
