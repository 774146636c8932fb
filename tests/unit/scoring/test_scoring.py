from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.refs import ArtifactRef
from interlock_scoring import scoring
from interlock_scoring.parts import OWNER

from tests.support.stored_models import put_classifier, put_model
from tests.unit.scoring.files import job_for, parquet, result, run


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_parquet_file_keeps_its_columns_and_gains_the_answers(store: MemoryStore, tmp_path: Path) -> None:
    """Every column comes back as it was stored, in the same order, beside prediction and version."""
    content = parquet(id=pa.array([7, 8, 9], pa.int32()), size=[3.0, 4.0, 5.0], color=["red", None, "blue"])
    report = run(job_for(store, content, format="parquet"), store, tmp_path)

    table = result(report, store)
    assert table.to_pydict() == {
        "id": [7, 8, 9],
        "size": [3.0, 4.0, 5.0],
        "color": ["red", None, "blue"],
        "prediction": [1003.0, 1004.0, 1005.0],
        "model_version": [1, 1, 1],
        "prediction_id": [f"{UUID(int=1)}/{row}" for row in range(3)],
    }
    assert table.schema.field("id").type == pa.int32()
    assert (report.rows, report.unanswered) == (3, 0)


def test_no_two_answers_are_one_object(store: MemoryStore, tmp_path: Path) -> None:
    """Of one file asked twice, too: each names its own prediction, so that each can be deleted when it expires."""
    content = parquet(size=[3.0], color=["red"])
    first, second = (run(job_for(store, content, number=n, format="parquet"), store, tmp_path / str(n)) for n in (1, 2))

    assert first.result != second.result
    assert result(first, store).column("prediction_id").to_pylist() == [f"{UUID(int=1)}/0"]
    assert result(second, store).column("prediction_id").to_pylist() == [f"{UUID(int=2)}/0"]
    assert result(second, store).schema.metadata[OWNER.encode()].endswith(b"-000000000002")


def test_a_classification_gives_label_and_probabilities(store: MemoryStore, tmp_path: Path) -> None:
    """Labels keep their type, and each has a column of its own."""
    job = job_for(store, parquet(size=[1.0, 5.0], color=["red", "red"]), model=put_classifier(store), format="parquet")
    table = result(run(job, store, tmp_path), store)

    assert table.column("prediction").to_pylist() == [False, True]
    ones = np.asarray(table.column("probability_true")) + np.asarray(table.column("probability_false"))
    assert np.allclose(ones, 1.0)


def test_a_threshold_chooses_the_label(store: MemoryStore, tmp_path: Path) -> None:
    """From that probability of the second label on it is the answer, however probable the first one is."""
    model = put_classifier(store, threshold=0.3)
    job = job_for(store, parquet(size=[1.0, 1.5], color=["red", "red"]), model=model, format="parquet")
    table = result(run(job, store, tmp_path), store)

    assert table.column("prediction").to_pylist() == [False, True]
    assert np.asarray(table.column("probability_true")).max() < 0.5


def test_a_csv_is_read_as_declared_and_keeps_what_is_not_declared(store: MemoryStore, tmp_path: Path) -> None:
    """The dialect is the pipeline's; columns that it does not name come back as texts."""
    content = "note;size;color\n'a;b';3;red\n;4.5;none\n".encode("latin-1")
    dialect = {"delimiter": ";", "quote": "'", "encoding": "latin-1", "null_values": ["", "none"]}
    table = result(run(job_for(store, content, csv=dialect), store, tmp_path), store)

    assert table.to_pydict() == {
        "note": ["a;b", None],
        "size": [3.0, 4.5],
        "color": ["red", None],
        "prediction": [1003.0, 1004.5],
        "model_version": [1, 1],
        "prediction_id": [f"{UUID(int=1)}/{row}" for row in range(2)],
    }


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_texts_mean_what_they_meant_in_training_in_every_format(
    store: MemoryStore, tmp_path: Path, format_: str
) -> None:
    """A model that was trained on CSV has words for null, and ways of writing numbers, that other formats lack."""
    model = put_model(store, 1, null_values=["", "NA"], decimal=",", thousands=".")
    sizes, colors = ["3,5", "1.004,0"], ["NA", "red"]
    content: Any = {
        "csv": "size;color\n3,5;NA\n1.004,0;red\n",
        "jsonl": "".join(json.dumps({"size": s, "color": c}) + "\n" for s, c in zip(sizes, colors, strict=True)),
        "parquet": parquet(size=sizes, color=colors),
    }[format_]
    job = job_for(store, content, model=model, format=format_, csv={"delimiter": ";"}, log=1)
    table = result(run(job, store, tmp_path), store)

    assert table.column("prediction").to_pylist() == [1003.5, 2004.0]
    rows = [json.loads(line)["values"] for line in (store.read(job.logged_key(0)) or b"").splitlines()]
    assert rows == [[3.5, None], [1004.0, "red"]]


