"""Each nasty file of ../shared/data/dirty_csv gets the result of its manifest, or a better one that is named here."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation import ValidationResult
from interlock_ingest.validation.validate import validate

DIRTY = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "dirty_csv"

pytestmark = pytest.mark.skipif(not DIRTY.is_dir(), reason="needs ../shared/data/dirty_csv")

SHOP = {"ProductDescription": "category", "ProductType": "category", "Price": "category", "Qty": "integer"}
TRAVEL = {"Row Labels": "category", "Sum of Transaction - Billing Amount": "number"}
WATER = {"Total consumption (m3)": "number", "Consumption (m3)/ FTE": "number"}
BALANCE = {"Histórico": "category", "Valor": "number"}
DOGS = {"name": "category", "age": "integer", "current_day": "datetime", " barks": "integer"}


@dataclass(frozen=True)
class Case:
    """A file with the pipeline a user would write for it, and the rules that its result names."""

    file: str
    columns: dict[str, str]
    target: str
    refused: dict[str, list[int]] = field(default_factory=dict)
    """By rule the lines of a refusal; empty for an accepted file."""
    rows: int = 0
    """Rows of an accepted file."""
    warned: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def rules(**limits: float) -> dict[str, Any]:
    return {"rules": limits}


REFUSED = [
    Case("03_pollock_header_only", SHOP, "Qty", {"no_rows": []}),
    Case("05_pollock_no_header", SHOP, "Qty", {"header": [1]}),
    Case("07_pollock_preamble", SHOP, "Qty", {"header_position": [3]}),
    Case("09_pollock_semicolon", SHOP, "Qty", {"delimiter": [1]}),
    Case("11_pollock_space_delim", SHOP, "Qty", {"delimiter": [1]}),
    Case("11_pollock_space_delim", SHOP, "Qty", {"row_width": [2, 3, 4, 5, 7]}, data={"csv": {"delimiter": " "}}),
    Case("13_pollock_escape_missing", SHOP, "Qty", {"quote": [11, 13, 22, 23, 40]}),
    Case("15_pollock_row10_missing_sep", SHOP, "Qty", {"row_width": [11]}),
    Case("17_pollock_row10_extra_quote", SHOP, "Qty", {"quote": [11]}),
    Case("19_real_gov_preamble", TRAVEL, "Sum of Transaction - Billing Amount", {"header_position": [3]}),
    Case("21_real_gov_thousands_sep", WATER, "Consumption (m3)/ FTE", {"header_position": [2]}),
    Case("23_real_git_lfs_pointer", SHOP, "Qty", {"file_kind": [1]}),
    Case("25_frictionless_duplicate_headers", {"name": "category", "age": "integer"}, "age", {"duplicate_label": [1]}),
    Case(
        "27_frictionless_defective_rows",
        {"name": "category", "age": "integer"},
        "age",
        {"row_width": [2, 3], "min_rows": []},
    ),
    # Better than the manifest: both of its two rows are bad, so setting them aside leaves no data to accept.
    Case(
        "27_frictionless_defective_rows",
        {"name": "category", "age": "integer"},
        "age",
        {"min_rows": []},
        warned=("row_width",),
        data=rules(max_bad_rows=2),
    ),
    Case("29_frictionless_latin1", {"id": "integer", "name": "category"}, "id", {"encoding": [3]}),
    # A pipeline has a target and at least one feature, so a file of one column cannot be accepted; the warning comes.
    Case(
        "31_frictionless_leading_zeros",
        {"value": "integer", "other": "number"},
        "value",
        {"missing_column": []},
        warned=("leading_zeros",),
    ),
    Case("33_csvlint_invalid_utf8", BALANCE, "Valor", {"encoding": [1]}),
    Case("35_csvkit_bad", {"column_b": "category", "column_c": "category"}, "column_c", {"row_width": [2, 3]}),
    Case("37_csvkit_utf16_be", {"a": "integer", "c": "category"}, "a", {"encoding": [1]}),
    Case("45_duckdb_cast_and_short_rows", DOGS, " barks", {"row_width": [4, 5]}),
    Case(
        "47_duckdb_dup_and_blank_headers",
        {"a": "integer", "b": "category"},
        "a",
        {"duplicate_label": [1], "blank_label": [1], "missing_column": []},
    ),
    Case("49_duckdb_nightmare", {"b": "integer", "c": "category"}, "b", {"encoding": [38]}),
]

ACCEPTED = [
    Case("01_pollock_source", SHOP, "Qty", rows=83),
    Case("09_pollock_semicolon", SHOP, "Qty", rows=83, data={"csv": {"delimiter": ";"}}),
    Case("15_pollock_row10_missing_sep", SHOP, "Qty", rows=82, warned=("row_width",), data=rules(max_bad_rows=1)),
    Case("17_pollock_row10_extra_quote", SHOP, "Qty", rows=82, warned=("quote",), data=rules(max_bad_rows=1)),
    Case(
        "29_frictionless_latin1",
        {"id": "integer", "name": "category"},
        "id",
        rows=2,
        data={"csv": {"encoding": "latin-1"}},
    ),
    # Its lines end in a delimiter: a column without a label and without any cell.
    Case(
        "33_csvlint_invalid_utf8",
        BALANCE,
        "Valor",
        rows=23,
        data={"csv": {"encoding": "latin-1"}},
        warned=("blank_label", "extra_columns"),
    ),
    Case(
        "35_csvkit_bad",
        {"column_b": "category", "column_c": "category"},
        "column_c",
        rows=1,
        warned=("row_width",),
        data=rules(max_bad_rows=2),
    ),
    Case("37_csvkit_utf16_be", {"a": "integer", "c": "category"}, "a", rows=2, data={"csv": {"encoding": "utf-16"}}),
    Case(
        "39_csvkit_null_words",
        dict.fromkeys("abcde", "number") | {"f": "category"},
        "f",
        rows=1,
        data={"csv": {"null_values": ["", "NA", "N/A", "NONE", "NULL"]}},
    ),
    Case("41_spectrum_quotes_newlines", {"a": "integer", "b": "category"}, "a", rows=2),
    Case("43_spectrum_utf8", {"a": "integer", "c": "category"}, "a", rows=2),
    Case("45_duckdb_cast_and_short_rows", DOGS, " barks", rows=2, warned=("row_width",), data=rules(max_bad_rows=2)),
]


def judged(case: Case, folder: Path, file: Path | None = None) -> ValidationResult:
    declared = {
        "name": "dirty",
        "task": "regression" if case.columns[case.target] in ("integer", "number") else "classification",
        "target": case.target,
        "data": {"columns": {name: {"type": kind} for name, kind in case.columns.items()}} | case.data,
    }
    return validate(file or DIRTY / "files" / f"{case.file}.csv", Pipeline.model_validate(declared), folder)


def table(result: ValidationResult) -> pa.Table:
    assert result.parts is not None
    return pa.concat_tables([pq.read_table(result.parts.train), pq.read_table(result.parts.holdout)])


def names(case: Case) -> str:
    return f"{case.file[:2]}-{case.rows}-{'-'.join(case.refused)}"


@pytest.mark.parametrize("case", REFUSED, ids=names)
def test_bad_file_is_refused_with_its_reason_and_lines(case: Case, tmp_path: Path) -> None:
    """Each bad file is refused by the rule that names its fault, on the lines where it is."""
    result = judged(case, tmp_path)

    assert not result.accepted
    lines: dict[str, list[int]] = {}
    for reason in result.reasons:
        lines[reason.rule] = sorted({*lines.get(reason.rule, []), *reason.lines})
    assert lines == case.refused
    assert set(case.warned) <= {warning.rule for warning in result.warnings}


@pytest.mark.parametrize("case", ACCEPTED, ids=names)
def test_sound_file_is_accepted_and_bad_rows_are_set_aside(case: Case, tmp_path: Path) -> None:
    """Each sound file, and each whose bad rows are allowed, is accepted with exactly its good rows."""
    result = judged(case, tmp_path)

    assert result.reasons == []
    assert table(result).num_rows == case.rows
    assert set(case.warned) <= {warning.rule for warning in result.warnings}


@pytest.mark.parametrize("case", [case for case in ACCEPTED if case.columns is SHOP], ids=names)
def test_accepted_rows_are_those_of_the_clean_file(case: Case, tmp_path: Path) -> None:
    """Every cell that is stored is the cell of the suite's clean version of the file."""
    with (DIRTY / "expected" / f"{case.file}.clean.csv").open(newline="") as file:
        clean = {tuple(row[name] for name in SHOP) for row in csv.DictReader(file)}

    stored = {tuple(str(row[name]) for name in SHOP) for row in table(judged(case, tmp_path)).to_pylist()}

    assert len(stored) == case.rows
    assert stored <= clean


