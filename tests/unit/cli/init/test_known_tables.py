"""The tables of ../shared/data, where they are: each is brought in by `init` as it is."""

import gzip
from pathlib import Path

import pytest

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
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("named", [True, False], ids=["target named", "target guessed"])
def test_a_table_fits_what_init_writes_of_it(tmp_path: Path, name: str, named: bool) -> None:
    """Without an edit, where the target is named; a guessed one is another line at most."""
    content = (DATA / name).read_bytes()
    path = tmp_path / "table.csv"
    path.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    _, pipeline = draft(path, *(["--target", TABLES[name]] if named else []))
    result = checked(path, pipeline)

    assert result.reasons == []
    assert {warning.rule for warning in result.warnings} <= {"extra_columns", "repeated_rows", "max_null_target"}
    assert not named or pipeline.target == TABLES[name]
