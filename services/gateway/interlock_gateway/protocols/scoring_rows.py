"""Rows as clients of MLflow's scoring servers send them: four JSON forms, and CSV."""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from io import StringIO
from typing import Any

from interlock_contracts.csv_lines import named_delimiter, table_lines
from interlock_contracts.json_keys import RepeatedKeyError, keys_in, refuse_repeated_keys
from interlock_contracts.names import near_name
from interlock_contracts.predictions import MAX_ROWS
from interlock_modeling.signature import Feature, ModelSignature
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_415_UNSUPPORTED_MEDIA_TYPE

JSON = "application/json"
CSV = "text/csv"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")

_DELIMITERS = (",", ";", "\t", "|")

COMPARED = 20
"""Rows, missing and strange columns that are compared at most: enough for a slip, and too little to keep us busy."""

Row = dict[str, Any]


class ScoringError(ClientException):
    """A request that is none of MLflow's, status 400; ``detail`` says what would be right."""


class UnknownContentTypeError(ScoringError):
    """A body that is neither JSON nor CSV, status 415."""

    status_code = HTTP_415_UNSUPPORTED_MEDIA_TYPE


def rows_of(signature: ModelSignature, body: bytes, content_type: str) -> list[Row]:
    """Return the rows of a request, with the model's columns only: MLflow's servers ignore others as well.

    Raises:
        ScoringError: the body is not what ``content_type`` says, holds no rows or too many, or a column is misspelt.
    """
    kind, *options = (part.strip().lower() for part in content_type.split(";"))
    if any(option not in ("charset=utf-8", 'charset="utf-8"') for option in options):
        raise UnknownContentTypeError(f"{content_type!r} is not understood; send UTF-8 without further options")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScoringError(f"the body is not UTF-8: {error}") from error
    if kind in (JSON, ""):
        rows = _of_json(text)
    elif kind == CSV:
        rows = _of_csv(text, signature)
    else:
        raise UnknownContentTypeError(f"{content_type!r} is not understood; send {JSON} or {CSV}")
    if not 0 < len(rows) <= MAX_ROWS:
        raise ScoringError(f"{len(rows)} rows; send from 1 to {MAX_ROWS} in one request")
    return _with_known_columns(signature, rows)


def _with_known_columns(signature: ModelSignature, rows: Sequence[Row]) -> list[Row]:
    """Return the rows without columns that are not the model's, unless one of them is a column that is missing.

    Raises:
        ScoringError: a column that the model takes is missing, and another one is called much like it.
    """
    features = {feature.name: feature for feature in signature.features}
    known = {*features, signature.target, *signature.key, *signature.ignored}
    for number, row in _unlike(rows):
        strange = [name for name in row if name not in known][:COMPARED]
        missing = [name for name in features if name not in row][:COMPARED] if strange else []
        for name in missing:
            near = near_name(name, strange)
            if near is not None:
                raise ScoringError(f"row {number}: unknown column {near[:60]!r}; did you mean {name!r}?")
    return [{name: _cell(features[name], cell) for name, cell in row.items() if name in features} for row in rows]


def _unlike(rows: Sequence[Row]) -> Iterator[tuple[int, Row]]:
    """Yield the first rows that differ in their columns; those of a table are all alike."""
    seen: set[frozenset[str]] = set()
    for number, row in enumerate(rows):
        if len(seen) == COMPARED:
            return
        if (names := frozenset(row)) not in seen:
            seen.add(names)
            yield number, row


def _cell(feature: Feature, cell: Any) -> Any:
    return None if feature.type == "datetime" and cell == "NaT" else cell  # how pandas writes a missing one


def _of_json(text: str) -> list[Row]:
    try:
        # Python's own reader, for pandas' clients write a missing number as NaN, which is no JSON.
        document = json.loads(text, parse_constant=lambda name: None if name == "NaN" else math.inf)
        refuse_repeated_keys(text.encode(), keys_in(document))
    except RepeatedKeyError as error:
        raise ScoringError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ScoringError(f"the body is not JSON: {error}") from error
    forms = [form for form in FORMS if isinstance(document, dict) and form in document]
    if len(forms) != 1 or document.keys() - {*forms, "params"}:
        raise ScoringError(f"send a JSON object with exactly one of {', '.join(FORMS)}")
    if document.get("params"):
        raise ScoringError("the model takes no params; leave them out")
    return _READERS[forms[0]](document[forms[0]])


