"""`interlock init`: what it finds in a table, and what it writes of it."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.init.drafts import CITIES, ROWS, csv, draft, houses, line_of, refusals


def test_types_values_and_ranges_are_declared_and_explained(tmp_path: Path) -> None:
    """Values as a rule where they are few, ranges as a remark: the next file may have a dearer house."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    more: dict[str, list[Any]] = {
        "sold": [(start + timedelta(days=n)).date() for n in range(ROWS)],
        "new": [("yes", "no")[n % 2] for n in range(ROWS)],
    }
    path = csv(tmp_path / "houses.csv", houses(**more))
    text, pipeline = draft(path)

    columns = pipeline.data.columns
    assert {name: each.type for name, each in columns.items()} == {
        "city": "category",
        "area": "number",
        "price": "integer",
        "sold": "datetime",
        "new": "boolean",
    }
    assert columns["city"].values == sorted(CITIES)
    assert "# the target; 1000 to 1499" in line_of(text, "price")
    assert "# 2024-01-01 to 2024-02-29" in line_of(text, "sold")
    assert "# holdout: {fraction: 0.2, by: time, column: sold}" in text
    assert (pipeline.name, pipeline.task, pipeline.target) == ("houses", "regression", "price")
    assert refusals(path, pipeline) == []


def test_a_named_target_decides_the_task(tmp_path: Path) -> None:
    """A category is classified, and its name may be anything that stands in the header."""
    path = csv(tmp_path / "houses.csv", houses())
    _, pipeline = draft(path, "--target", "city", "--model", "cities")

    assert (pipeline.name, pipeline.task, pipeline.target) == ("cities", "classification", "city")


def test_a_misspelt_target_is_answered_with_the_near_one(tmp_path: Path) -> None:
    """And nothing is written."""
    path = csv(tmp_path / "houses.csv", houses())
    ended = interlock("init", path, "--target", "prize", "--output", tmp_path / "p.yaml")

    assert ended.code == 1
    assert "no column is called 'prize'" in ended.err
    assert "perhaps 'price'" in ended.err
    assert not (tmp_path / "p.yaml").exists()


def test_a_guess_is_told_as_one(tmp_path: Path) -> None:
    """By name, else the last column that could be a target: no datetime, no text, no constant."""
    columns: dict[str, list[Any]] = {
        "a": [n % 7 for n in range(ROWS)],
        "b": [n % 11 for n in range(ROWS)],
        "c": [1] * ROWS,
    }
    path = csv(tmp_path / "t.csv", columns)
    ended = interlock("init", path, "--output", tmp_path / "p.yaml")

    assert "target 'b' is a guess: the last column that could be one; name another with --target" in ended.out
    assert "# a guess: the last column that could be one" in (tmp_path / "p.yaml").read_text()


def test_what_is_no_feature_is_left_out_with_the_reason(tmp_path: Path) -> None:
    """Constants, counters and texts; a column that is called an identifier and is one becomes the key."""
    path = csv(
        tmp_path / "t.csv",
        houses(
            house_id=[f"h{n * 7 % ROWS}" for n in range(ROWS)],
            country=["IT"] * ROWS,
            row=list(range(5, 5 + ROWS)),
            note=[f"note {n % 50}" for n in range(ROWS)],
            street=[f"street {n}" for n in range(ROWS)],
            nothing=[""] * ROWS,
        ),
    )
    text, pipeline = draft(path)

    assert pipeline.data.key == ["house_id"]
    assert list(pipeline.features) == ["city", "area"]
    assert "left out: all rows have the same value, IT" in line_of(text, "country")
    assert "left out: it counts the rows" in line_of(text, "row")
    assert "left out: text: 50 different values in 60 rows" in line_of(text, "note")
    assert "left out: another text in every row" in line_of(text, "street")
    assert "left out: no row has a value" in line_of(text, "nothing")
    assert refusals(path, pipeline) == []


def test_a_line_that_was_left_out_is_declared_by_taking_the_sign_away(tmp_path: Path) -> None:
    """So that an edit is one key press."""
    path = csv(tmp_path / "t.csv", houses(country=["IT"] * ROWS))
    text, _ = draft(path)
    (tmp_path / "p.yaml").write_text(text.replace("    # country:", "    country:"))

    assert interlock("validate", tmp_path / "p.yaml").code == 0
    assert "3 features" in interlock("validate", tmp_path / "p.yaml").out


