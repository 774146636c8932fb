"""From files to verdicts in one process: no model is measured on what it has trained on, nor given an advantage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from interlock_contracts.manifest import TrainingManifest
from interlock_evaluation_gate.champion import NotComparableError
from interlock_evaluation_gate.trained_rows import trained_rows
from interlock_modeling.split import HashForm
from numpy.typing import NDArray

from tests.support.whole_line import FOREST, NUMBERS, Line, declared, numbers


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


@pytest.mark.parametrize("form", [1, 2])
def test_rows_of_a_sound_split_are_proven_unseen(line: Line, form: HashForm) -> None:
    """By whichever columns the side is decided; and the report says so."""
    columns = {"id": {"type": "integer"}, **NUMBERS}
    rows = {"id": np.arange(400) // 4, **numbers(400)}
    for words in ({}, {"key": "id"}, {"group": "id"}, {"identity": ["id", "a"]}):
        of = declared(columns, **words)
        file = line.file(of, rows, form=form)
        version = line.train(of, file)
        report = line.judge(of, version, None, file)

        assert (report.trained_on, report.passed) == (0, True)
        assert report.notes[-1] == f"it has trained on none of the {report.rows} held-out rows"
        # the proof is none that always holds: told of the training part, it finds every row
        part = line.store.fetch(file.train)
        seen = line.judge(of, version, None, file.model_copy(update={"holdout": line.store.put(part, holdout=True)}))
        assert (seen.trained_on, seen.passed) == (file.train_rows, False)


def test_files_of_two_forms_are_not_mixed(line: Line) -> None:
    """Nobody could tell which of their rows are equal."""
    of, rows = declared(NUMBERS), numbers(200)
    first, second = line.file(of, rows, form=1), line.file(of, rows, form=2)
    with pytest.raises(AssertionError, match="hashed in two forms"):
        line.train(of, first, second)
    with pytest.raises(ValueError, match="hashed in two forms"):
        line.judge(of, line.train(of, first), None, first, second)


def noise() -> dict[str, Any]:
    """1,500 rows, hour by hour, of a target that nothing tells."""
    times = np.datetime64("2026-01-01T00:00:00") + np.arange(1500) * np.timedelta64(1, "h")
    return {"at": times.astype(str), **numbers(1500), "y": np.random.default_rng(9).normal(size=1500)}


def test_a_candidate_that_has_trained_on_its_holdout_is_refused(line: Line) -> None:
    """A table of noise, grown and exported whole once more, of a pipeline of before: each file has its own time."""
    columns = {"at": {"type": "datetime", "role": "time"}, **NUMBERS}
    of = declared(columns, FOREST, holdout={"by": "time"})
    first, both = ({name: each[:some] for name, each in noise().items()} for some in (1000, 1500))
    old, new = line.file(of, first), line.file(of, both)
    champion, candidate = line.train(of, old), line.train(of, old, new)
    report = line.judge(of, candidate, champion, old, new)

    assert (report.rows, report.trained_on, report.passed) == (500, 200, False)
    assert report.reasons[0].startswith("it has trained on 200 of the 500 held-out rows, which then prove nothing")
    assert "Apply the pipeline file once more" in report.reasons[0]
    assert line.judge(of, line.train(of, new), champion, new).trained_on == 0


def test_with_one_watermark_a_table_that_grows_holds_out_what_it_held_out(line: Line) -> None:
    """The same noise: nothing is trained on and held out, and the useless model is not promoted for what it is."""
    columns = {"at": {"type": "datetime", "role": "time"}, **NUMBERS}
    rows = noise()
    # 1,000 rows of which the newest 20 % are held out: from row 800 on
    of = declared(columns, FOREST, holdout={"by": "time", "watermark": str(rows["at"][800])})
    old, new = (line.file(of, {name: each[:some] for name, each in rows.items()}) for some in (1000, 1500))
    late = line.file(of, {name: each[:300] for name, each in rows.items()})
    assert [(each.train_rows, each.holdout_rows) for each in (old, new, late)] == [(800, 200), (800, 700), (300, 0)]
    champion, candidate = line.train(of, old), line.train(of, old, new, late)
    report = line.judge(of, candidate, champion, old, new, late)

    assert (report.rows, report.trained_on, report.passed) == (700, 0, False)
    assert report.champion is not None
    assert report.champion.trained_on == 0
    with pytest.raises(ValueError, match="none has any that are held out"):  # a verdict with these words
        line.judge(of, line.train(of, late), champion, late)


def test_a_champion_is_measured_on_rows_that_it_has_not_trained_on(line: Line) -> None:
    """A useful column was added, so all rows were dealt anew: 80 % of the new holdout is known to the champion."""
    rows = numbers(3000)
    narrow = declared({name: NUMBERS[name] for name in ("a", "y")}, FOREST)
    before = line.file(narrow, {name: rows[name] for name in ("a", "y")})
    champion = line.train(narrow, before)
    honest = line.judge(narrow, champion, None, before).metrics["r2"]
    wide = declared(NUMBERS, FOREST)
    file = line.file(wide, rows)
    candidate = line.train(wide, file)
    report = line.judge(wide, candidate, champion, file)
    flattered = line.judge(wide, candidate, champion, file, champion_tells=False)

    assert report.champion is not None
    assert flattered.champion is not None
    assert report.champion.rows is not None
    assert report.champion.trained_on == report.rows - report.champion.rows
    assert 0.15 * report.rows < report.champion.rows < 0.25 * report.rows
    assert report.champion.champion == pytest.approx(honest, abs=0.15)
    assert flattered.champion.champion is not None
    assert honest is not None
    assert flattered.champion.champion > honest + 0.15
    assert report.passed, report.reasons
    assert report.notes[-1] == (
        f"{report.champion.rows} rows compared with version 1, which has trained on {report.champion.trained_on} of "
        f"the {report.rows}; {report.champion.trained_on} left out"
    )
    assert flattered.notes[-1] == "it is not known whether version 1 has trained on any of them"
    assert (flattered.champion.rows, flattered.champion.trained_on) == (flattered.rows, None)


@pytest.mark.parametrize("words", [{}, {"identity": "a"}], ids=["content", "identity"])
def test_rows_that_a_greater_holdout_takes_from_the_champion_are_left_out(line: Line, words: dict[str, Any]) -> None:
    """One third of the rows held out now were trained on when fewer were."""
    rows = numbers(2000)
    small, great = (declared(NUMBERS, holdout={"fraction": part}, **words) for part in (0.2, 0.3))
    before, file = line.file(small, rows), line.file(great, rows)
    report = line.judge(great, line.train(great, file), line.train(small, before), file)

    assert report.champion is not None
    assert report.trained_on == 0
    assert report.champion.rows == before.holdout_rows
    assert report.champion.trained_on == file.holdout_rows - before.holdout_rows
    assert report.champion.trained_on > 100


def test_a_person_decides_where_nobody_can_tell_what_the_champion_has_trained_on(line: Line) -> None:
    """It does not learn from the column that is gone, but its rows are known by it."""
    ignored = {"remark": {"type": "category", "role": "ignore"}, **NUMBERS}
    of, file = declared(ignored), {"remark": np.array(["x"] * 500), **numbers(500)}
    champion = line.train(of, line.file(of, file))
    now = declared(NUMBERS)
    later = line.file(now, numbers(500))
    report = line.judge(now, line.train(now, later), champion, later)

    assert (report.passed, report.needs_approval, report.champion) == (True, True, None)
    assert "'remark' is gone, so nobody can tell which of the held-out rows it has trained on" in report.reasons[-1]


def test_a_person_decides_where_the_champion_has_trained_on_nearly_all(line: Line) -> None:
    """A handful of rows would decide nothing."""
    of, rows = declared(NUMBERS, holdout={"fraction": 0.01}), numbers(1000)
    champion = line.train(of, line.file(of, rows))
    now = declared(NUMBERS, holdout={"fraction": 0.5})
    file = line.file(now, rows)
    report = line.judge(now, line.train(now, file), champion, file)

    assert (report.passed, report.needs_approval, report.champion) == (True, True, None)
    assert "rows without an advantage for either are too few" in report.reasons[-1]


def test_rows_of_an_evaluation_file_that_only_one_has_trained_on_are_left_out(line: Line) -> None:
    """They are told, and refuse nobody: nobody splits such a file."""
    of = declared(NUMBERS)
    known, new, third = (numbers(400, seed) for seed in range(3))
    first, second = line.file(of, known), line.file(of, new)
    both = {name: np.concatenate([known[name][:200], third[name][:200]]) for name in known}
    judged_on = line.file(of, both, "evaluation")
    champion, candidate = line.train(of, first), line.train(of, second)
    report = line.judge(of, candidate, champion, judged_on, evaluation=True)

    assert (report.rows, report.trained_on) == (400, 0)
    assert report.champion is not None
    assert report.champion.trained_on is not None
    assert 0 < report.champion.trained_on == 400 - (report.champion.rows or 0)
    again = line.judge(of, champion, champion, judged_on, evaluation=True)
    assert again.champion is not None
    assert (again.trained_on, again.champion.rows) == (report.champion.trained_on, 400)
    assert "of the 400 rows of the evaluation file" in again.notes[-2]


@pytest.mark.parametrize(
    ("kind", "stored", "seen"),
    [
        ("number", pa.array, True),
        ("number", lambda ids: pa.array(ids).cast(pa.float64()), True),
        ("integer", lambda ids: pa.array(ids).cast(pa.float64()), True),
        ("integer", lambda ids: pa.array(ids).cast(pa.string()), True),
        ("category", pa.array, False),
    ],
    ids=["integer for number", "number", "number for integer", "text for integer", "integer for text"],
)
def test_rows_are_known_as_the_version_had_their_columns(
    line: Line, kind: str, stored: Callable[[NDArray[np.int64]], Any], seen: bool
) -> None:
    """An id that was retyped is the same id, unless its spelling may have been lost."""
    of = declared({"id": {"type": kind}, **NUMBERS}, key="id")
    _, manifest = line.train(of, file := line.file(of, {"id": np.arange(100), **numbers(100)}))
    told = TrainingManifest.model_validate_json(line.store.fetch(manifest)).trained_on
    assert told is not None
    assert told.columns == {"id": kind}
    holdout = pa.table({"id": stored(np.arange(100))})
    if not seen:
        with pytest.raises(NotComparableError, match="'id', a category then, whose spelling is not stored any more"):
            trained_rows(manifest, holdout, line.store)
        return
    rows = trained_rows(manifest, holdout, line.store)
    assert rows is not None
    assert int(rows.sum()) == file.train_rows


def test_what_was_trained_on_takes_less_than_eight_bytes_a_row_and_is_each_versions_own(line: Line) -> None:
    """So that deleting a version deletes it, and no other's."""
    of = declared(NUMBERS)
    file = line.file(of, numbers(5000))
    told = [
        TrainingManifest.model_validate_json(line.store.fetch(line.train(of, file)[1])).trained_on for _ in range(2)
    ]

    assert told[0] is not None
    assert told[1] is not None
    assert told[0].hashes.sha256 != told[1].hashes.sha256
    assert told[0].hashes.bytes < 8 * file.train_rows
    assert told[0].columns == dict.fromkeys(sorted(NUMBERS), "number")