def test_json_lines_are_answered(store: MemoryStore, tmp_path: Path) -> None:
    """Absent keys are nulls; declared columns come back typed."""
    content = "".join(json.dumps(row) + "\n" for row in ({"size": 3, "price": 9}, {"color": "red", "size": 4.5}))
    table = result(run(job_for(store, content, format="jsonl"), store, tmp_path), store)

    assert table.column("prediction").to_pylist() == [1003.0, 1004.5]
    assert table.column("price").to_pylist() == [9.0, None]


@pytest.mark.parametrize(
    ("content", "data", "row", "column", "why"),
    [
        ("size,color\n3,red\nbig,red\n", {}, 1, "size", "line 3: 'size' is not a number"),
        ("size,color\n3,red\n4\n", {}, 1, None, "line 3: the row has fewer cells than the header"),
        ("size,color\n3,red\n,red\n", {}, 1, "size", "the value is null; expected a finite number from 0 to 100"),
        ('{"size": 3}\n{"size": "big"}\n', {"format": "jsonl"}, 1, "size", "line 2: 'size' is not a number"),
        (parquet(size=[3.0, float("nan")]), {"format": "parquet"}, 1, "size", "the value is null"),
        (parquet(size=[3.0, None]), {"format": "parquet"}, 1, "size", "the value is null"),
    ],
)
def test_a_row_that_does_not_fit_fails_the_file_and_is_named(
    store: MemoryStore,
    tmp_path: Path,
    content: Any,
    data: dict[str, Any],
    row: int,
    column: str | None,
    why: str,
) -> None:
    """No row goes missing silently: the file fails, with row, column and reason."""
    report = run(job_for(store, content, **data), store, tmp_path)

    assert report.status == "failed"
    assert report.result is None
    (error,) = report.errors
    assert (error.row, error.column) == (row, column)
    assert why in error.message
    assert report.reason is not None
    assert report.reason.startswith(f"row {row}")


def test_rows_that_do_not_fit_may_be_left_without_an_answer(store: MemoryStore, tmp_path: Path) -> None:
    """With `on_error: null` the answer has every row in its place, and says what is wrong with those it skips."""
    content = "size,color\n3,red\nbig,red\n4\n,red\n\n5,green\n"
    report = run(job_for(store, content, on_error="null"), store, tmp_path)

    table = result(report, store)
    assert table.column("prediction").to_pylist() == [1003.0, None, None, None, 1005.0]
    assert table.column("color").to_pylist() == ["red", "red", None, "red", "green"]
    errors = table.column("error").to_pylist()
    assert errors[0] is None
    assert "line 3" in str(errors[1])
    assert str(errors[2]).startswith("line 4: the row has fewer cells")
    assert str(errors[3]).startswith("size: the value is null")
    assert (report.rows, report.unanswered) == (5, 3)


@pytest.mark.parametrize(
    ("content", "data", "why"),
    [
        ("colour,color\nx,red\n", {}, "needs column 'size', which is not in the file"),
        ("Size,color\n1,red\n", {}, "it has 'Size'"),
        ("size;color\n1;red\n", {}, "declare data.csv.delimiter"),
        ("size,color\n", {}, "no rows"),
        ("size,color,prediction\n1,red,2\n", {}, "'prediction', which the answer adds"),
        (parquet(size=[True]), {"format": "parquet"}, "'size' is stored as bool, which is not read as number"),
        (b"PAR1 not really", {"format": "parquet"}, "damaged"),
        (b"size,color\n1,\xff\n", {}, "line 2: not utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    store: MemoryStore, tmp_path: Path, content: Any, data: dict[str, Any], why: str
) -> None:
    """A file's own fault ends the job for good, in words."""
    report = run(job_for(store, content, **data), store, tmp_path)

    assert report.status == "failed"
    assert why in (report.reason or "")


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        ("size,color,price\n3,red,9\n4,red,none\n5,red,\n", "csv"),
        ('{"size": 3, "price": 9}\n{"size": 4, "price": "x"}\n{"size": 5}\n', "jsonl"),
    ],
)
def test_ignored_columns_go_along(store: MemoryStore, tmp_path: Path, content: str, format_: str) -> None:
    """As those of a key; what cannot be read there keeps no row from its answer."""
    ignoring = put_model(store, 1, ignored=["price"])
    report = run(job_for(store, content, model=ignoring, format=format_), store, tmp_path)

    table = result(report, store)
    assert table.column("prediction").to_pylist() == [1003.0, 1004.0, 1005.0]
    assert table.column("price").to_pylist() == [9.0, None, None]


