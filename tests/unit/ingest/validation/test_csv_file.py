from __future__ import annotations

import codecs

import pytest
from interlock_tables import blocks

from tests.unit.ingest.validation.judging import NUMBERS, judge

TEXTS = {"x": {"type": "category"}, "y": {"type": "number"}}


def test_a_sound_file_is_stored_typed_in_declared_order() -> None:
    """Quoted cells, spaces around numbers and line ends of Windows change nothing."""
    judged = judge('extra,y,x\r\nq, 2 ,"a, ""b"""\r\n', TEXTS)

    assert [(row["x"], row["y"]) for row in judged.rows()] == [('a, "b"', 2.0)]
    assert judged.train is not None
    assert judged.train.column_names == ["x", "y", "__row__"]
    assert judged.warnings["extra_columns"].examples == ["extra"]


@pytest.mark.parametrize(
    ("content", "rule", "message"),
    [
        (b"", "empty_file", "empty"),
        (b"\n \n", "empty_file", "nothing but blanks"),
        (b"x,y\n", "no_rows", "no data rows"),
        (b"x,y", "no_rows", "no data rows"),
        (b"x;y\n1;2\n", "delimiter", "';'"),
        (b"x\ty\n1\t2\n", "delimiter", r"'\\t'"),
        (b"1,2\n3,4\n", "header", "is the header missing"),
        (b"Report of May\n\nx,y\n1,2\n", "header_position", "not on line 1 but on line 3"),
        (b"\nx,y\n1,2\n", "header_position", "line 2"),
        (b"x,y\r1,2\r3,4\r", "header", "carriage returns alone"),
        (b'x,"y\n1,2\n', "header", "unexpected end of data"),
        (b"x,y,x\n1,2,3\n", "duplicate_label", "more than once"),
        (b",x,y\n0,1,2\n", "blank_label", "exported index"),
        (b"x,y,\n1,2,\n3,4,5\n", "blank_label", "column 3 of 3), and cells stand below, the first in line 3"),
        (b"x,,y\n1,,2\n", "blank_label", "column 2 of 3"),
        (b"x\n1\n", "missing_column", "'y' is not in the file"),
        (b"X,y\n1,2\n", "missing_column", "it has 'X'"),
        (b"x,y\n1,2\n3,\xff\n", "encoding", r"byte 10 \(hexadecimal ff"),
        ("x,y\n1,2\n".encode("utf-16"), "encoding", "byte order mark of utf-16"),
        (b"x,y\n1,2\n3,\x004\n", "nul_bytes", "NUL"),
        (b"\x1f\x8b\x08\x00abc", "file_kind", "gzip"),
        (b"PK\x03\x04abc", "file_kind", "zip"),
        (b"PAR1abc", "file_kind", "format: parquet"),
        (b"<!DOCTYPE html><p>404", "file_kind", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "file_kind", "Git LFS"),
    ],
)
def test_a_file_that_is_not_what_was_declared_says_so(content: bytes, rule: str, message: str) -> None:
    """One reason, in words that say what would be right."""
    judged = judge(content)

    assert message.replace("\\", "") in judged.reason(rule).message.replace("\\", "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [None, 8])
def test_what_a_spreadsheet_leaves_around_a_table_is_ignored(
    monkeypatch: pytest.MonkeyPatch, end: str, block: int | None
) -> None:
    """Columns without a label or a cell at the right, rows without a cell at the end; and it is told."""
    if block is not None:
        monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    lines = ["x,y,,", "1,2,,", ",,,", "3,4, ,", ",,,", ",,,", ",,,"]
    judged = judge(end.join([*lines, ""]), TEXTS, rules={"max_null_target": 0.5, "max_null_fraction": 1.0})

    assert [row["x"] for row in judged.rows()] == ["1", "3"]
    assert judged.warnings["max_null_target"].lines == [3], "between other rows, it is a row"
    assert (judged.warnings["blank_line"].count, judged.warnings["blank_line"].lines) == (3, [5, 6, 7])
    assert judged.warnings["blank_label"].message == "2 columns at the end without a label or a cell; ignored"


def test_a_quoted_empty_text_at_the_end_is_a_cell() -> None:
    """Only delimiters alone are nothing."""
    judged = judge('x,y\n1,2\n"",3\n,4\n', TEXTS, csv={"null_values": ["NA"]})

    assert [row["x"] for row in judged.rows()].count("") == 2
    assert "blank_line" not in judged.warnings


def test_an_encoding_error_names_its_line_in_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is counted over blocks, and a character cut in two by a block's end is no error."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 7)
    assert judge("x,y\n" + "äöü€,1\n" * 5, TEXTS).result.accepted

    judged = judge(b"x,y\n" + "äöü€,1\n".encode() * 5 + b"\xe4,1\n", TEXTS)

    assert judged.reason("encoding").lines == [7]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "utf-32"])
