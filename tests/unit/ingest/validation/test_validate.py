from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_ingest.validation import parts, staging
from interlock_modeling.split import ROW_COLUMN, row_hashes
from numpy.typing import NDArray

from tests.unit.ingest.validation.judging import judge

KEYED = {"id": {"type": "integer"}, "x": {"type": "number"}, "y": {"type": "number"}}
DATED = {"at": {"type": "datetime"}, "x": {"type": "number"}, "y": {"type": "number"}}


def csv(rows: int, *, start: int = 0) -> str:
    return "x,y\n" + "".join(f"{n}.25,{n % 7}\n" for n in range(start, start + rows))


def dated(rows: int) -> str:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(hours=n * 37 % rows) for n in range(rows)]
    return "at,x,y\n" + "".join(f"{at.isoformat()},{n},1\n" for n, at in enumerate(times))


def test_equal_rows_are_all_kept_and_fall_on_one_side() -> None:
    """However they are spelt: 1, 1.0 and " 1 " are one value."""
    judged = judge(csv(300) + "0.250, 0\n1.25,1.0\n7.25,0\n")

    assert judged.train is not None
    assert judged.holdout is not None
    assert len(judged.rows()) == 303
    assert not set(judged.train["x"].to_pylist()) & set(judged.holdout["x"].to_pylist())
    assert judged.result.profile["repeated_rows"] == 3
    assert judged.warnings["repeated_rows"].count == 3


def test_base_rates_are_kept() -> None:
    """A table of few values says by how often a row stands in it what is likely."""
    rows = ["a,yes"] * 900 + ["a,no"] * 100 + ["b,yes"] * 50 + ["b,no"] * 950
    columns = {"x": {"type": "category"}, "y": {"type": "category"}}
    judged = judge("x,y\n" + "\n".join(rows) + "\n", columns)

    assert Counter(f"{row['x']},{row['y']}" for row in judged.rows()) == Counter(rows)


def test_with_a_unique_key_exact_repeats_count_once() -> None:
    """The key says that they are one row."""
    judged = judge("id,x,y\n1,1,1\n2,2,2\n1,1,1\n3,3,3\n", KEYED, key="id", rules={"unique_key": True})

    assert len(judged.rows()) == 3
    assert "unique_key keeps one" in judged.warnings["repeated_rows"].message


def test_a_row_is_on_the_same_side_in_every_batch_and_format() -> None:
    """The side follows from the row's content alone, never from its position or file."""
    first, second = judge(csv(400)), judge(csv(400, start=200))
    objects = "".join(json.dumps({"y": n % 7, "x": n + 0.25}) + "\n" for n in reversed(range(400)))
    other = judge(objects, format="jsonl")

    assert first.holdout is not None
    assert second.train is not None
    assert other.holdout is not None
    held = set(first.holdout["x"].to_pylist())
    assert 0.1 < len(held) / 400 < 0.3
    assert set(other.holdout["x"].to_pylist()) == held
    assert not held & set(second.train["x"].to_pylist())


def test_rows_with_one_key_fall_on_one_side() -> None:
    """All rows of a customer are either learned from or judged by."""
    content = "id,x,y\n" + "".join(f"{n % 40},{n},1\n" for n in range(400))
    judged = judge(content, KEYED, key="id")

    assert judged.train is not None
    assert judged.holdout is not None
    assert not set(judged.train["id"].to_pylist()) & set(judged.holdout["id"].to_pylist())
    assert "__key__" not in judged.train.column_names


@pytest.mark.parametrize("word", ["group", "identity"])
def test_group_and_identity_decide_the_side_whatever_else_the_columns_are(word: str) -> None:
    """Rows that share them fall on one side, and stay there when a column is added or corrected."""
    rows = [(n % 40, n) for n in range(400)]
    narrow = judge("id,x,y\n" + "".join(f"{id_},{x},1\n" for id_, x in rows), KEYED, **{word: "id"})
    wide = judge(
        "id,x,y,z\n" + "".join(f"{id_},{x + 1},2,{x}\n" for id_, x in rows),
        {**KEYED, "z": {"type": "number"}},
        **{word: "id"},
    )

    sides = []
    for judged in (narrow, wide):
        assert judged.train is not None
        assert judged.holdout is not None
        sides.append((set(judged.train["id"].to_pylist()), set(judged.holdout["id"].to_pylist())))
    assert sides[0] == sides[1]
    assert not sides[0][0] & sides[0][1]
    assert all(sides[0])


