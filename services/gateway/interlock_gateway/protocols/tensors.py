"""Tensors of the Open Inference Protocol and the tables that models take: one column, one tensor.

A feature is an input tensor of shape [n] or [n, 1]. Numbers, whole numbers and booleans may come in any numeric type
whose values fit the column, categories as BYTES or whole numbers, and every column as BYTES that are read as the cells
of a CSV are. Missing is NaN, JSON's null or a text that meant it in training, where the column is nullable, and a whole
tensor left out, where it is optional. Tensors of the key are given back.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from interlock_contracts.names import near_name
from interlock_contracts.predictions import MAX_ROWS
from interlock_modeling.rows import missing, shown
from interlock_modeling.signature import Feature, FeatureType, ModelSignature
from interlock_tables.locales import read
from interlock_tables.spellings import BadCellError
from interlock_tables.typed import ARROW_TYPES
from litestar.exceptions import ClientException
from numpy.typing import NDArray

NUMERIC = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
BYTES = "BYTES"
DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": BYTES, "datetime": BYTES}
"""The type that a feature's metadata names."""

_JSON_KINDS: dict[str, set[type]] = {"b": {bool, int}, "u": {int, float}, "i": {int, float}, "f": {int, float}}
_INT64 = 2.0**63
_LENGTH = struct.Struct("<I")
_SHOWN = 60
_NAMES_SHOWN = 20
_COLUMN = 2
"""Dimensions of a tensor of shape [n, 1]."""


