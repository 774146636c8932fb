"""One watermark for all files of a pipeline that is split by time, however they overlap and whenever they come."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from interlock_modeling.split import ROW_COLUMN

from tests.unit.ingest.validation.judging import Judged, judge

COLUMNS: dict[str, Any] = {
    "at": {"type": "datetime", "role": "time"},
    "x": {"type": "number"},
    "y": {"type": "number"},
}
START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(start: int, end: int, y: int = 1) -> str:
    """Return a file with a row for each hour, two at every tenth."""
    numbers = [n for n in range(start, end) for _ in range(1 + (n % 10 == 0))]
    return "at,x,y\n" + "".join(f"{(START + timedelta(hours=n)).isoformat()},{n},{y}\n" for n in numbers)


def split(content: str, watermark: datetime | str, **holdout: Any) -> Judged:
    return judge(content, COLUMNS, form=2, holdout={"by": "time", "watermark": watermark, **holdout})


def hashes(judged: Judged, side: str) -> set[int]:
    table = getattr(judged, side)
    return set(table[ROW_COLUMN].to_pylist())


@pytest.mark.parametrize("seed", range(8))
def test_no_row_is_ever_on_both_sides(seed: int) -> None:
    """Files that overlap, come late, are backfilled or grow: a row's side is that of its time, for good."""
    random = np.random.default_rng(seed)
    watermark: Any = "first_file"
    trained: set[int] = set()
    held: set[int] = set()
    for _ in range(8):
        start = int(random.integers(0, 300))
        end = start + int(random.integers(20, 200))
        judged = split(hours(start, end), watermark, fraction=float(random.uniform(0.1, 0.5)))
        assert judged.result.parts is not None, judged.result.reasons
        assert judged.train is not None
        assert judged.holdout is not None
        if watermark == "first_file":
            assert judged.result.parts.cut is not None
            watermark = judged.result.parts.cut
        assert judged.result.parts.cut == watermark
        learned: list[Any] = judged.train["at"].to_pylist()
        kept: list[Any] = judged.holdout["at"].to_pylist()
        assert max(learned, default=START) < watermark <= min(kept, default=watermark)
        trained |= hashes(judged, "train")
        held |= hashes(judged, "holdout")
    assert trained
    assert held
    assert not trained & held


def test_a_file_on_one_side_is_accepted_and_said_to_be() -> None:
    """A backfilled one is all for training, and one of later all for the gate; with what the user can do."""
    watermark = START + timedelta(hours=100)
    before, after = split(hours(0, 100), watermark), split(hours(100, 200), watermark)
    assert before.train is not None
    assert after.holdout is not None
    assert (before.train.num_rows, after.holdout.num_rows) == (110, 110)
    assert "so all are trained on and none is held out" in before.warnings["holdout"].message
    assert "declare a later data.holdout.watermark" in after.warnings["holdout"].message
    assert "2026-01-05T04:00:00Z" in after.warnings["holdout"].message
    both = split(hours(90, 110), watermark)
    assert "holdout" not in both.warnings
    assert before.result.profile["holdout"]["cut"] == watermark.isoformat()


def test_the_first_file_must_have_something_to_train_on() -> None:
    """It sets the watermark, and one before which there is nothing would hold out all that comes."""
    assert (
        "none is left to train on"
        in split("at,x,y\n2026-01-01,1,1\n2026-01-01,2,1\n", "first_file").reason("holdout").message
    )


def test_a_row_whose_time_was_corrected_is_another_row() -> None:
    """Its side follows from the new time: a key comes again, as it does of everything that is seen at several times."""
    watermark = START + timedelta(hours=10)
    row, corrected = hours(15, 16), hours(5, 6).replace(",5,", ",15,")
    first, later = split(row, watermark), split(corrected, watermark)
    assert hashes(first, "holdout")
    assert hashes(later, "train")
    assert not hashes(first, "holdout") & hashes(later, "train")
