"""Keyed hashes of rows, in C: ``row_hash.c``, which the build of this package compiles (0145)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_HERE = Path(__file__).parent
_ffi = cffi.FFI()
_ffi.cdef((_HERE / "row_hash.h").read_text())
_kernel: Any = _ffi.dlopen(str(_HERE / "librowhash.so"))

_pointer: Any = _ffi.from_buffer  # as typed, it takes no arrays

_TAGS: dict[pa.DataType, int] = {
    pa.float64(): 1,
    pa.int64(): 2,
    pa.bool_(): 3,
    pa.string(): 4,
    pa.timestamp("us", "UTC"): 5,
}


def key_of(pipeline: str) -> NDArray[np.uint64]:
    """Return the key of a pipeline's hashes, shape (2,): of its name alone, so that a restored stack has the same."""
    return np.frombuffer(hashlib.sha256(b"interlock row hash 2\0" + pipeline.encode()).digest()[:16], dtype="<u8")


def sip_hash(key: NDArray[np.uint64], data: bytes) -> int:
    """Return SipHash-2-4 of ``data`` (Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012)."""
    return int(_kernel.sip_hash(_pointer("uint64_t[]", key), _pointer("uint8_t[]", data), len(data)))


def hash_rows(key: NDArray[np.uint64], columns: Sequence[pa.Array[Any]]) -> NDArray[np.uint64]:
    """Return the hash of each row of the columns, in this order; they are read where they are.

    Raises:
        TypeError: a column is of a type that has no canonical form.
    """
    rows = len(columns[0])
    kept: list[Any] = []
    described = _ffi.new("struct hash_column[]", len(columns))
    for place, column in zip(described, columns, strict=True):
        tag = _TAGS.get(column.type)
        if tag is None:
            raise TypeError(f"no canonical form for {column.type}; cast the column to its declared type first")
        valid, *buffers = column.buffers()
        place.tag, place.offset = tag, column.offset
        place.valid = _address(kept, "uint8_t *", valid) if column.null_count else _ffi.NULL
        place.values = _address(kept, "void *", buffers[-1])
        place.ends = _address(kept, "int32_t *", buffers[0]) if tag == _TAGS[pa.string()] else _ffi.NULL
    hashes = np.empty(rows, dtype=np.uint64)
    out = _pointer("uint64_t[]", hashes, require_writable=True)
    if _kernel.hash_rows(_pointer("uint64_t[]", key), described, len(columns), rows, out):
        raise MemoryError
    return hashes


def _address(kept: list[Any], kind: str, buffer: Any) -> Any:
    """Return where a buffer lies, and keep it; Arrow may leave out one of no bytes."""
    kept.append(buffer)
    return _ffi.cast(kind, buffer.address) if buffer is not None else _ffi.NULL
