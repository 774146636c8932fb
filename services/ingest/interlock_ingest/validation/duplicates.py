"""Finds rows that repeat another, and keys that stand twice, on disk: memory does not grow with the file."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from interlock_tables.findings import LINES_SHOWN, Tally
from numpy.typing import NDArray

ROW = np.dtype([("hash", "<u8"), ("at", "<i8")])
"""A row's hash, and its place among all rows that count, from 0."""

KEY = np.dtype([("hash", "<u8"), ("row", "<u8"), ("line", "<i8")])
"""The hash of a row's key, that of the whole row, and the line it stands on."""

_BUCKETS = 128


class Buckets:
    """Records on disk, dealt by the highest bits of their hash, so that equal hashes meet in one small bucket."""

    def __init__(self, folder: Path, kind: np.dtype[Any]) -> None:
        folder.mkdir()
        self._kind = kind
        self._folder = folder
        self._files: dict[int, io.FileIO] = {}

    def close(self) -> None:
        """Close the files; what is in them can be read before."""
        for file in self._files.values():
            file.close()

    def add(self, records: NDArray[Any]) -> None:
        """Deal the records out."""
        number = (records["hash"] >> np.uint64(64 - _BUCKETS.bit_length() + 1)).astype(np.uint8)
        order = np.argsort(number, kind="stable")  # of single bytes: it counts them
        ends = np.concatenate(([0], np.cumsum(np.bincount(number, minlength=_BUCKETS))))
        dealt = records[order]
        for bucket in np.flatnonzero(np.diff(ends)).tolist():
            self._file(bucket).write(dealt[ends[bucket] : ends[bucket + 1]].tobytes())

    def _file(self, bucket: int) -> io.FileIO:
        if bucket not in self._files:
            self._files[bucket] = io.FileIO(self._folder / f"{bucket:03}", "w")
        return self._files[bucket]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for bucket in sorted(self._files):
            yield np.fromfile(self._folder / f"{bucket:03}", dtype=self._kind)


class Dropped:
    """Which rows are dropped: one bit for each."""

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros((rows + 7) // 8, dtype=np.uint8)
        self.count = 0

    def add(self, places: NDArray[np.int64]) -> None:
        """Drop the rows at these places, each given once."""
        np.bitwise_or.at(self._bits, places >> 3, np.uint8(1) << (places & 7).astype(np.uint8))
        self.count += len(places)

    def kept(self, start: int, rows: int) -> NDArray[np.bool_]:
        """Return the mask of rows to keep among ``rows`` rows from ``start``."""
        first = start >> 3
        bits = np.unpackbits(self._bits[first : ((start + rows + 7) >> 3)], bitorder="little")
        kept: NDArray[np.bool_] = bits[start - 8 * first :][:rows] == 0
        return kept


def repeated_rows(buckets: Buckets, rows: int) -> Dropped:
    """Return all rows that repeat an earlier one."""
    dropped = Dropped(rows)
    for records in buckets:
        ordered = records[np.argsort(records["hash"], kind="stable")]  # a bucket has its rows in the order of the file
        repeats = ordered["hash"][1:] == ordered["hash"][:-1]
        dropped.add(ordered["at"][1:][repeats])
    return dropped


def repeated_keys(buckets: Buckets) -> Tally:
    """Count the rows whose key another row of different content has too."""
    tally = Tally()
    for records in buckets:
        ordered = records[np.lexsort((records["line"], records["row"], records["hash"]))]
        same_key = ordered["hash"][1:] == ordered["hash"][:-1]
        first = np.concatenate(([True], ~(same_key & (ordered["row"][1:] == ordered["row"][:-1]))))[: len(ordered)]
        distinct = ordered[first]
        same = distinct["hash"][1:] == distinct["hash"][:-1]
        shared = np.zeros(len(distinct), dtype=np.bool_)
        shared[1:] |= same
        shared[:-1] |= same
        lines = np.sort(distinct["line"][shared])
        tally.add(len(lines), lines[:LINES_SHOWN].tolist())
    return tally
