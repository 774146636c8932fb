"""Where the fits of a training run: beside each other on the cluster, or in its own process."""

import pytest
from interlock_artifacts import MemoryStore
from interlock_trainer import __main__ as program
from interlock_trainer.pools import InProcessPool

from tests.support.training_jobs import job, pipeline, table


@pytest.mark.parametrize(
    ("candidates", "trials", "parts", "small"),
    [
        (["linear", "random_forest"], 2, 1, True),  # 3 folds of 4 fits
        (["linear", "random_forest"], 3, 1, False),
        (["linear"], 0, 20, True),  # 240 rows each
        (["linear"], 0, 21, False),
    ],
)
def test_few_fits_on_few_rows_need_no_workers(candidates: list[str], trials: int, parts: int, small: bool) -> None:
    """Both count: many rows are worth them, and so are many fits."""
    of = pipeline(candidates=candidates, trials=trials, folds=3)
    assert program.is_small(job(MemoryStore(), of, *[table()] * parts)) is small


def test_a_small_training_does_not_join_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is known all the same; nothing answers there, so a connection would fail."""
    monkeypatch.setattr(program, "cluster_address", lambda: "127.0.0.1:1")
    assert isinstance(program._pool(job(MemoryStore(), pipeline(trials=0), table())), InProcessPool)
