"""Cuts CSV into records, strictly: what a lenient reader would swallow is a bad record or ends the reading.

Everything is done on whole blocks with NumPy: quotes toggle, so the number of quotes before a byte says whether it is
inside quotes. That holds exactly as long as every quote stands where RFC 4180 allows one, which is checked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interlock_tables.findings import UnreadableError
from interlock_tables.typed import MAX_RECORD_BYTES

_LF, _CR = 0x0A, 0x0D
_RESTART = 1 << 12
_SHOWN = 3

FEWER = "fewer"
MORE = "more"
QUOTE = "quote"
CARRIAGE_RETURN = "carriage_return"


@dataclass
class Records:
    """Some records: ``data`` holds the good ones only, ``lines`` where each of them begins, ``bad`` the others."""

    data: bytes = b""
    lines: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    bad: dict[str, tuple[list[int], list[str]]] = field(default_factory=dict)
    """By what is wrong: the lines of all such records, and what the first few look like."""
    blank: list[int] = field(default_factory=list)
    empty: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    """Which of the good records are delimiters alone."""


class RecordCutter:
    """Takes blocks cut anywhere, gives records of ``width`` cells; ``line`` is where the next record begins."""

    def __init__(self, *, delimiter: str, quote: str, width: int, line: int) -> None:
        self._delimiter = ord(delimiter)
        self._quote = ord(quote)
        self._width = width
        self._line = line
        self._rest = b""

    def cut(self, block: bytes, *, final: bool) -> Iterator[Records]:
        """Yield the records that end in what was given so far; ``final`` says that nothing follows.

        Raises:
            UnreadableError: a quoted cell that runs over line ends does not close properly, so nobody can tell which
                rows it swallowed; or a record is longer than MAX_RECORD_BYTES.
        """
        data = self._rest + block
        if final and data and not data.endswith(b"\n"):
            data += b"\n"
        start, size = 0, len(data)
        while start < len(data):
            reach = min(len(data), start + size)
            used, records = self._cut(data[start:reach], complete=final and reach == len(data))
            yield records
            start += used
            if QUOTE in records.bad:
                size = _RESTART  # the state starts anew at the next line; a short window keeps that cheap
            elif used or reach < len(data):
                size *= 4
            else:
                break
        self._rest = data[start:]
        if len(self._rest) > MAX_RECORD_BYTES:
            raise self._endless(self._rest)

    def _cut(self, data: bytes, *, complete: bool) -> tuple[int, Records]:
        """Return how many bytes were used up, and the records in them."""
        bytes_ = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(bytes_ == _LF)
        all_ends = ends
        delimiters = np.flatnonzero(bytes_ == self._delimiter)
        quotes = np.flatnonzero(bytes_ == self._quote)
        broken = -1
        if len(quotes):
            broken = self._first_misplaced(bytes_, quotes)
            ends = _outside(quotes, ends)
            delimiters = _outside(quotes, delimiters)
            if broken >= 0:
                ends = ends[ends < broken]
        used = int(ends[-1]) + 1 if len(ends) else 0
        records = self._sort(data, bytes_, ends, delimiters, all_ends)
        self._line += int(np.searchsorted(all_ends, used))
        if broken >= 0:
            used += self._bad_quote(data[used:], broken - used, records)
        elif complete and used < len(data):
            used += self._never_closed(data[used:], records)
        return used, records

    def _first_misplaced(self, bytes_: NDArray[np.uint8], quotes: NDArray[np.int64]) -> int:
        """Return the position of the first quote that may not stand where it stands, or -1."""
        opening, closing = quotes[0::2], quotes[1::2]
        before = bytes_[opening - 1]
        fine = (before == self._delimiter) | (before == _LF) | (opening == 0)
        fine[1:] |= closing[: len(opening) - 1] == opening[1:] - 1
        bad_opening = opening[~fine]
        inner = closing[closing < len(bytes_) - 1]  # what follows the very last byte is not known yet
        after = bytes_[inner + 1]
        fine = (after == self._delimiter) | (after == _LF) | (after == self._quote) | (after == _CR)
        bad_closing = inner[~fine]
        misplaced = [int(positions[0]) for positions in (bad_opening, bad_closing) if len(positions)]
        return min(misplaced, default=-1)

    def _sort(
        self,
        data: bytes,
        bytes_: NDArray[np.uint8],
        ends: NDArray[np.int64],
        delimiters: NDArray[np.int64],
        all_ends: NDArray[np.int64],
    ) -> Records:
        """Separate good records from bad and blank ones by what stands between their ends."""
        records = Records()
        if not len(ends):
            return records
        starts = np.concatenate(([0], ends[:-1] + 1))
        lines = self._line + np.searchsorted(all_ends, starts)
        widths = np.diff(np.searchsorted(delimiters, np.concatenate((starts, ends[-1:])))) + 1
        lengths = ends - starts
        if int(lengths.max()) > MAX_RECORD_BYTES:
            self._line = int(lines[int(lengths.argmax())])
            raise self._endless(data[int(starts[int(lengths.argmax())]) :])
        returns = np.flatnonzero(bytes_[: int(ends[-1]) + 1] == _CR)
        blank = (lengths == 0) | ((lengths == 1) & (bytes_[starts] == _CR))
        lonely = np.zeros(len(ends), dtype=np.bool_)
        if len(returns):
            quotes = np.flatnonzero(bytes_ == self._quote)
            lone = _outside(quotes, returns[bytes_[returns + 1] != _LF])
            lonely[np.searchsorted(ends, lone)] = True
        good = (widths == self._width) & ~blank & ~lonely
        records.blank = lines[blank].tolist()
        for what, mask in (
            (CARRIAGE_RETURN, lonely),
            (FEWER, (widths < self._width) & ~blank & ~lonely),
            (MORE, (widths > self._width) & ~lonely),
        ):
            if mask.any():
                first = np.flatnonzero(mask)[:_SHOWN]
                shown = [_shown(data[int(starts[row]) : int(ends[row])]) for row in first]
                records.bad[what] = (lines[mask].tolist(), shown)
        records.lines = lines[good]
        ending = (lengths > 0) & (bytes_[ends - 1] == _CR)
        records.empty = ((self._width > 1) & (lengths - ending == self._width - 1))[good]
        if good.all():
            records.data = data[: int(ends[-1]) + 1]
        else:
            records.data = bytes_[: int(ends[-1]) + 1][np.repeat(good, lengths + 1)].tobytes()
        return records

    def _bad_quote(self, data: bytes, at: int, records: Records) -> int:
        """Set aside the line with a misplaced quote; refuse to guess when the cell began on an earlier line."""
        if b"\n" in data[:at]:
            raise self._unreadable(
                "quote",
                f"the record of line {self._line} runs over a line end inside quotes, then a quote stands where none "
                "may; which rows it swallowed cannot be told. Double a quote inside a cell, and close what is opened",
                data,
            )
        end = data.find(b"\n", at)
        if end < 0:
            if len(data) > MAX_RECORD_BYTES:
                raise self._endless(data)
            return 0
        self._set_aside(data[:end], records)
        self._line += 1
        return end + 1

    def _never_closed(self, data: bytes, records: Records) -> int:
        """Handle what is left at the end of the file: a record whose quote was opened and never closed."""
        if data.count(b"\n") > 1:
            raise self._unreadable(
                "quote",
                f"the quote opened in the record of line {self._line} is never closed; all rows after it would be "
                "swallowed. Close it, or double it if it belongs to the text",
                data,
            )
        self._set_aside(data, records)
        return len(data)

    def _set_aside(self, record: bytes, records: Records) -> None:
        """Record the misquoted record of this line as a bad one."""
        lines, shown = records.bad.setdefault(QUOTE, ([], []))
        lines.append(self._line)
        shown.append(_shown(record))

    def _endless(self, data: bytes) -> UnreadableError:
        why = f"the record that begins on line {self._line} is longer than {MAX_RECORD_BYTES} bytes"
        if self._quote in data:
            why += "; perhaps a quote is opened and never closed"
        elif _CR in data:
            why += "; the file seems to end its lines with carriage returns alone: end them with a line feed"
        return self._unreadable("record_length", why, data)

    def _unreadable(self, rule: str, why: str, data: bytes) -> UnreadableError:
        return UnreadableError(rule, why, line=self._line, examples=[_shown(data)])


def _outside(quotes: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions that do not lie inside quotes: an even number of quotes stands before them."""
    if not len(quotes):
        return positions
    outside: NDArray[np.bool_] = np.searchsorted(quotes, positions) % 2 == 0
    return positions[outside]


def _shown(record: bytes) -> str:
    return record[:120].decode(errors="replace").rstrip("\r\n")
