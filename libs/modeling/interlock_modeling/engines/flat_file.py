"""One file of named arrays behind a JSON header, laid out so that it can be memory-mapped and used as it is.

    8 bytes   ``ILENGINE``
    8 bytes   length of the header, little-endian, padding included
    header    JSON: kind, version, attributes, and for each array dtype, shape and offset; padded with spaces
    arrays    little-endian, each at a multiple of 64 bytes, offsets counted from the first

Reading trusts nothing: every length is checked against the file before an array is made.
"""

import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from interlock_modeling.signature import Part

_MAGIC = b"ILENGINE"
_ALIGNMENT = 64
_PREAMBLE = 16
_MAX_HEADER = 1 << 20


class ModelFormatError(ValueError):
    """A stored model that this version can't read: truncated, garbled, or of an unknown kind or version."""


class StoredArray(Part):
    """Where one array lies."""

    dtype: Literal["<f8", "<i8", "<u4", "<u8", "|u1"]
    shape: list[int] = Field(max_length=4)
    offset: int = Field(ge=0, multiple_of=_ALIGNMENT)


class Header(Part):
    """What the file holds; ``attributes`` are the engine's own small values."""

    kind: str
    version: int
    attributes: dict[str, Any]
    arrays: dict[str, StoredArray]


def write_arrays(
    path: Path, kind: str, version: int, attributes: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays of the types that ``StoredArray`` names; equal content gives equal bytes."""
    laid_out: dict[str, StoredArray] = {}
    end = 0
    for name, array in arrays.items():
        dtype: Any = array.dtype.newbyteorder("<").str
        laid_out[name] = StoredArray(dtype=dtype, shape=list(array.shape), offset=_aligned(end))
        end = laid_out[name].offset + array.nbytes
    header = Header(kind=kind, version=version, attributes=dict(attributes), arrays=laid_out)
    text = header.model_dump_json().encode()
    text = text.ljust(_aligned(_PREAMBLE + len(text)) - _PREAMBLE)
    with path.open("wb") as file:
        file.write(_MAGIC + len(text).to_bytes(8, "little") + text)
        start = file.tell()
        for name, array in arrays.items():
            file.seek(start + laid_out[name].offset)
            file.write(np.ascontiguousarray(array, dtype=laid_out[name].dtype).tobytes())
        file.truncate(start + end)


@dataclass(frozen=True)
class StoredFile:
    """A mapped file: read-only arrays that stay valid when it is unlinked."""

    kind: str
    version: int
    attributes: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def read_arrays(path: Path) -> StoredFile:
    """Map the file; nothing of the arrays is read yet.

    Raises:
        ModelFormatError: the file is not of this layout, or shorter than its header says.
    """
    size = path.stat().st_size
    if size < _PREAMBLE:
        raise ModelFormatError(f"{size} bytes are too few for an engine file")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        mapped = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    if mapped[: len(_MAGIC)] != _MAGIC:
        raise ModelFormatError("not an engine file: it does not begin with ILENGINE")
    length = int.from_bytes(mapped[len(_MAGIC) : _PREAMBLE], "little")
    if length > min(_MAX_HEADER, size - _PREAMBLE):
        raise ModelFormatError(f"the header's length {length} does not fit the file")
    try:
        header = Header.model_validate_json(mapped[_PREAMBLE : _PREAMBLE + length])
    except ValidationError as error:
        raise ModelFormatError(f"the header is not understood: {error.errors()[0]['msg']}") from error
    data = np.frombuffer(mapped, dtype=np.uint8, offset=_PREAMBLE + length)
    arrays = {name: _view(data, name, stored) for name, stored in header.arrays.items()}
    return StoredFile(header.kind, header.version, header.attributes, arrays)


def _view(data: NDArray[np.uint8], name: str, stored: StoredArray) -> NDArray[Any]:
    dtype = np.dtype(stored.dtype)
    if any(length < 0 for length in stored.shape):
        raise ModelFormatError(f"array {name!r} has a negative length")
    end = stored.offset + math.prod(stored.shape) * dtype.itemsize
    if end > len(data):
        raise ModelFormatError(f"array {name!r} ends at byte {end} of {len(data)}: the file is truncated")
    return data[stored.offset : end].view(dtype).reshape(stored.shape)


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT
