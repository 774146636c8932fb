"""Rows as clients of MLflow's scoring servers send them: four JSON forms, and CSV."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from typing import Any

from interlock_modeling.signature import Feature, ModelSignature
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_415_UNSUPPORTED_MEDIA_TYPE

from interlock_gateway.domain import MAX_ROWS

JSON = "application/json"
CSV = "text/csv"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")

Row = dict[str, Any]


class ScoringError(ClientException):
    """A request that is none of MLflow's, status 400; ``detail`` says what would be right."""


class UnknownContentTypeError(ScoringError):
    """A body that is neither JSON nor CSV, status 415."""

    status_code = HTTP_415_UNSUPPORTED_MEDIA_TYPE


def rows_of(signature: ModelSignature, body: bytes, content_type: str) -> list[Row]:
    """Return the rows of a request, with the model's columns only: MLflow's servers ignore others as well.

    Raises:
        ScoringError: the body is not what ``content_type`` says, holds no rows, or too many.
    """
    kind, *options = (part.strip().lower() for part in content_type.split(";"))
    if any(option not in ("charset=utf-8", 'charset="utf-8"') for option in options):
        raise UnknownContentTypeError(f"{content_type!r} is not understood; send UTF-8 without further options")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ScoringError(f"the body is not UTF-8: {error}") from error
    if kind in (JSON, ""):
        rows = _of_json(text)
    elif kind == CSV:
        rows = _of_csv(text, {feature.name: feature for feature in signature.features})
    else:
        raise UnknownContentTypeError(f"{content_type!r} is not understood; send {JSON} or {CSV}")
    if not 0 < len(rows) <= MAX_ROWS:
        raise ScoringError(f"{len(rows)} rows; send from 1 to {MAX_ROWS} in one request")
    return [_known(signature, row) for row in rows]


def _known(signature: ModelSignature, row: Row) -> Row:
    known = {feature.name: row[feature.name] for feature in signature.features if feature.name in row}
    for feature in signature.features:
        if feature.type == "datetime" and known.get(feature.name) == "NaT":  # how pandas writes a missing one
            known[feature.name] = None
    return known


def _of_json(text: str) -> list[Row]:
    try:
        # Python's own reader, for pandas' clients write a missing number as NaN, which is no JSON.
        document = json.loads(text, parse_constant=lambda name: None if name == "NaN" else math.inf)
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


def _of_csv(text: str, features: Mapping[str, Feature]) -> list[Row]:
    try:
        lines = list(csv.reader(StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ScoringError(f"the body is not CSV: {error}") from error
    lines = [line for line in lines if line]
    if not lines:
        raise ScoringError("the body is empty; its first line names the columns")
    names, rows = lines[0], lines[1:]
    for place, line in enumerate(rows):
        if len(line) != len(names):
            raise ScoringError(f"row {place} has {len(line)} values for {len(names)} columns")
    return [_csv_row(zip(names, line, strict=True), features) for line in rows]


def _csv_row(cells: Iterable[tuple[str, str]], features: Mapping[str, Feature]) -> Row:
    return {name: _csv_cell(features[name], text) for name, text in cells if name in features}


def _csv_cell(feature: Feature, text: str) -> Any:
    """Return a cell as the model's column has it; what does not fit stays text, and is refused with words later."""
    if not text:
        return None
    if feature.type in ("number", "integer"):
        try:
            number = float(text)
        except ValueError:
            return text
        return None if math.isnan(number) else number
    return _BOOLEANS.get(text.lower(), text) if feature.type == "boolean" else text


_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