def test_a_group_is_held_together_where_rows_have_a_key() -> None:
    """The key still says what one row is."""
    columns = {**KEYED, "owner": {"type": "integer"}}
    content = "id,x,y,owner\n" + "".join(f"{n},{n},1,{n % 30}\n" for n in range(300))
    judged = judge(content, columns, key="id", group="owner", rules={"unique_key": True})

    assert judged.train is not None
    assert judged.holdout is not None
    assert not set(judged.train["owner"].to_pylist()) & set(judged.holdout["owner"].to_pylist())


def test_repeated_keys_are_refused_where_they_must_be_unique() -> None:
    """An exact repeat of a row is no second row with its key."""
    content = "id,x,y\n1,1,1\n2,2,2\n1,1,1\n3,3,3\n2,9,2\n"

    assert judge(content, KEYED, key="id").result.accepted
    reason = judge(content, KEYED, key="id", rules={"unique_key": True}).reason("unique_key")
    assert (reason.count, reason.lines) == (2, [3, 6])
    assert judge("id,x,y\n,1,1\n", KEYED, key="id", rules={"unique_key": True}).reason("unique_key").lines == [2]


def test_a_split_by_time_holds_out_the_newest_part() -> None:
    """Wherever it stands in the file; and the cut is told."""
    judged = judge(dated(100), DATED, holdout={"by": "time", "column": "at", "fraction": 0.3})

    assert judged.train is not None
    assert judged.holdout is not None
    learned: list[Any] = judged.train["at"].to_pylist()
    held: list[Any] = judged.holdout["at"].to_pylist()
    assert (len(held), max(learned) < min(held)) == (30, True)
    assert judged.result.profile["holdout"]["cut"] == min(held).isoformat()


@pytest.mark.parametrize("holdout", [{"by": "hash"}, {"by": "time", "column": "at"}])
def test_all_rows_of_an_evaluation_file_are_held_out(holdout: dict[str, Any]) -> None:
    """Whatever the pipeline splits by: equal rows, times that are all the same, and a file of one row as well."""
    header, row = "at,x,y\n", "2026-01-01,1,1\n"
    for rows in (header + row, header + row + row + "2026-01-01,2,1\n"):
        judged = judge(rows, DATED, role="evaluation", holdout=holdout)

        assert judged.train is not None
        assert judged.holdout is not None
        assert (judged.train.num_rows, judged.holdout.num_rows) == (0, rows.count("\n") - 1)
        assert judged.train.schema == judged.holdout.schema
        assert "holdout" not in judged.warnings
        assert judged.result.profile["holdout"] == {"fraction": 1.0, "by": "role", "column": None}


def test_a_split_by_time_needs_times_that_differ_and_are_there() -> None:
    """Else nobody can say who is newest."""
    by_time = {"by": "time", "column": "at"}

    same = judge("at,x,y\n2026-01-01,1,1\n2026-01-01,2,1\n", DATED, holdout=by_time)
    missing = judge("at,x,y\n2026-01-01,1,1\n,2,1\n", DATED, holdout=by_time)

    assert "none is left to train on" in same.reason("holdout").message
    assert missing.reason("holdout").lines == [3]


def test_equal_rows_make_equal_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored files are addressed by content, so the same rows in the same order must be the same bytes."""
    monkeypatch.setattr(parts, "_GROUP_ROWS", 100)
    first = judge(csv(500))
    second = judge("".join(json.dumps({"x": n + 0.25, "y": n % 7}) + "\n" for n in range(500)), format="jsonl")

    assert first.digests == second.digests
    assert first.digests is not None
    assert pq.ParquetFile(io.BytesIO(first.digests[0])).num_row_groups > 1


def test_every_stored_row_carries_its_hash() -> None:
    """So that repeats over batches can be told without reading the columns."""
    judged = judge(csv(50))

    assert judged.train is not None
    columns = {name: judged.train[name].combine_chunks() for name in ("x", "y")}
    assert judged.train[ROW_COLUMN].to_pylist() == row_hashes(columns).tolist()


def test_a_small_file_may_leave_a_side_empty_with_a_warning() -> None:
    """It is the user's min_rows that says how small is too small."""
    judged = judge("x,y\n1,2\n")

    assert judged.result.accepted
    assert judged.warnings["holdout"].message.startswith("the ")


