from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_modeling.split import in_holdout, in_union, row_hashes

UTC_MICROS = pa.timestamp("us", "UTC")


def test_hash_of_a_known_row_never_changes() -> None:
    """The canonical form is pinned: stored hashes of old batches must keep meeting the same rows of new ones."""
    hashes = row_hashes(
        {
            "number": pa.array([1.5, None], pa.float64()),
            "integer": pa.array([7, None], pa.int64()),
            "flag": pa.array([True, None], pa.bool_()),
            "text": pa.array(["grün", None], pa.string()),
            "when": pa.array([1_700_000_000_000_000, None], UTC_MICROS),
        }
    )

    assert [f"{value:016x}" for value in hashes.tolist()] == ["1b13bcf6688679c0", "8a1020634191c27b"]


def test_columns_count_by_name_not_by_order() -> None:
    """Two pipelines that declare the same columns in another order put a row on the same side."""
    first, second = pa.array([1.0, 2.0]), pa.array(["x", "y"])

    assert row_hashes({"a": first, "b": second}).tolist() == row_hashes({"b": second, "a": first}).tolist()


def test_negative_zero_is_zero() -> None:
    """``-0.0`` and ``0.0`` compare equal, so they are the same row."""
    hashes = row_hashes({"a": pa.array([0.0, -0.0])})

    assert hashes[0] == hashes[1]


def test_null_differs_from_every_value_of_its_type() -> None:
    """A missing cell is not the zero, the empty text or the epoch."""
    columns: dict[str, pa.Array[Any]] = {
        "integer": pa.array([0, None], pa.int64()),
        "number": pa.array([0.0, None], pa.float64()),
        "text": pa.array(["", None], pa.string()),
        "flag": pa.array([False, None], pa.bool_()),
        "when": pa.array([0, None], UTC_MICROS),
    }

    for name, column in columns.items():
        hashes = row_hashes({name: column})
        assert hashes[0] != hashes[1], name


def test_sliced_and_long_arrays_hash_like_their_rows() -> None:
    """Offsets of Arrow slices and the inner chunking leave no trace in the hash."""
    numbers = pa.array(np.arange(200_000, dtype=np.float64))
    texts = pa.array([str(n % 977) for n in range(200_000)])
    whole = row_hashes({"n": numbers, "t": texts})

    part = row_hashes({"n": numbers.slice(70_001, 11), "t": texts.slice(70_001, 11)})

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