class Dying(MemoryStore):
    """A store that goes away after so many writes."""

    writes = 10**9

    def put_file(self, path: Path, *, holdout: bool = False) -> ArtifactRef:
        type(self).writes -= 1
        if type(self).writes < 0:
            raise ConnectionError("the store is gone")
        return super().put_file(path, holdout=holdout)


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_a_job_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str) -> None:
    """After a crash nothing that was stored is scored again, and the answer is byte for byte the same."""
    monkeypatch.setattr(scoring, "PART_ROWS", 10)
    monkeypatch.setattr(scoring, "_FEWEST_ROWS", 1)
    sizes = [float(number) for number in range(95)]
    content: Any = {
        "csv": "size,color\n" + "".join(f"{size},red\n" for size in sizes),
        "jsonl": "".join(json.dumps({"size": size}) + "\n" for size in sizes),
        "parquet": parquet(size=sizes),
    }[format_]
    whole_store = MemoryStore()
    whole = run(job_for(whole_store, content, format=format_), whole_store, tmp_path / "whole", threads=2)

    store = Dying()
    job = job_for(store, content, format=format_)
    monkeypatch.setattr(Dying, "writes", 4)
    with pytest.raises(ConnectionError):
        run(job, store, tmp_path / "first")
    noted = {key for key in store.objects if key.startswith(f"{job.prefix}/parts/")}
    assert len(noted) == 4
    monkeypatch.setattr(Dying, "writes", 6 + 1)  # those that are missing, and the answer
    again = run(job, store, tmp_path / "second")

    assert again == whole
    assert result(again, store).column("prediction").to_pylist() == [1000.0 + size for size in sizes]


def test_a_job_of_the_last_release_goes_on_without_row_ids(store: MemoryStore, tmp_path: Path) -> None:
    """Its first parts may be stored already, and parts of one file have the same columns."""
    job = job_for(store, "size,color\n3,red\n").model_copy(update={"row_ids": False})

    assert result(run(job, store, tmp_path), store).column_names == ["size", "color", "prediction", "model_version"]


def test_a_file_that_was_deleted_meanwhile_ends_the_job_and_says_so(store: MemoryStore, tmp_path: Path) -> None:
    """No attempt would find it."""
    job = job_for(store, parquet(size=[3.0], color=["red"]), format="parquet")
    store.delete(job.input.key)
    report = run(job, store, tmp_path)

    assert (report.status, report.result) == ("failed", None)
    assert report.reason == "the file is not stored any more, as when its dataset was deleted"


def test_a_finished_job_is_only_looked_up(store: MemoryStore, tmp_path: Path) -> None:
    """Whoever starts it again gets the report that was written, without reading the file."""
    job = job_for(store, "size,color\n3,red\n")
    first = run(job, store, tmp_path)
    del store.objects[job.input.key]

    assert run(job, store, tmp_path) == first


def test_parts_that_are_done_out_of_order_are_not_done_again(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts run side by side; a crash may leave a hole, and only the hole is filled."""
    monkeypatch.setattr(scoring, "PART_ROWS", 10)
    monkeypatch.setattr(scoring, "_FEWEST_ROWS", 1)
    content = "size,color\n" + "".join(f"{number},red\n" for number in range(40))
    job = job_for(store, content)
    whole = run(job, store, tmp_path)
    del store.objects[f"{job.prefix}/report.json"], store.objects[f"{job.prefix}/parts/000001.json"]
    before = set(store.objects)

    assert run(job, store, tmp_path / "again") == whole
    assert set(store.objects) - before == {f"{job.prefix}/report.json", f"{job.prefix}/parts/000001.json"}