def _of_split(frame: Any) -> list[Row]:
    if not isinstance(frame, dict) or not _is_list(frame.get("columns"), str) or not _is_list(frame.get("data"), list):
        raise ScoringError('dataframe_split takes {"columns": [name, …], "data": [[value, …], …]}')
    columns: list[str] = frame["columns"]
    _refuse_repeated(columns)
    for place, cells in enumerate(frame["data"]):
        if len(cells) != len(columns):
            raise ScoringError(f"row {place} of dataframe_split has {len(cells)} values for {len(columns)} columns")
    return [dict(zip(columns, cells, strict=True)) for cells in frame["data"]]


def _of_records(records: Any) -> list[Row]:
    if not _is_list(records, dict):
        raise ScoringError("send a list of rows, each an object of column: value; columns are found by name")
    rows: list[Row] = records
    return rows


def _of_inputs(inputs: Any) -> list[Row]:
    """Read columns: a list for each name, or one value for a single row. Rows are read as well."""
    if not isinstance(inputs, dict):
        return _of_records(inputs)
    columns = {name: _cells(values) for name, values in inputs.items()}
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) != 1:
        raise ScoringError(f"the columns of inputs have different lengths: {sorted(lengths)}")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _cells(values: Any) -> list[Any]:
    """Return a column; each of its values may stand in a list of its own, as in a matrix of one column."""
    if not isinstance(values, list):
        return [values]
    return [each[0] if isinstance(each, list) and len(each) == 1 else each for each in values]


_READERS: Mapping[str, Callable[[Any], list[Row]]] = {
    "dataframe_split": _of_split,
    "dataframe_records": _of_records,
    "instances": _of_records,
    "inputs": _of_inputs,
}


def _is_list(value: Any, of: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, of) for each in value)


def _of_csv(text: str, signature: ModelSignature) -> list[Row]:
    features = {feature.name: feature for feature in signature.features}
    named, text = named_delimiter(text)
    try:
        lines = table_lines(text, named or _delimiter_of(text, signature))
    except csv.Error as error:
        raise ScoringError(f"the body is not CSV: {error}") from error
    if not lines:
        raise ScoringError("the body is empty; its first line names the columns")
    names, rows = lines[0], lines[1:]
    _refuse_repeated(names)
    if not features.keys() & set(names) and not any(near_name(name, features) for name in names):
        shown = ", ".join(list(features)[:20])
        raise ScoringError(
            f"line 1 names no column of the model, which takes {shown}; cells are separated by commas, semicolons, "
            "tabs or bars"
        )
    for place, line in enumerate(rows):
        if len(line) != len(names):
            raise ScoringError(f"row {place} has {len(line)} values for {len(names)} columns")
    empty = frozenset([""] if signature.null_values is None else signature.null_values)
    return [
        {name: _csv_cell(features.get(name), cell, empty) for name, cell in zip(names, line, strict=True)}
        for line in rows
    ]


def _delimiter_of(text: str, signature: ModelSignature) -> str:
    """Return the delimiter by which line 1 names most of the columns that are known; the comma where none does."""
    known = {*(feature.name for feature in signature.features), signature.target, *signature.key, *signature.ignored}

    def named(delimiter: str) -> int:
        with suppress(csv.Error):
            return len(known & set(next(csv.reader(StringIO(text), delimiter=delimiter, strict=True), [])))
        return 0

    return max(_DELIMITERS, key=named)


def _csv_cell(feature: Feature | None, text: str, empty: frozenset[str]) -> str | None:
    """Return a cell as the text that it is, to be read by the table of spellings; ``nan`` is how NumPy writes none."""
    is_nan = feature is not None and feature.type in ("number", "integer") and text.strip().lower() == "nan"
    return None if is_nan or text in empty else text


def _refuse_repeated(names: Sequence[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ScoringError(f"column {repeated[0][:60]!r} is there twice; which one counts cannot be told")
