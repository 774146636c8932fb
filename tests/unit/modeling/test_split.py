from __future__ import annotations

import hashlib
import struct
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_modeling.row_hash import key_of, sip_hash
from interlock_modeling.split import HashForm, in_holdout, in_union, row_hashes

FORMS: tuple[HashForm, ...] = (1, 2)
UTC_MICROS = pa.timestamp("us", "UTC")


def test_hash_of_a_known_row_never_changes() -> None:
    """The canonical form is pinned: stored hashes of old batches must keep meeting the same rows of new ones."""
    row: dict[str, pa.Array[Any]] = {
        "number": pa.array([1.5, None], pa.float64()),
        "integer": pa.array([7, None], pa.int64()),
        "flag": pa.array([True, None], pa.bool_()),
        "text": pa.array(["grün", None], pa.string()),
        "when": pa.array([1_700_000_000_000_000, None], UTC_MICROS),
    }

    def pinned(*how: Any) -> list[str]:
        return [f"{value:016x}" for value in row_hashes(row, *how).tolist()]

    assert pinned() == pinned(1, "flights") == ["1b13bcf6688679c0", "8a1020634191c27b"]
    assert pinned(2, "flights") == ["5b2b14def7a5c766", "e080a2eade910871"]
    assert pinned(2, "student-math") != pinned(2, "flights")


def test_form_2_is_siphash_of_the_canonical_form() -> None:
    """By the algorithm's own vectors, and put together by hand: payloads first, then a tag for each cell."""
    known = key_of("flights")
    assert known.tobytes() == hashlib.sha256(b"interlock row hash 2\0flights").digest()[:16]
    text = sip_hash(known, "grün".encode())
    payloads = struct.pack("<QqdQq", 1, 7, 1.5, text, 1_700_000_000_000_000)
    row: dict[str, pa.Array[Any]] = {
        "a": pa.array([True]),
        "b": pa.array([7], pa.int64()),
        "c": pa.array([1.5]),
        "d": pa.array(["grün"]),
        "e": pa.array([1_700_000_000_000_000], UTC_MICROS),
    }
    assert row_hashes(row, 2, "flights").tolist() == [sip_hash(known, payloads + bytes([3, 2, 1, 4, 5]))]
    row["b"] = pa.array([None], pa.int64())
    payloads = struct.pack("<QqdQq", 1, 0, 1.5, text, 1_700_000_000_000_000)
    assert row_hashes(row, 2, "flights").tolist() == [sip_hash(known, payloads + bytes([3, 0, 1, 4, 5]))]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "310e0edd47db6f72"),
        (1, "fd67dc93c539f874"),
        (2, "5a4fa9d909806c0d"),
        (3, "2d7efbd796666785"),
        (4, "b7877127e09427cf"),
        (5, "8da699cd64557618"),
        (6, "cee3fe586e46c9cb"),
        (7, "37d1018bf50002ab"),
        (15, "e545be4961ca29a1"),
    ],
)
def test_siphash_gives_the_vectors_of_its_authors(length: int, expected: str) -> None:
    """Of the bytes 0, 1, 2, … under the key 0, 1, … 15."""
    key = np.frombuffer(bytes(range(16)), dtype="<u8")

    assert sip_hash(key, bytes(range(length))).to_bytes(8, "little").hex() == expected


@given(st.data())
def test_rows_of_any_arrays_are_hashed_cell_by_cell(data: st.DataObject) -> None:
    """Slices, nulls, texts of any length and many columns: each row is hashed as it would be alone."""
    rows = data.draw(st.integers(1, 12))
    kinds: list[tuple[Any, Any]] = [
        (pa.float64(), st.floats(allow_nan=False)),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.bool_(), st.booleans()),
        (pa.string(), st.text(max_size=20)),
        (UTC_MICROS, st.integers(-(2**50), 2**50)),
    ]
    columns: dict[str, pa.Array[Any]] = {}
    for place, (kind, cells) in enumerate(data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=20))):
        drawn = data.draw(st.lists(st.none() | cells, min_size=rows, max_size=rows))
        columns[f"{place:02}"] = pa.array(drawn, kind)
    start = data.draw(st.integers(0, rows - 1))
    whole = row_hashes(columns, 2, "m")
    part = row_hashes({name: column.slice(start) for name, column in columns.items()}, 2, "m")
    alone = [
        row_hashes({name: pa.array(c.slice(n, 1).to_pylist(), c.type) for name, c in columns.items()}, 2, "m")[0]
        for n in range(rows)
    ]

    assert whole.tolist() == [int(each) for each in alone]
    assert part.tolist() == whole[start:].tolist()


