"""A row's identity and its side of the split: the same in every batch, whatever file it came in.

The *canonical form* of a row is its declared columns sorted by name, each cell a tag for its type (0 = null, whose
payload is zero) and eight bytes, least significant first: the IEEE 754 double of a number (``-0.0`` counts as ``0.0``),
the two's complement of an integer, 0 or 1 of a boolean, the microseconds since 1970 UTC of a datetime, a hash of a
text's UTF-8. It is hashed in one of two forms, which a pipeline keeps for good, for another form moves every row:

- *Form 2*: SipHash-2-4 of the payloads of all cells, and then of their tags, keyed by the pipeline's name; a text's
  payload is SipHash-2-4 of its bytes under the same key.
- *Form 1*, of pipelines that there were before: the first eight bytes, as a big-endian number, of the SHA-256 of all
  cells, each with its tag first; a text's payload is the first eight bytes of its SHA-256.

Either depends on values and declared types alone, never on file format, position or library version, and
``tests/unit/modeling/test_split.py`` pins both.

Eight bytes are enough: in ten million rows two different ones share a hash with a probability of 3 in a million, and
then one row too few may be kept.

Equal rows of one file are all kept, for their number is what a frequency, and so a probability, is learned from. They
have one hash, so they fall on one side. Files overlap, though (a nightly export has yesterday's rows again): the union
of several files has each row as often as the file that has it most often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interlock_modeling.row_hash import hash_rows, key_of

ROW_COLUMN = "__row__"
"""Name of the stored column (uint64) that holds each row's hash, so that rows that stand in several files are known."""

_HASH = np.dtype(">u8")
_CELL = 9
_AT_ONCE = 65_536


HashForm = Literal[1, 2]

FORM_KEY = "interlock.row_hash"
"""Where a stored file's metadata tell the form of its hashes; files of form 1 have none."""


def form_of(schema: pa.Schema) -> HashForm:
    """Return the form of the hashes in a stored file.

    Raises:
        ValueError: it is one that this release does not know.
    """
    told = (schema.metadata or {}).get(FORM_KEY.encode(), b"1")
    if told not in (b"1", b"2"):
        raise ValueError(f"the rows are hashed in form {told.decode(errors='replace')}, which this release cannot read")
    return 1 if told == b"1" else 2


def row_hashes(columns: Mapping[str, pa.Array[Any]], form: HashForm = 1, pipeline: str = "") -> NDArray[np.uint64]:
    """Return one hash for each row of the given columns, all of one length, in any order of names.

    Those of form 2 are keyed by the name of the ``pipeline``.

    Numbers come as float64, integers as int64, booleans as bool, categories as string, datetimes as
    timestamp[us, UTC]; other types raise ``TypeError``. Give all declared columns for a row's content, or only the
    key columns for its key.
    """
    if not columns:
        raise ValueError("a row without columns has no hash")
    ordered = [columns[name] for name in sorted(columns)]
    if form == 2:  # noqa: PLR2004 - see above
        return hash_rows(key_of(pipeline), ordered)
    hashes = [
        _hash_slice([column.slice(start, _AT_ONCE) for column in ordered])
        for start in range(0, len(ordered[0]), _AT_ONCE)
    ]
    return np.concatenate([np.empty(0, dtype=np.uint64), *hashes])


def in_holdout(hashes: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    """Return which rows are held out: those whose hash lies in the lowest ``fraction`` (0 < fraction < 1) of all."""
    return hashes < np.uint64(int(fraction * 2**64))


def in_union(files: Sequence[NDArray[np.uint64]]) -> NDArray[np.bool_]:
    """Return which rows of the concatenated ``files``, given by their hashes, are in their union.

    It has each row as often as the file that has it most often: a file adds what it has more of than any before it.
    """
    hashes = np.concatenate([np.empty(0, dtype=np.uint64), *files])
    numbers = np.concatenate([np.empty(0, dtype=np.int64), *map(_occurrence_numbers, files)])
    order = np.lexsort((numbers, hashes))  # stable: of equal pairs, that of the earliest file comes first
    repeats = (hashes[order][1:] == hashes[order][:-1]) & (numbers[order][1:] == numbers[order][:-1])
    keep = np.ones(len(hashes), dtype=np.bool_)
    keep[order[1:][repeats]] = False
    return keep


def _occurrence_numbers(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each row how many equal ones stand before it in its file."""
    order = np.argsort(hashes, kind="stable")
    places = np.arange(len(hashes))
    first = np.concatenate(([True], hashes[order][1:] != hashes[order][:-1]))[: len(hashes)]
    numbers = np.empty(len(hashes), dtype=np.int64)
    numbers[order] = places - np.maximum.accumulate(np.where(first, places, 0))
    return numbers


def _hash_slice(columns: list[pa.Array[Any]]) -> NDArray[np.uint64]:
    rows = len(columns[0])
    cells = np.zeros((rows, len(columns), _CELL), dtype=np.uint8)
    for position, column in enumerate(columns):
        tag, payload = _payload(column)
        if column.null_count:
            present = column.is_valid().to_numpy(zero_copy_only=False)
            cells[:, position, 0] = np.where(present, tag, 0)
            payload = np.where(present, payload, np.uint64(0))
        else:
            cells[:, position, 0] = tag
        cells[:, position, 1:] = payload.view(np.uint8).reshape(rows, 8)
    width = len(columns) * _CELL
    data = cells.tobytes()
    sha256 = hashlib.sha256
    digests = [sha256(data[start : start + width]).digest()[:8] for start in range(0, len(data), width)]
    return np.frombuffer(b"".join(digests), dtype=_HASH).astype(np.uint64)


def _payload(column: pa.Array[Any]) -> tuple[int, NDArray[np.uint64]]:
    """Return the type's tag and eight bytes for each cell; what stands at nulls is of no account."""
    kind = column.type
    if pa.types.is_float64(kind):
        return 1, (_filled(column, 0.0) + 0.0).astype("<f8").view(np.uint64)  # -0.0 + 0.0 is 0.0
    if pa.types.is_int64(kind):
        return 2, _filled(column, 0).astype("<i8").view(np.uint64)
    if pa.types.is_boolean(kind):
        return 3, _filled(column, False).astype("<u8")
    if pa.types.is_string(kind):
        return 4, _text_digests(column)
    if kind == pa.timestamp("us", "UTC"):
        return 5, _filled(column.cast(pa.int64()), 0).astype("<i8").view(np.uint64)
    raise TypeError(f"no canonical form for {kind}; cast the column to its declared type first")


def _filled(column: pa.Array[Any], value: float) -> NDArray[Any]:
    filled: NDArray[Any] = column.fill_null(value).to_numpy(zero_copy_only=False)
    return filled


def _text_digests(column: pa.Array[Any]) -> NDArray[np.uint64]:
    """Return eight digest bytes for each text; each distinct text is digested once."""
    encoded: Any = column.fill_null("").dictionary_encode()
    distinct: list[bytes] = encoded.dictionary.cast(pa.binary()).to_pylist()
    digests = b"".join([hashlib.sha256(text).digest()[:8] for text in distinct])
    indices: NDArray[np.int32] = encoded.indices.to_numpy()
    return np.frombuffer(digests, dtype=np.uint64)[indices]
