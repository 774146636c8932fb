"""CSV texts of spreadsheets: the line that names the delimiter, and what is left around the table."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.csv_lines import named_delimiter, table_lines

RUNS = settings(max_examples=200)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sep=;\r\na;b", (";", "a;b")),
        ("sep=\t\na\tb", ("\t", "a\tb")),
        ("sep=;", (";", "")),
        ("sep=\na", (None, "sep=\na")),
        ("sep=a\nb", (None, "sep=a\nb")),
        ('sep="\nb', (None, 'sep="\nb')),
        ("a;b\nsep=;\n", (None, "a;b\nsep=;\n")),
        ("", (None, "")),
    ],
)
def test_only_a_first_line_names_the_delimiter(text: str, told: tuple[str | None, str]) -> None:
    """A letter delimits nothing; it is the label of a column."""
    assert named_delimiter(text) == told


cells = st.text(st.sampled_from('ab;," \r\n'), max_size=4)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=4)
)


@RUNS
@given(tables, st.sampled_from([",", ";"]), st.sampled_from(["\n", "\r\n"]), st.integers(0, 3), st.data())
def test_a_table_is_read_back_whatever_stands_around_it(
    rows: list[list[str]], delimiter: str, end: str, ghosts: int, data: st.DataObject
) -> None:
    """Quoted cells are kept as they are, also empty ones and those with line ends."""
    width = len(rows[0])
    header = [f"column {place}" for place in range(width)]
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([[*header], *rows])
    around = data.draw(st.lists(st.sampled_from(["", delimiter * (width - 1)]), min_size=ghosts, max_size=ghosts))
    text = written.getvalue() + end.join(around)

    assert table_lines(text, delimiter) == [header, *rows]


def test_an_empty_cell_in_quotes_is_a_row_of_a_single_column() -> None:
    """As pandas writes a missing one; a blank line is no row."""
    assert table_lines('a\n1\n\n""\n', ",") == [["a"], ["1"], [""]]


def test_columns_without_a_label_are_left_out_unless_a_cell_stands_below() -> None:
    """Then somebody must say what it is."""
    assert table_lines("a;b;;\n1;;;\n;;;\n", ";") == [["a", "b"], ["1", ""]]
    assert table_lines("a;b;;\n1;;;x\n", ";") == [["a", "b", "", ""], ["1", "", "", "x"]]
    assert table_lines(";;\r\n", ";") == [[]]