def test_another_type_has_no_canonical_form() -> None:
    """In neither form: it would have to be cast to its declared type first."""
    for form in FORMS:
        with pytest.raises(TypeError, match="no canonical form for int32"):
            row_hashes({"a": pa.array([1], pa.int32())}, form)


@pytest.mark.parametrize("form", FORMS)
def test_columns_count_by_name_not_by_order(form: HashForm) -> None:
    """Two pipelines that declare the same columns in another order put a row on the same side."""
    first, second = pa.array([1.0, 2.0]), pa.array(["x", "y"])

    assert row_hashes({"a": first, "b": second}, form).tolist() == row_hashes({"b": second, "a": first}, form).tolist()


@pytest.mark.parametrize("form", FORMS)
def test_negative_zero_is_zero(form: HashForm) -> None:
    """``-0.0`` and ``0.0`` compare equal, so they are the same row."""
    hashes = row_hashes({"a": pa.array([0.0, -0.0])}, form)

    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("form", FORMS)
def test_null_differs_from_every_value_of_its_type(form: HashForm) -> None:
    """A missing cell is not the zero, the empty text or the epoch."""
    columns: dict[str, pa.Array[Any]] = {
        "integer": pa.array([0, None], pa.int64()),
        "number": pa.array([0.0, None], pa.float64()),
        "text": pa.array(["", None], pa.string()),
        "flag": pa.array([False, None], pa.bool_()),
        "when": pa.array([0, None], UTC_MICROS),
    }

    for name, column in columns.items():
        hashes = row_hashes({name: column}, form)
        assert hashes[0] != hashes[1], name


@pytest.mark.parametrize("form", FORMS)
def test_sliced_and_long_arrays_hash_like_their_rows(form: HashForm) -> None:
    """Offsets of Arrow slices and the inner chunking leave no trace in the hash."""
    numbers = pa.array(np.arange(200_000, dtype=np.float64))
    texts = pa.array([str(n % 977) for n in range(200_000)])
    whole = row_hashes({"n": numbers, "t": texts}, form)

    part = row_hashes({"n": numbers.slice(70_001, 11), "t": texts.slice(70_001, 11)}, form)

    assert part.tolist() == whole[70_001:70_012].tolist()
    assert len(np.unique(whole)) == 200_000


def test_holdout_takes_its_fraction_and_grows_with_it() -> None:
    """About the declared fraction is held out, and a larger fraction keeps all rows of a smaller one."""
    hashes = row_hashes({"n": pa.array(np.arange(50_000, dtype=np.int64))})

    fifth, third = in_holdout(hashes, 0.2), in_holdout(hashes, 1 / 3)

    assert fifth.mean() == pytest.approx(0.2, abs=0.01)
    assert third.mean() == pytest.approx(1 / 3, abs=0.01)
    assert not (fifth & ~third).any()


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ([], []),
        ([[5, 3, 5]], [True, True, True]),
        ([[5, 3], [5, 9, 3]], [True, True, False, True, False]),
        ([[5], [5, 5, 5]], [True, False, True, True]),
        ([[5, 5, 5], [5], [5, 5, 5, 5]], [True] * 3 + [False] + [False] * 3 + [True]),
    ],
)
def test_a_union_has_each_row_as_often_as_the_file_with_most_of_it(files: list[list[int]], kept: list[bool]) -> None:
    """Equal rows of one file all count; what stands in two files counts once, and the first one stays."""
    assert in_union([np.array(file, dtype=np.uint64) for file in files]).tolist() == kept


@given(st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=5))
def test_a_union_counts_as_a_multiset_does(files: list[list[int]]) -> None:
    """The standard library's union of multisets is the oracle."""
    expected: Counter[int] = Counter()
    for file in files:
        expected |= Counter(file)
    rows = [row for file in files for row in file]

    kept = in_union([np.array(file, dtype=np.uint64) for file in files])

    assert Counter(row for row, keep in zip(rows, kept, strict=True) if keep) == expected


def test_undeclared_type_is_an_error() -> None:
    """A column that was not cast to its declared type has no canonical form."""
    with pytest.raises(TypeError, match="int32"):
        row_hashes({"a": pa.array([1], pa.int32())})


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.integers(-(2**63), 2**63 - 1))))
def test_equal_rows_are_equal_and_different_rows_differ(rows: list[tuple[str | None, int | None]]) -> None:
    """Hashes tell rows apart exactly as their values do."""
    texts, integers = [row[0] for row in rows], [row[1] for row in rows]
    hashes = row_hashes({"t": pa.array(texts, pa.string()), "i": pa.array(integers, pa.int64())})

    assert len(set(hashes.tolist())) == len(set(rows))