def test_declared_encodings_are_read(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Python can decode piece by piece; byte order marks are no part of the text."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 5)
    judged = judge("x,y\nJürgen,1\nMañana,2\n".encode(encoding), TEXTS, csv={"encoding": encoding})

    assert {row["x"] for row in judged.rows()} == {"Jürgen", "Mañana"}


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    """Spreadsheets write one into UTF-8 files."""
    assert judge(codecs.BOM_UTF8 + b"x,y\n1,2\n").result.accepted


def test_declared_dialect_and_null_values_are_used() -> None:
    """Delimiter, quote and the spellings of nothing are what the pipeline says."""
    judged = judge("x;y\n'a;b';1\nNA;2\n;3\n", TEXTS, csv={"delimiter": ";", "quote": "'", "null_values": ["NA"]})

    assert {row["x"] for row in judged.rows()} == {"a;b", None, ""}


def test_all_reasons_come_at_once() -> None:
    """A user who mends a file need not find its faults one by one."""
    lines = ["x,z,w", "1,a,2", "5,b,oops", "-1,c,1", "2,d", "2,e,", "3,f,2"]
    columns = {
        "x": {"type": "number", "min": 0, "max": 4},
        "z": {"type": "category", "values": ["a", "b"], "max_cardinality": 2},
        "w": {"type": "integer", "max_null_fraction": 0.1},
        "y": {"type": "number"},
    }
    judged = judge("\n".join(lines) + "\n", columns, rules={"min_rows": 10})

    assert {rule: reason.lines for rule, reason in judged.reasons.items()} == {
        "missing_column": [],
        "type": [3],
        "row_width": [5],
        "min": [4],
        "values": [4, 6, 7],
        "max_null_fraction": [6],
        "max_cardinality": [],
        "min_rows": [],
    }
    assert judged.reasons["values"].examples == ["c", "e", "f"]
    assert judged.reasons["type"].examples == ["oops"]


def test_bad_rows_are_set_aside_up_to_the_allowed_number() -> None:
    """A row with two bad cells is one bad row."""
    content = "x,y\n1,2\na,b\n3,4\n5\n"

    refused = judge(content, rules={"max_bad_rows": 1})
    allowed = judge(content, rules={"max_bad_rows": 2})

    assert set(refused.reasons) == {"type", "row_width"}
    assert "2 rows were bad; rules.max_bad_rows allows 1" in refused.reasons["row_width"].message
    assert sorted(row["x"] for row in allowed.rows()) == [1.0, 3.0]
    assert [(row["line"], row["rule"], row["column"]) for row in allowed.result.profile["bad_rows_listed"]] == [
        (3, "type", "x"),
        (3, "type", "y"),
        (5, "row_width", None),
    ]


def test_extra_columns_are_refused_where_the_pipeline_is_strict() -> None:
    """By default they are ignored and listed."""
    assert judge("x,y,z\n1,2,3\n").result.profile["extra_columns"] == ["z"]
    assert judge("x,y,z\n1,2,3\n", extra_columns="refuse").reason("extra_columns").examples == ["z"]


def test_rows_without_target_are_dropped_up_to_the_allowed_share() -> None:
    """They cannot be learned from; too many of them mean that the file is wrong."""
    few = judge("x,y\n" + "1,2\n" * 9 + "3,\n")
    many = judge("x,y\n" + "1,2\n" * 8 + "3,\n" * 2)

    assert few.result.profile["rows_without_target"] == 1
    assert few.warnings["max_null_target"].lines == [11]
    assert many.reason("max_null_target").lines == [10, 11]


def test_a_missing_column_does_not_hide_the_faults_of_others() -> None:
    """Reading goes on with the columns that are there."""
    judged = judge("x\nfoo\n1\n", NUMBERS)

    assert set(judged.reasons) == {"missing_column", "type"}


def test_endless_misquoted_rows_are_not_read_to_the_end() -> None:
    """A wrong quote character is told after many rows, not after all."""
    judged = judge("x,y\n" + '1"2,3\n' * 10_500)

    assert any("is data.csv.quote right" in reason.message for reason in judged.result.reasons)


def test_a_file_of_excel_in_europe_is_read_as_declared() -> None:
    """Decimal comma, points between thousands, days before months, and the line by which Excel knows the delimiter."""
    columns = {"size": {"type": "number"}, "day": {"type": "datetime", "format": "%d.%m.%Y"}, "y": {"type": "integer"}}
    content = codecs.BOM_UTF8 + b"sep=;\r\nsize;day;y\r\n1.000,50;01.03.2024;1.000\r\n30,75;2024-03-02;2\r\n"
    judged = judge(content, columns, csv={"delimiter": ";", "decimal": ",", "thousands": "."})

    assert sorted((row["y"], row["size"], row["day"].isoformat()[:10]) for row in judged.rows()) == [
        (2, 30.75, "2024-03-02"),
        (1000, 1000.5, "2024-03-01"),
    ]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("1.5;1.2.2024", "has a point, and the declared decimal sign is ','; write 1,5"),
        ("1,5;2/1/2024", "write 31.01.2026, or ISO 8601"),
    ],
)
def test_what_is_not_written_as_declared_is_a_bad_cell(cells: str, why: str) -> None:
    """Never another value."""
    columns = {"x": {"type": "number"}, "day": {"type": "datetime", "format": "%d.%m.%Y"}, "y": {"type": "number"}}
    judged = judge(f"x;day;y\n{cells};1\n1,5;1.2.2024;1\n", columns, csv={"delimiter": ";", "decimal": ","})

    assert why in judged.reason("type").message
    assert judged.reason("type").lines == [2]


def test_the_delimiter_that_a_file_names_is_compared_with_the_declared_one() -> None:
    """So the mistake is named, and not guessed over."""
    assert "declare data.csv.delimiter: ';'" in judge("sep=;\nx;y\n1;2\n").reason("delimiter").message
