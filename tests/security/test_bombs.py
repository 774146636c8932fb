"""Files made to fill memory, disk or time: refused in words, by the process that is there for it, in seconds."""

import gzip
import io
import zipfile
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interlock_artifacts import MemoryStore
from interlock_tables import typed

from tests.unit.ingest.validation.judging import judge
from tests.unit.scoring.files import job_over, run

SECONDS = 30.0
MEBIBYTE = 1 << 20


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def repeated(text: str, rows: int) -> Any:
    """Return a column that holds one text, stored once, in every row."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), np.array([text]))


def with_footer(rows: int) -> bytes:
    """Return a Parquet file whose footer promises another number of rows than there are."""
    from interlock_scoring import footer  # noqa: PLC0415 - what reads footers there, used to forge one

    made = parquet({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    length = int.from_bytes(made[-8:-4], "little")
    told = footer._Reader(made[-8 - length : -8]).struct()
    told[3][1] = rows
    told[4][1][1][0][3][1] = rows
    forged = footer._Writer().struct(told)
    return made[: -8 - length] + forged + len(forged).to_bytes(4, "little") + b"PAR1"


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * (64 * MEBIBYTE))
    return file.getvalue()


LABELS = ",".join(f"c{number}" for number in range(200_000))
BOMBS: list[Any] = [
    pytest.param("csv", gzip.compress(b"x,y\n" + b"0" * (64 * MEBIBYTE)), "file_kind", id="gzip"),
    pytest.param("csv", zipped(), "file_kind", id="zip"),
    pytest.param("csv", "x,y," + LABELS + "\n1,2\n", "too_many_columns", id="columns of a CSV"),
    pytest.param("csv", "x,y\n" + "1" * (64 * MEBIBYTE), "record_length", id="a record without end"),
    pytest.param("csv", 'x,y\n"' + "a\n" * (8 * MEBIBYTE), "record_length", id="a quote without end"),
    pytest.param("csv", "x" * (8 * MEBIBYTE), "header", id="a header without end"),
    pytest.param("jsonl", '{"x":1,"y":"' + "a" * (8 * MEBIBYTE) + '"}', "record_length", id="a line without end"),
    pytest.param("jsonl", ("[" * 500_000 + "\n") * 8, "min_rows", id="nesting"),
    pytest.param("jsonl", ('{"a":' * 150_000 + "\n") * 8, "min_rows", id="nested objects"),
    pytest.param("jsonl", ("9" * 500_000 + "\n") * 8, "min_rows", id="digits"),
    pytest.param("parquet", parquet({f"c{n}": [1.0] for n in range(12_000)}), "too_many_columns", id="columns"),
    pytest.param("parquet", with_footer(10**15), "damaged", id="rows that the footer promises"),
    pytest.param("parquet", with_footer(-5), "damaged", id="fewer rows than none"),
]


@pytest.mark.parametrize(("kind", "content", "rule"), BOMBS)
def test_a_bomb_is_refused_in_words(kind: str, content: str | bytes, rule: str) -> None:
    """With a reason that fits a screen, and soon."""
    start = monotonic()
    judged = judge(content, format=kind, rules={"max_bad_rows": 100})

    assert rule in judged.reasons
    assert all(len(reason.message) < 1000 for reason in judged.result.reasons)
    assert monotonic() - start < SECONDS


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is stored once and stands in a million rows would fill the disk where the rows are staged."""
    monkeypatch.setattr(typed, "UNPACKED_BYTES", 16 * MEBIBYTE)
    rows = 200_000
    bomb = parquet({"x": repeated("a" * 1000, rows), "y": np.arange(rows, dtype=float)})
    columns = {"x": {"type": "category"}, "y": {"type": "number"}}
    assert len(bomb) < 2 * MEBIBYTE
    assert "unpacked_size" in judge(bomb, columns, format="parquet").reasons

    rare = parquet({"x": repeated("a" * 20, 1000), "y": np.arange(1000, dtype=float)})
    assert judge(rare, columns, format="parquet").result.accepted


def test_lines_without_columns_are_no_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bytes of JSON stand for a null in every declared column."""
    monkeypatch.setattr(typed, "UNPACKED_BYTES", 1 * MEBIBYTE)
    monkeypatch.setattr(typed, "UNPACKED_TIMES", 10)
    columns = {f"c{number}": {"type": "number"} for number in range(200)} | {"y": {"type": "number"}}
    judged = judge('{"y":1}\n' * 10_000, columns, format="jsonl")
    assert "unpacked_size" in judged.reasons


def test_a_bomb_for_scoring_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files for predictions go through the same bounds; every column of theirs is repeated in the answer."""
    monkeypatch.setattr(typed, "UNPACKED_BYTES", 16 * MEBIBYTE)
    monkeypatch.setattr(typed, "UNPACKED_TIMES", 1)
    rows = 200_000
    store = MemoryStore()
    bomb = parquet({"size": np.zeros(rows), "color": repeated("red", rows), "more": repeated("a" * 1000, rows)})
    report = run(job_over(store, store.put(bomb), format="parquet"), store, tmp_path)

    assert report.status == "failed"
    assert "unpacks to more" in str(report.reason)
