"""How `interlock init` reads a table: dialect, null words, types and formats."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.init.drafts import CITIES, ROWS, csv, draft, houses, line_of, refusals


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    """Whatever else stands in the cells."""
    columns = houses(remark=["a, b: c"] * 30 + ["d"] * 30)
    path = csv(tmp_path / "t.csv", columns, delimiter)
    _, pipeline = draft(path)

    assert pipeline.data.csv.delimiter == delimiter
    assert refusals(path, pipeline) == []


@pytest.mark.parametrize(("encoding", "declared"), [("utf-16", "utf-16"), ("cp1252", "cp1252"), ("utf-8-sig", "utf-8")])
def test_the_encoding_is_found(tmp_path: Path, encoding: str, declared: str) -> None:
    """By its mark, or because the text is no UTF-8."""
    path = tmp_path / "t.csv"
    path.write_text("größe,preis\n" + "".join(f"{n % 9},{n % 13}\n" for n in range(ROWS)), encoding=encoding)
    _, pipeline = draft(path)

    assert pipeline.data.csv.encoding == declared
    assert list(pipeline.data.columns) == ["größe", "preis"]
    assert refusals(path, pipeline) == []


def test_null_words_are_those_that_keep_a_column_from_its_type(tmp_path: Path) -> None:
    """`none` among texts is a value, `NA` among country codes is Namibia, and `?` is nowhere a value."""
    numbers: list[Any] = [n % 17 for n in range(ROWS)]
    columns = houses(
        rooms=["N/A", "none", *numbers[2:]],
        heating=[("none", "gas", "?")[n % 3] for n in range(ROWS)],
        country=[("NA", "SE", "NO")[n % 3] for n in range(ROWS)],
    )
    path = csv(tmp_path / "t.csv", columns)
    text, pipeline = draft(path)

    assert pipeline.data.csv.null_values == ["", "?", "N/A", "none"]
    assert pipeline.data.columns["rooms"].type == "integer"
    assert pipeline.data.columns["country"].values == ["NA", "NO", "SE"]
    assert "3.3% missing" in line_of(text, "rooms")
    assert "'none' counts as missing, as in the columns that need it" in line_of(text, "heating")
    assert refusals(path, pipeline) == []


def test_codes_stay_texts(tmp_path: Path) -> None:
    """A post code that loses its zero is another one, and so is an account number of twenty digits."""
    columns = houses(
        code=[f"0{n % 6}123" for n in range(ROWS)], account=[f"9999999999999999999{n % 6}" for n in range(ROWS)]
    )
    text, pipeline = draft(csv(tmp_path / "t.csv", columns))

    assert (pipeline.data.columns["code"].type, pipeline.data.columns["account"].type) == ("category", "category")
    assert "digits that are a code" in line_of(text, "code")


@pytest.mark.parametrize(
    ("cell", "delimiter", "declared"),
    [
        ("1,5", ";", (",", None)),
        ("1.500,25", ";", (",", ".")),
        ("1,500", ";", (",", None)),
        ("1,500", "|", (".", ",")),
        ("1'500.5", ",", (".", "'")),
        ("1\u202f500,5", ";", (",", " ")),
    ],
)
def test_the_signs_of_numbers_are_declared(
    tmp_path: Path, cell: str, delimiter: str, declared: tuple[str, str | None]
) -> None:
    """A comma is what its country takes it for; the file is then accepted as it is."""
    columns = houses(size=[cell.replace("1", str(1 + n % 6), 1) for n in range(ROWS)])
    path = csv(tmp_path / "t.csv", columns, delimiter)
    _, pipeline = draft(path)

    assert (pipeline.data.csv.decimal, pipeline.data.csv.thousands) == declared
    assert pipeline.data.columns["size"].type in ("number", "integer")
    assert refusals(path, pipeline) == []


@pytest.mark.parametrize(
    ("cell", "declared"),
    [("{}.03.2024", "%d.%m.%Y"), ("3/{}/2024", "%m/%d/%Y"), ("{}/03/2024 14:05", "%d/%m/%Y %H:%M")],
)
def test_the_format_of_dates_is_declared(tmp_path: Path, cell: str, declared: str) -> None:
    """Of those that all cells have."""
    path = csv(tmp_path / "t.csv", houses(sold=[cell.format(1 + n % 28) for n in range(ROWS)]))
    text, pipeline = draft(path)

    assert (pipeline.data.columns["sold"].type, pipeline.data.columns["sold"].format) == ("datetime", declared)
    assert refusals(path, pipeline) == []
    assert f'format: "{declared}"' in line_of(text, "sold")


def test_a_day_that_may_be_a_month_is_told(tmp_path: Path) -> None:
    """Only where no cell has a day after the twelfth."""
    early = csv(tmp_path / "early.csv", houses(sold=[f"3/{1 + n % 12}/2024" for n in range(ROWS)]))
    all_days = csv(tmp_path / "all.csv", houses(sold=[f"3/{1 + n % 28}/2024" for n in range(ROWS)]))

    assert "may as well be written %d/%m/%Y" in line_of(draft(early)[0], "sold")
    assert "may as well" not in line_of(draft(all_days)[0], "sold")


@pytest.mark.parametrize("cell", ["${}.50", "{} %", "€ {}", "{}£"])
def test_numbers_with_a_unit_are_named(tmp_path: Path, cell: str) -> None:
    """They are texts: as a feature told, as a target refused."""
    columns = houses(size=[cell.format(n % 9) for n in range(ROWS)])
    text, _ = draft(csv(tmp_path / "t.csv", columns))
    prices = houses(price=[cell.format(n) for n in range(ROWS)])

    assert "numbers with a unit, which make a text" in line_of(text, "size")
    refused = interlock("init", csv(tmp_path / "p.csv", prices), "--target", "price", "--output", tmp_path / "p.yaml")
    assert refused.code != 0
    assert "hardly one twice; numbers with a unit" in " ".join(refused.err.split())


def test_the_line_by_which_excel_knows_the_delimiter_is_skipped(tmp_path: Path) -> None:
    """As ingest skips it."""
    path = csv(tmp_path / "t.csv", houses(), ";")
    path.write_text("sep=;\n" + path.read_text())
    _, pipeline = draft(path)

    assert pipeline.data.csv.delimiter == ";"
    assert refusals(path, pipeline) == []


def test_one_odd_word_in_a_column_of_numbers_is_named(tmp_path: Path) -> None:
    """It may mean missing, but nobody but the user knows."""
    text, _ = draft(csv(tmp_path / "t.csv", houses(size=["tbd", *[n % 9 for n in range(ROWS - 1)]])))

    assert "name 'tbd' in null_values if it means missing" in line_of(text, "size")


def test_json_lines_are_taken_as_they_are_typed(tmp_path: Path) -> None:
    """Floats that are whole in the first rows stay numbers; what is nested has no type and is left out."""
    path = tmp_path / "t.jsonl"
    rows = [
        {"on": bool(n % 2), "x": float(n % 8), "tags": [n], "at": "2024-05-01T10:00:00Z", "y": n % 20}
        for n in range(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text, pipeline = draft(path)

    assert {name: each.type for name, each in pipeline.data.columns.items()} == {
        "on": "boolean",
        "x": "number",
        "y": "integer",
    }
    assert "left out: no type takes all its cells" in line_of(text, "tags")
    assert '"on":' in text
    assert refusals(path, pipeline) == []


def test_parquet_is_taken_as_it_is_stored(tmp_path: Path) -> None:
    """Nested columns are left out."""
    table = pa.table(
        {
            "on": [bool(n % 2) for n in range(ROWS)],
            "x": [float(n % 8) for n in range(ROWS)],
            "c": pa.array([CITIES[n % 3] for n in range(ROWS)]).dictionary_encode(),
            "nested": [{"a": n} for n in range(ROWS)],
            "at": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(ROWS)],
            "y": [n % 20 for n in range(ROWS)],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    _, pipeline = draft(tmp_path / "t.parquet")

    kinds = {"on": "boolean", "x": "number", "c": "category", "at": "datetime", "y": "integer"}
    assert {name: each.type for name, each in pipeline.data.columns.items()} == kinds
    assert refusals(tmp_path / "t.parquet", pipeline) == []


def test_of_a_long_file_the_first_rows_are_read_and_that_is_said(tmp_path: Path) -> None:
    """No value that later rows may have is forbidden."""
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("city,y\n")
        file.writelines(f"{CITIES[n % 3]},{n % 50}\n" for n in range(100_001))
    text, pipeline = draft(path)

    assert "the first 100,000 rows were read, and later ones may hold more" in text
    assert pipeline.data.columns["city"].values is None
    assert interlock("init", path, "--output", tmp_path / "p.yaml", "--json").json["all_rows"] is False