def test_quoted_line_ends_and_quotes_arrive_as_they_are(tmp_path: Path) -> None:
    """A legal quoted cell with line ends and doubled quotes is one value."""
    case = next(case for case in ACCEPTED if case.file.startswith("41"))
    expected = json.loads((DIRTY / "expected" / "41_spectrum_quotes_newlines.json").read_text())

    rows = sorted(table(judged(case, tmp_path)).to_pylist(), key=lambda row: row["a"])

    assert [{"a": str(row["a"]), "b": row["b"]} for row in rows] == expected


def test_leading_zeros_are_accepted_with_a_warning(tmp_path: Path) -> None:
    """Codes read as integers lose their zeros, which the result of an accepted file says."""
    lines = (DIRTY / "files" / "31_frictionless_leading_zeros.csv").read_text().splitlines()
    file = tmp_path / "two_columns.csv"
    file.write_text("".join(f"{line},{extra}\n" for line, extra in zip(lines, ("other", "1", "2", "3"), strict=True)))
    case = Case("31", {"value": "integer", "other": "number"}, "value")

    result = judged(case, tmp_path, file)

    assert result.accepted
    assert [(warning.lines, warning.examples) for warning in result.warnings if warning.rule == "leading_zeros"] == [
        ([2, 3, 4], ["01", "002", "00003"])
    ]


def test_every_file_of_the_manifest_is_judged() -> None:
    """No file is left out: each has a case above."""
    with (DIRTY / "manifest.csv").open(newline="") as file:
        listed = {row["file"].removesuffix(".csv") for row in csv.DictReader(file)}

    assert {case.file for case in REFUSED + ACCEPTED} == listed
