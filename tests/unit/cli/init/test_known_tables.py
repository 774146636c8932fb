"""Tables that many know: each is brought in by `init` as it is.

Those of scikit-learn are installed with it; those of ../shared/data are tried where they are.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn import datasets

from tests.unit.cli.init.drafts import checked, draft

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
TABLES = {
    "students/stud.csv": "math_score",
    "github_top/top_2024-07-11.csv": "stars",
    "github_ranking/github-ranking-2018-12-18.csv": "stars",
    "github_ranking/github-ranking-2022-12-31.csv": "stars",
    "flights/2013-01.csv.gz": "arr_delay",
    "flights/2013-02.csv.gz": "air_time",
    "diamonds/diamonds.csv": "price",
    "adult_income/income.csv": "income >50K",
}


def fits(path: Path, target: str, *, named: bool) -> str:
    """See that ingest accepts the table under what `init` writes of it; return the task."""
    _, pipeline = draft(path, *(["--target", target] if named else []))
    result = checked(path, pipeline)

    assert result.reasons == []
    told = {"extra_columns", "repeated_rows", "max_null_target"}
    # A wrong guess, such as the distance of a flight, can be told by another column: its destination.
    assert {warning.rule for warning in result.warnings} <= (told if named else {*told, "target_copy"})
    assert not named or pipeline.target == target
    return pipeline.task


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("named", [True, False], ids=["target named", "target guessed"])
def test_a_table_fits_what_init_writes_of_it(tmp_path: Path, name: str, named: bool) -> None:
    """Without an edit, where the target is named; a guessed one is another line at most."""
    content = (DATA / name).read_bytes()
    path = tmp_path / "table.csv"
    path.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    fits(path, TABLES[name], named=named)


@pytest.mark.parametrize(
    ("load", "task"),
    [
        (datasets.load_iris, "classification"),
        (datasets.load_wine, "classification"),
        (datasets.load_breast_cancer, "classification"),
        (datasets.load_diabetes, "regression"),
    ],
    ids=["iris", "wine", "breast cancer", "diabetes"],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_table_of_scikit_learn_fits_in_each_format(
    tmp_path: Path, load: Callable[..., Any], task: str, suffix: str
) -> None:
    """Names with spaces, units and slashes; the label in words where there are any."""
    found = load(as_frame=True)
    frame, path = found.frame, tmp_path / f"table{suffix}"
    if "target_names" in found:
        frame["target"] = [str(found.target_names[number]) for number in frame["target"]]
    write = {".csv": frame.to_csv, ".parquet": frame.to_parquet, ".jsonl": frame.to_json}[suffix]
    write(path, **({"orient": "records", "lines": True} if suffix == ".jsonl" else {"index": False}))

    assert fits(path, "target", named=True) == task
