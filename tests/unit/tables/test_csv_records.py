from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_tables.csv_records import CARRIAGE_RETURN, FEWER, MORE, QUOTE, RecordCutter
from interlock_tables.findings import UnreadableError
from interlock_tables.typed import MAX_RECORD_BYTES

CELLS = st.text(st.sampled_from('ab ,"\n\r\té'), max_size=6)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8)


class Cut:
    """Everything that came of some bytes, whatever the blocks they came in."""

    def __init__(self, data: bytes, width: int, block: int) -> None:
        cutter = RecordCutter(delimiter=",", quote='"', width=width, line=1)
        self.lines: list[int] = []
        self.blank: list[int] = []
        self.bad: dict[str, list[int]] = {}
        self.data = b""
        for start in range(0, len(data) + block, block):
            for records in cutter.cut(data[start : start + block], final=start >= len(data)):
                self.lines += records.lines.tolist()
                self.blank += records.blank
                self.data += records.data
                for what, (lines, _) in records.bad.items():
                    self.bad[what] = sorted(self.bad.get(what, []) + lines)


def cut(data: str | bytes, width: int = 2, block: int = 1 << 20) -> Cut:
    return Cut(data.encode() if isinstance(data, str) else data, width, block)


@given(ROWS, st.integers(1, 40))
def test_what_a_strict_writer_writes_is_cut_as_it_was_written(rows: list[list[str]], block: int) -> None:
    """Every legal record is good, begins on the line it stands on, and loses no byte, whatever the block size."""
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = written.getvalue().encode()

    found = Cut(data, 3, block)

    assert found.data == data
    assert found.bad == {}
    lines, expected = 1, []
    for row in rows:
        expected.append(lines)
        lines += 1 + sum(cell.count("\n") for cell in row)
    assert found.lines == expected


@given(st.text(st.sampled_from('a,"\n\r'), max_size=40), st.integers(1, 12))
def test_blocks_leave_no_trace(text: str, block: int) -> None:
    """Whether a file comes in one block or byte by byte changes nothing, not even the error."""

    def outcome(size: int) -> object:
        try:
            found = Cut(text.encode(), 2, size)
        except UnreadableError as error:
            return str(error)
        return found.data, found.lines, found.bad, found.blank

    assert outcome(block) == outcome(1 << 20)


@given(st.text(st.sampled_from('a,"\n'), max_size=40))
def test_every_line_is_accounted_for(text: str) -> None:
    """No row is swallowed: each line is part of a good, a bad or a blank record, or reading stops with an error."""
    try:
        found = cut(text)
    except UnreadableError:
        return
    good = sum(1 for line in found.data.split(b"\n")[:-1])
    bad = sum(len(lines) for lines in found.bad.values())
    bad_in_quotes = text.count("\n") + (not text.endswith("\n") and text != "") - good - len(found.blank) - bad

    assert bad_in_quotes == sum(_extra_lines(text, line) for what in (FEWER, MORE) for line in found.bad.get(what, []))


def _extra_lines(text: str, line: int) -> int:
    """Return how many lines the record on ``line`` has beyond its first."""
    reader = csv.reader(io.StringIO("\n".join(text.split("\n")[line - 1 :]), newline="\n"))
    next(reader)
    return reader.line_num - 1


def test_short_and_long_records_are_bad_with_their_lines() -> None:
    """The number of cells is that of the header, no more and no less."""
    found = cut("1,2\n3\n4,5,6\n7,8\n")

    assert found.lines == [1, 4]
    assert found.bad == {FEWER: [2], MORE: [3]}


@pytest.mark.parametrize("line", ['"a"b,c', 'a"b,c', '""a,c', '"a" ,c', ' "a",c'])
def test_a_quote_where_none_may_stand_spoils_its_own_line_only(line: str) -> None:
    """Reading goes on at the next line; nothing after it is swallowed."""
    found = cut(f"1,2\n{line}\n3,4\n")

    assert found.lines == [1, 3]
    assert found.bad == {QUOTE: [2]}


def test_a_quote_that_swallowed_lines_ends_the_reading() -> None:
    """Which rows belong to a quoted cell that does not close properly cannot be told."""
    with pytest.raises(UnreadableError) as raised:
        cut('1,2\n3,"open\n5,"close"\n7,8\n')

    assert (raised.value.finding.rule, raised.value.finding.lines) == ("quote", [2])


def test_a_quote_open_in_the_last_line_spoils_that_line() -> None:
    """A file that was cut off loses its last row, not its verdict."""
    found = cut('1,2\n3,"open')

    assert found.lines == [1]
    assert found.bad == {QUOTE: [2]}


def test_line_ends_of_windows_and_a_last_line_without_end_are_fine() -> None:
    """Both are common and lose nothing."""
    found = cut('1,2\r\n3,"x\r\ny"\r\n5,6')

    assert found.lines == [1, 2, 4]
    assert found.bad == {}


def test_a_lonely_carriage_return_is_bad() -> None:
    """Some readers take it for a line end and some do not, so it is neither."""
    found = cut("1,2\n3\r,4\n5,6\n")

    assert found.lines == [1, 3]
    assert found.bad == {CARRIAGE_RETURN: [2]}


def test_blank_lines_are_no_rows() -> None:
    """They are counted, not read."""
    found = cut("1,2\n\n\r\n3,4\n\n")

    assert found.lines == [1, 4]
    assert found.blank == [2, 3, 5]


@pytest.mark.parametrize("opening", ["", '"'])
def test_a_record_without_end_is_an_error_not_a_memory_leak(opening: str) -> None:
    """A file without line ends, or with an open quote, is given up at the limit."""
    with pytest.raises(UnreadableError, match="longer than") as raised:
        cut(f"1,2\n3,{opening}" + "x\n" * 0 + "x" * (MAX_RECORD_BYTES + 10), block=1 << 16)

    assert raised.value.finding.lines == [2]


def test_many_bad_quotes_do_not_slow_reading_down() -> None:
    """Each restarts the reading in a short window, so the work stays in proportion."""
    found = cut('a"b,c\n' * 4_000 + "1,2\n")

    assert len(found.bad[QUOTE]) == 4_000
    assert found.lines == [4_001]
