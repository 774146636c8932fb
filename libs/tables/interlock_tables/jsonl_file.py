"""Reads JSON Lines: one object a line, its cells by the table of spellings; nothing is converted silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from interlock_contracts.data import Column, Data
from interlock_contracts.json_keys import RepeatedKeyError, keys_in, refuse_repeated_keys
from numpy.typing import NDArray

from interlock_tables.blocks import utf8_blocks
from interlock_tables.cells import Faults, cut_digits
from interlock_tables.findings import EXAMPLES_SHOWN, Cause, Findings, UnreadableError
from interlock_tables.header import note_columns
from interlock_tables.locales import AS_TYPED, TextCells, read
from interlock_tables.spellings import BadCellError, Value
from interlock_tables.typed import ARROW_TYPES, MAX_RECORD_BYTES, Cells, TypedRows

_BLANK = Cause("blank_line", None, "blank lines are skipped")
_COLUMNS_NOTED = 10_000


class _BadLineError(ValueError):
    """A line is not one JSON object."""


def read_jsonl(path: Path, data: Data, findings: Findings, texts: TextCells = AS_TYPED) -> Iterator[TypedRows]:
    """Yield the rows of the file; a key that a line lacks is a null, one that all lack a missing column.

    Raises:
        UnreadableError: the file is not UTF-8, or a line is longer than MAX_RECORD_BYTES.
    """
    seen: dict[str, None] = {}
    for first_line, lines in _lines(path):
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        for number, text in enumerate(lines, first_line):
            if not text.strip():
                findings.odd[_BLANK].add(1, [number])
                continue
            try:
                row = _object(text)
            except _BadLineError as error:
                findings.set_aside(Cause("json", None, str(error)), 1, [number], [text[:120].decode(errors="replace")])
                findings.rows += 1
                findings.bad_rows += 1
                continue
            rows.append(row)
            numbers.append(number)
            if len(seen) < _COLUMNS_NOTED:
                seen.update(dict.fromkeys(row))
        if rows:
            cells = {
                name: _cells(name, column, [row.get(name) for row in rows], texts)
                for name, column in data.columns.items()
            }
            yield TypedRows(np.array(numbers, dtype=np.int64), cells)
    if findings.rows > findings.bad_rows:
        note_columns(list(seen), list(data.columns), findings)


def _lines(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Yield runs of whole lines with the number of the first."""
    line = 1
    rest = b""
    for block in chain(utf8_blocks(path, "utf-8"), [b""]):
        whole = rest + block
        end = whole.rfind(b"\n") + 1 if block else len(whole)
        lines = whole[:end].removesuffix(b"\n").split(b"\n") if end else []
        rest = whole[end:]
        for position, text in enumerate(chain(lines, [rest])):
            if len(text) > MAX_RECORD_BYTES:
                why = f"the line is longer than {MAX_RECORD_BYTES} bytes; JSON Lines holds one object a line"
                raise UnreadableError("record_length", why, line=line + position)
        yield line, lines
        line += len(lines)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text.decode())
        refuse_repeated_keys(text, keys_in(value))
    except RecursionError:
        raise _BadLineError("the line is nested too deeply") from None
    except _BadLineError:
        raise
    except RepeatedKeyError as error:
        raise _BadLineError(str(error)) from None
    except ValueError as error:
        raise _BadLineError(f"the line is not JSON: {str(error).partition(':')[0]}") from None
    if not isinstance(value, dict):
        raise _BadLineError("the line is not a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise _BadLineError(f"{name} is not JSON; write null for a missing number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _cells(name: str, column: Column, values: list[Any], texts: TextCells) -> Cells:
    faults = Faults(name)
    values = [None if type(value) is str and value in texts.null_values else value for value in values]
    typed: list[Value | None] = []
    bad: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        try:
            typed.append(None if value is None else read(column.type, value, texts.locale, column.format))
        except BadCellError as error:
            typed.append(None)
            bad.setdefault(str(error), []).append(row)
    for why, which in bad.items():
        mask: NDArray[np.bool_] = np.zeros(len(values), dtype=np.bool_)
        mask[which] = True
        shown = [json.dumps(values[row])[:200] for row in which[:EXAMPLES_SHOWN]]
        faults.add("type", why, mask, shown)
    kind = ARROW_TYPES[column.type]
    if column.type != "datetime":
        return Cells(pa.array(typed, kind), faults.by_cause)
    written = pa.array([value if type(value) is str else None for value in values], pa.string())
    return Cells(pa.array(typed, pa.int64()).cast(kind), faults.by_cause, cut_digits(name, written))