class TensorError(ClientException):
    """A request that the model cannot take, status 400; ``detail`` says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input as it came: ``data`` holds JSON values, the raw bytes of the binary extension, or a typed array."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: list[Any] | memoryview | NDArray[Any]


def table_of(signature: ModelSignature, tensors: Sequence[Tensor]) -> pa.Table:
    """Return the model's columns [n], with the declared types.

    Raises:
        TensorError: a tensor is unknown, missing, repeated, of another length, or holds what its column may not.
    """
    given: dict[str, Tensor] = {}
    keys: dict[str, Tensor] = {}
    features = {feature.name: feature for feature in signature.features}
    for tensor in tensors:
        if tensor.name in signature.ignored:
            continue
        if tensor.name not in features and tensor.name not in signature.key:
            raise TensorError(_unknown(signature, tensor.name))
        if tensor.name in given or tensor.name in keys:
            raise TensorError(f"tensor {tensor.name!r} is given twice")
        (given if tensor.name in features else keys)[tensor.name] = tensor
    if not given:
        raise TensorError(f"there is no input tensor; the model takes {_listed(list(features))}")
    rows = _rows([*given.values(), *keys.values()])
    return pa.table({name: _column(feature, given.get(name), rows, signature) for name, feature in features.items()})


def key_values(tensor: Tensor, rows: int) -> NDArray[Any] | list[str]:
    """Return a column of the key [n] as it was sent, with the tensor's own type; a text that is null is empty.

    Raises:
        TensorError: it does not hold what its type says.
    """
    if tensor.datatype == BYTES:
        return [text or "" for text in _texts(Feature(name=tensor.name, type="category", nullable=True), tensor, rows)]
    dtype = NUMERIC.get(tensor.datatype)
    kind: FeatureType = "boolean" if tensor.datatype == "BOOL" else "number"
    nullable = dtype is not None and dtype.kind == "f"
    values = _numbers(Feature(name=tensor.name, type=kind, nullable=nullable), tensor, rows)
    return values.astype(NUMERIC[tensor.datatype])


def _rows(tensors: Any) -> int:
    rows: int | None = None
    for tensor in tensors:
        shape = list(tensor.shape)
        if not (len(shape) == 1 or (len(shape) == _COLUMN and shape[1] == 1)):
            raise TensorError(f"tensor {tensor.name!r} has the shape {shown(shape)}; expected [n] or [n, 1]")
        if rows is None:
            rows = shape[0]
        if shape[0] != rows:
            raise TensorError(f"tensor {tensor.name!r} has {shown(shape[0])} rows, others have {shown(rows)}")
    assert rows is not None, "there is at least one tensor"
    if not 0 < rows <= MAX_ROWS:
        raise TensorError(f"{shown(rows)} rows; send from 1 to {MAX_ROWS} in one request")
    return rows


def _column(feature: Feature, tensor: Tensor | None, rows: int, signature: ModelSignature) -> Any:
    kind: Any = ARROW_TYPES[feature.type]
    if tensor is None:
        if not (feature.nullable and feature.optional):
            raise TensorError(f"tensor {feature.name!r} {missing(feature)}")
        return pa.nulls(rows, kind)
    if tensor.datatype != BYTES and feature.type != "category":
        return _fitting(feature, _numbers(feature, tensor, rows))
    cells = _texts(feature, tensor, rows) if tensor.datatype == BYTES else _codes(feature, tensor, rows)
    values = [_value(signature, feature, row, cell) for row, cell in enumerate(cells)]
    return pa.array(values, pa.int64()).cast(kind) if feature.type == "datetime" else pa.array(values, kind)


def _value(signature: ModelSignature, feature: Feature, row: int, cell: Any) -> Any:
    """Return what a cell means, by the table of spellings."""
    if signature.is_null(cell):
        if not feature.nullable:
            raise _refused(feature, row, "missing")
        return None
    try:
        return read(feature.type, cell, signature.locale, feature.format)
    except BadCellError as error:
        raise _refused(feature, row, f"{shown(cell)} {error}") from None


def _fitting(feature: Feature, values: NDArray[Any]) -> Any:
    """Return numbers as the column's Arrow array, each checked against the column's type."""
    missing: NDArray[np.bool_] | None = None
    if values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)  # 16 bits do not reach the bounds that are checked below
        missing = np.isnan(values)
        if not missing.any():
            missing = None
        elif not feature.nullable:
            raise _refused(feature, int(np.argmax(missing)), "missing")
        _check(feature, values, np.isinf(values))
    if feature.type == "number":
        return pa.array(values.astype(np.float64, copy=False))
    known = values if missing is None else np.where(missing, 0, values)
    if feature.type == "boolean":
        _check(feature, values, (known != 0) & (known != 1))
        return pa.array(known.astype(np.bool_), mask=missing)
    if known.dtype.kind == "f":
        _check(feature, values, (known != np.floor(known)) | (known < -_INT64) | (known >= _INT64))
    elif known.dtype == np.uint64:
        _check(feature, values, known > np.uint64(2**63 - 1))
    return pa.array(known.astype(np.int64), mask=missing)


def _check(feature: Feature, values: NDArray[Any], wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _refused(feature, row, shown(values[row].item()))


def _numbers(feature: Feature, tensor: Tensor, rows: int) -> NDArray[Any]:
    dtype = NUMERIC.get(tensor.datatype)
    if dtype is None or feature.type == "datetime" or (feature.type != "boolean" and dtype.kind == "b"):
        raise TensorError(
            f"tensor {tensor.name!r} is of type {shown(tensor.datatype)}; expected {DATATYPES[feature.type]} "
            f"or another type that can hold it, for {feature.expected}"
        )
    if isinstance(tensor.data, memoryview):
        if len(tensor.data) != rows * dtype.itemsize:
            raise TensorError(
                f"tensor {tensor.name!r} of {rows} {tensor.datatype} takes {rows * dtype.itemsize} bytes; "
                f"there are {len(tensor.data)}"
            )
        values = np.frombuffer(tensor.data, "u1" if dtype.kind == "b" else dtype)
        return values if dtype.kind == "b" else values.astype(dtype.newbyteorder("="), copy=False)
    _check_length(tensor, rows)
    return tensor.data if isinstance(tensor.data, np.ndarray) else _json_numbers(feature, tensor, tensor.data, dtype)


def _json_numbers(feature: Feature, tensor: Tensor, cells: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    cells = _flat(cells)
    kinds, allowed = set(map(type, cells)), _JSON_KINDS[dtype.kind]
    if not kinds <= {*allowed, type(None)}:
        row = next(row for row, cell in enumerate(cells) if type(cell) not in allowed and cell is not None)
        raise _refused(feature, row, f"{shown(cells[row])} in a tensor of type {tensor.datatype}")
    if type(None) in kinds and not feature.nullable:
        raise _refused(feature, cells.index(None), "missing")
    try:
        exact = kinds == {int} and dtype.kind in "iu"
        values = np.array(cells, dtype=np.int64 if exact else np.float64)
    except OverflowError:
        raise TensorError(f"tensor {tensor.name!r} holds a number that does not fit into 64 bits") from None
    return values


def _texts(feature: Feature, tensor: Tensor, rows: int) -> list[str | None]:
    if isinstance(tensor.data, memoryview):
        return [_text(feature, row, each) for row, each in enumerate(_split(tensor, tensor.data, rows))]
    _check_length(tensor, rows)
    cells = _flat(tensor.data) if isinstance(tensor.data, list) else tensor.data.tolist()
    return [cell if cell is None else _text(feature, row, cell) for row, cell in enumerate(cells)]


def _codes(feature: Feature, tensor: Tensor, rows: int) -> list[Any]:
    """Return the cells of whole numbers that stand for categories."""
    dtype = NUMERIC.get(tensor.datatype)
    if dtype is None or dtype.kind not in "iu":
        raise TensorError(
            f"tensor {tensor.name!r} is of type {shown(tensor.datatype)}; expected BYTES, for {feature.expected}"
        )
    if not isinstance(tensor.data, list):
        return list(_numbers(feature, tensor, rows).tolist())
    _check_length(tensor, rows)
    return _flat(tensor.data)


def _split(tensor: Tensor, data: memoryview, rows: int) -> list[bytes]:
    """Return the elements of a BYTES tensor, each of which follows its length in four bytes, little endian."""
    found: list[bytes] = []
    whole = data.tobytes()
    place, end = 0, len(whole)
    while place + 4 <= end and len(found) < rows:
        start = place + 4
        place = start + _LENGTH.unpack_from(whole, place)[0]
        if place > end:
            raise TensorError(f"element {len(found)} of tensor {tensor.name!r} is longer than what was sent")
        found.append(whole[start:place])
    if len(found) != rows or place != end:
        raise TensorError(f"tensor {tensor.name!r} does not hold {rows} elements, each after its length in four bytes")
    return found


def _text(feature: Feature, row: int, cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if not isinstance(cell, bytes):
        raise _refused(feature, row, shown(cell))
    try:
        return cell.decode()
    except UnicodeDecodeError:
        raise _refused(feature, row, f"{shown(cell)}, which is not UTF-8") from None


def _check_length(tensor: Tensor, rows: int) -> None:
    data = tensor.data
    count = len(_flat(data)) if isinstance(data, list) else len(data)
    if count != rows:
        raise TensorError(f"tensor {tensor.name!r} has {shown(list(tensor.shape))} as its shape, but {count} elements")


def _flat(cells: list[Any]) -> list[Any]:
    """Return JSON data that may be nested as its shape says, which is one level deep at most."""
    if cells and isinstance(cells[0], list):
        return [inner for cell in cells for inner in (cell if isinstance(cell, list) else [cell])]
    return cells


def _refused(feature: Feature, row: int, what: str) -> TensorError:
    return TensorError(f"tensor {feature.name!r}, row {row}: {what}; expected {feature.expected}")


def _unknown(signature: ModelSignature, name: str) -> str:
    names = [feature.name for feature in signature.features]
    if name == signature.target:
        return f"tensor {name!r} is what the model predicts; leave it out"
    close = near_name(name, names)
    hint = f"did you mean {close!r}?" if close is not None else f"the model takes {_listed(names)}"
    return f"there is no input {shown(name)}; {hint}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
