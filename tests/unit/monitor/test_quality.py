"""Live quality: the metrics of answers whose truth is known, by version and by time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from interlock_monitor.domain import Count, Pair, parse_window
from interlock_monitor.quality import by_version, metrics

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def pair(answer: Any, actual: Any, *, version: int = 1, at: datetime = START, p: list[float] | None = None) -> Pair:
    return Pair(version, at, answer, p, actual)


def test_a_regression_is_measured_as_the_gate_measures() -> None:
    """The same formulas, over what really happened."""
    found = metrics(None, [pair(1.0, 2), pair(3.0, 3.0), pair(5.0, 4)])

    assert found == pytest.approx({"r2": 0.0, "rmse": (2 / 3) ** 0.5, "mae": 2 / 3, "bias": 0.0, "mape": 0.25})


def test_a_classification_is_measured_by_its_probabilities() -> None:
    """Labels keep their types: 1.0 is the label 1; a label that the model does not know is a miss."""
    rows = [pair(1, 1.0, p=[0.2, 0.8]), pair(0, 0, p=[0.9, 0.1]), pair(1, 7, p=[0.4, 0.6])]
    found = metrics([0, 1], rows)

    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["roc_auc"] is not None


def test_a_metric_that_is_not_defined_is_none() -> None:
    """The area under the curve needs both classes."""
    assert metrics([False, True], [pair(True, True, p=[0.2, 0.8])])["roc_auc"] is None


def test_versions_and_buckets_have_their_own_numbers() -> None:
    """The newest version first, its hours in order, and the whole beside them."""
    counts = [Count(1, START, 10, 2, 4), Count(2, START + HOUR, 8, 0, 8), Count(1, START + HOUR, 5, 0, 5)]
    pairs = [
        pair(1.0, 1.0),
        pair(2.0, 4.0, at=START + timedelta(minutes=70)),
        pair(1.0, 1.5, version=2, at=START + timedelta(minutes=90)),
    ]
    joined = {(1, START): 1, (1, START + HOUR): 1, (2, START + HOUR): 1}
    newer, older = by_version({1: None, 2: None}, counts, joined, pairs, since=START, bucket=HOUR)

    assert (newer.version, older.version) == (2, 1)
    assert (older.answered, older.dropped, older.logged, older.joined, older.n) == (15, 2, 9, 2, 2)
    assert older.coverage == pytest.approx(2 / 9)
    assert older.metrics["mae"] == 1.0
    assert [(each.start, each.metrics["mae"]) for each in older.buckets] == [(START, 0.0), (START + HOUR, 2.0)]
    assert newer.metrics["mae"] == 0.5


def test_a_truth_of_another_kind_is_left_out() -> None:
    """Told while nothing served, it was not checked; it must not break what is known."""
    (version,) = by_version(
        {1: None}, [], {(1, START): 2}, [pair(1.0, 1.0), pair(1.0, "red")], since=START, bucket=HOUR
    )

    assert (version.joined, version.n) == (2, 1)


def test_without_truths_there_are_no_metrics() -> None:
    """Nothing is invented."""
    (version,) = by_version({1: None}, [Count(1, START, 5, 0, 5)], {}, [], since=START, bucket=HOUR)

    assert (version.coverage, version.n, version.metrics) == (0.0, 0, {})


def test_spans_are_read_and_cut_into_round_buckets() -> None:
    """A look a minute later shows the same buckets."""
    now = START + timedelta(minutes=17)

    assert parse_window("24h", None, now=now) == (START - 24 * HOUR, now, timedelta(minutes=30))
    assert parse_window("7d", "1d", now=now)[2] == timedelta(days=1)
    assert parse_window("30m", None, now=now)[2] == timedelta(minutes=1)
    assert parse_window("400d", None, now=now)[2] == timedelta(days=9)


@pytest.mark.parametrize(("window", "bucket"), [("1 week", None), ("0h", None), ("7d", "x"), ("30d", "1m")])
def test_a_span_that_is_none_is_explained(window: str, bucket: str | None) -> None:
    """What would be right is in the words."""
    with pytest.raises(ValueError, match=r"30m or 7d|longer buckets"):
        parse_window(window, bucket, now=START)


def test_labels_are_measured_as_they_were_answered() -> None:
    """A version with a threshold of 0.1 has answered 1 where 0 was more probable."""
    found = metrics([0, 1], [pair(1, 1, p=[0.8, 0.2]), pair(0, 0, p=[0.95, 0.05])])

    assert (found["accuracy"], found["recall"]) == (1.0, 1.0)