@given(st.lists(st.lists(st.integers(-(2**61), 2**61), max_size=20), min_size=1), st.data())
def test_the_nth_largest_is_found_in_passes(blocks: list[list[int]], data: st.DataObject) -> None:
    """As if all values were sorted at once."""
    values = sorted(value for block in blocks for value in block)
    if not values:
        return
    n = data.draw(st.integers(1, len(values)))

    def passes() -> Iterator[NDArray[np.int64]]:
        return (np.array(block, dtype=np.int64) for block in blocks)

    assert staging.nth_largest(passes, n) == values[-n]


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_random_bytes_are_judged_not_crashed_on(content: bytes, form: str) -> None:
    """Whatever comes in, a result comes out."""
    judge(content, format=form)


@settings(max_examples=100)
@given(st.text(st.sampled_from('x,y\n\r"1.5-eé\0 '), max_size=60), st.integers(0, 3))
def test_almost_csv_is_judged_not_crashed_on(content: str, allowed: int) -> None:
    """The grammar's own characters in every order, below a sound header."""
    judge("x,y\n" + content, rules={"max_bad_rows": allowed})


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 255), st.data())
def test_parquet_with_a_wrong_byte_is_judged_not_crashed_on(at: int, value: int, data: st.DataObject) -> None:
    """Damage anywhere: in the footer, in a page, in a length."""
    judged = judge(csv(20))
    assert judged.digests is not None
    content = bytearray(judged.digests[data.draw(st.integers(0, 1))])
    content[at % len(content)] = value
    columns: dict[str, Any] = {"x": {"type": "number"}, "y": {"type": "number"}}
    judge(bytes(content), columns, format="parquet")


def test_columns_with_a_role_are_checked_and_kept() -> None:
    """Under their own rules; that one says the same in every row is nobody's business, for none learns from it."""
    columns: dict[str, Any] = DATED | {"at": {"type": "datetime", "role": "time"}}
    columns |= {"src": {"type": "category", "role": "ignore", "values": ["erp"]}}
    judged = judge(dated(100).replace("\n", ",erp\n").replace("y,erp", "y,src"), columns, holdout={"by": "time"})
    assert judged.train is not None
    assert judged.holdout is not None
    wrong = judge("at,x,y,src\n2026-01-01,1,1,crm\n2026-01-02,2,2,erp\n", columns)

    times: list[Any] = judged.train["at"].to_pylist()
    held: list[Any] = judged.holdout["at"].to_pylist()
    assert max(times) < min(held)
    assert judged.train["src"].to_pylist() == ["erp"] * judged.train.num_rows
    assert [each for each in judged.result.warnings if each.column == "src"] == []
    assert judged.result.profile["holdout"]["column"] == "at"
    assert wrong.reason("values").column == "src"


@pytest.mark.parametrize("kind", ["number", "integer"])
@pytest.mark.parametrize(
    ("weights", "told", "lines"),
    [
        ("1,-2,0,-3", "a number of at least 0", [3, 5]),
        ("1,,2,3", "missing", [3]),
        ("0,0,0,0", "0 in every row", [2, 3, 4]),
    ],
)
def test_rows_must_weigh_something(kind: str, weights: str, told: str, lines: list[int]) -> None:
    """A weight that is none is a fault of the file, and the rows are named."""
    columns = {"w": {"type": kind, "role": "weight"}, "x": {"type": "number"}, "y": {"type": "number"}}
    rows = [f"{weight},{n},{n}" for n, weight in enumerate(weights.split(","))]
    reason = judge("w,x,y\n" + "\n".join(rows) + "\n", columns).reason("weight")

    assert told in reason.message
    assert (reason.column, reason.lines[:3]) == ("w", lines)
    assert judge("w,x,y\n0,1,1\n2,2,2\n", columns).result.accepted


@pytest.mark.parametrize(("transform", "lines"), [("log1p", [3]), ("log", [3, 4])])
def test_targets_that_cannot_be_transformed_are_refused_by_their_rows(transform: str, lines: list[int]) -> None:
    """Nobody can learn their logarithm."""
    columns = {"x": {"type": "number"}, "y": {"type": "integer"}}
    target = {"column": "y", "transform": transform}
    reason = judge("x,y\n1,1\n2,-1\n3,0\n4,2\n", columns, target).reason("target_transform")

    assert (reason.column, reason.lines) == ("y", lines)
    assert f"there is no {transform}" in reason.message