@pytest.mark.parametrize(
    ("leak", "target"),
    [
        (lambda n: 2.5 * (1000 + n * 37 % 500), "price"),
        (lambda n: f"in {CITIES[n % 3]}", "city"),
        (lambda n: n % 3 * 10 + n % 2, "city"),
    ],
)
def test_a_column_that_gives_the_target_away_is_named(tmp_path: Path, leak: Callable[[int], Any], target: str) -> None:
    """Whoever knows it beforehand leaves it; the others have met the commonest fault of all."""
    rows = 40 * ROWS
    columns: dict[str, list[Any]] = {
        "city": [CITIES[n % 3] for n in range(rows)],
        "area": [40.5 + n * 7 % 50 for n in range(rows)],
        "price": [1000 + n * 37 % 500 for n in range(rows)],
        "tax": [leak(n) for n in range(rows)],
    }
    text, pipeline = draft(csv(tmp_path / "t.csv", columns), "--target", target)

    assert f"a leak? It tells '{target}' by itself" in line_of(text, "tax")
    assert "tax" in pipeline.features
    assert "leak" not in line_of(text, "area")


def test_a_target_with_many_gaps_has_them_allowed(tmp_path: Path) -> None:
    """Else the very file would be refused."""
    path = csv(tmp_path / "t.csv", houses(score=["" if n % 3 else n for n in range(ROWS)]))
    _, pipeline = draft(path, "--target", "score")

    assert pipeline.data.rules.max_null_target == 0.7
    assert refusals(path, pipeline) == []


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    """Somebody has perhaps worked on it."""
    path, output = csv(tmp_path / "t.csv", houses()), tmp_path / "pipeline.yaml"
    output.write_text("mine")

    assert interlock("init", path, "--output", output).code == 1
    assert output.read_text() == "mine"
    assert interlock("init", path, "--output", output, "--force").code == 0
    assert "target: price" in output.read_text()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ("a,b\n", "no data rows"),
        ("a\n1\n2\n", "a target and a feature are needed"),
        ("Report of May\na,b\n1,2\n3,4\n", "remove what stands before the header"),
        ("a,a,b\n1,2,3\n", "each column needs a name of its own"),
        ("PK\x03\x04", "zip archive"),
        ("a,b\n1\n2\n", "fewer cells than the header"),
    ],
)
def test_a_file_that_ingest_would_refuse_is_refused_in_words(tmp_path: Path, content: str, told: str) -> None:
    """Before somebody writes a pipeline for it."""
    (tmp_path / "t.csv").write_text(content)
    ended = interlock("init", tmp_path / "t.csv", "--output", tmp_path / "p.yaml")

    assert ended.code == 1
    assert told in ended.err


def test_without_its_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line alone has no arrays and no readers."""
    for name in [name for name in sys.modules if name.startswith(("interlock_cli.init.", "interlock_tables"))]:
        if name != "interlock_cli.init.command":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "interlock_tables", None)
    ended = interlock("init", csv(tmp_path / "t.csv", houses()), "--output", tmp_path / "p.yaml")

    assert ended.code == 1
    assert "install interlock-cli[init]" in ended.err


@pytest.mark.parametrize(
    ("columns", "options", "told"),
    [
        ({}, ("--model", "My Houses"), "name: String should match pattern"),
        ({"city": [[]] * ROWS, "area": [[]] * ROWS}, (), "is left to learn 'price' from"),
        ({}, ("--target", "sold"), "'sold' cannot be the target: all rows have the same value"),
    ],
)
def test_what_no_pipeline_can_be_made_of_is_told(
    tmp_path: Path, columns: dict[str, list[Any]], options: tuple[str, ...], told: str
) -> None:
    """With the contract's own words, and no file."""
    table = houses(sold=[True] * ROWS) if not columns else houses(**columns)
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(json.dumps(dict(zip(table, row, strict=True))) + "\n" for row in zip(*table.values(), strict=True))
    )
    ended = interlock("init", path, "--output", tmp_path / "p.yaml", *options)

    assert ended.code == 1
    assert told in ended.err
    assert not (tmp_path / "p.yaml").exists()


def test_bad_rows_are_named_in_the_file(tmp_path: Path) -> None:
    """The next step is theirs: to be mended or allowed."""
    path = csv(tmp_path / "t.csv", houses())
    path.write_text(path.read_text() + "Oslo,3\n")
    text, _ = draft(path)

    assert "1 bad row (line 62): the row has fewer cells than the header" in text


def test_on_a_terminal_the_target_is_asked_for(tmp_path: Path) -> None:
    """With the likeliest as the default, and the columns in sight."""
    path = csv(tmp_path / "houses.csv", houses())
    terminal, other = pty.openpty()
    command = [sys.executable, "-m", "interlock_cli", "init", str(path), "--output", str(tmp_path / "p.yaml")]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other) as process:
        os.close(other)
        shown = b""
        while b"[price]" not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, b"area\n")
        try:
            while os.read(terminal, 1000):
                pass
        except OSError:  # the other end is closed
            pass
        assert process.wait(timeout=60) == 0
    os.close(terminal)

    assert b"columns: city, area, price" in shown
    assert "target: area" in (tmp_path / "p.yaml").read_text()
