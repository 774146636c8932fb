"""What a version has answered lately."""

from pathlib import Path

import pytest
from interlock_contracts.metrics import PREDICTED_QUANTILE
from interlock_gateway.observe import metrics
from interlock_gateway.observe.metrics import Metrics
from interlock_gateway.observe.output_stats import MAX_LABELS, MAX_ROWS_PER_REQUEST, WINDOW, RollingOutputStats

from tests.support.stored_models import REGRESSION


def test_a_regression_is_told_by_quantiles_of_its_last_answers() -> None:
    """What is older than the last 512 is forgotten."""
    lately = RollingOutputStats(3, None)
    for _ in range(WINDOW):
        lately.note([-1000.0])
    for number in range(WINDOW):
        lately.note([float(number)])

    spread = lately.distribution()
    assert (spread.version, spread.labels) == (3, {})
    assert spread.quantiles == pytest.approx(
        {"0.05": 25.55, "0.25": 128, "0.5": 256, "0.75": 383, "0.95": 485}, abs=0.6
    )


def test_a_classification_is_told_by_its_labels_and_how_sure_it_was() -> None:
    """A label that was never predicted counts as well."""
    lately = RollingOutputStats(1, ["no", "yes", True])
    lately.note([[0.1, 0.9, 0.0], [0.3, 0.7, 0.0]])
    lately.note([[0.5, 0.5, 0.0]])

    assert lately.distribution().labels == {"no": 1, "yes": 2, "true": 0}
    assert lately.distribution().quantiles["0.5"] == 0.7


def test_nothing_answered_is_no_distribution() -> None:
    """A quantile of nothing would be a number that nobody has predicted."""
    assert RollingOutputStats(1, None).distribution().quantiles == {}


@pytest.mark.parametrize("rows", [1, MAX_ROWS_PER_REQUEST, MAX_ROWS_PER_REQUEST + 1, 1_000, 10_000])
def test_a_large_request_counts_no_more_than_a_few_rows_from_all_over_it(rows: int) -> None:
    """Its end is looked at as well as its beginning."""
    lately = RollingOutputStats(1, ["first half", "second half"])
    lately.note([[1.0, 0.0] if row < rows / 2 else [0.0, 1.0] for row in range(rows)])
    first, second = lately.distribution().labels.values()

    assert (
        rows / 3 <= first + second
        if rows <= MAX_ROWS_PER_REQUEST
        else MAX_ROWS_PER_REQUEST / 2 <= first + second <= MAX_ROWS_PER_REQUEST
    )
    assert abs(first - second) <= 1


def test_too_many_labels_are_not_counted() -> None:
    """Each would be a series in every worker."""
    lately = RollingOutputStats(1, list(range(MAX_LABELS + 1)))
    lately.note([[0.0] * MAX_LABELS + [1.0]])

    assert lately.distribution().labels == {}
    assert lately.distribution().quantiles["0.5"] == 1.0


def medians(metrics: Metrics) -> dict[str, float]:
    """Return the median of what each version has answered, as a scrape has it."""
    (family,) = [each for each in metrics.families() if each.name == PREDICTED_QUANTILE.name]
    return {each.labels["version"]: each.value for each in family.samples if each.labels["quantile"] == "0.5"}


def test_versions_that_answer_in_turn_keep_their_own_distributions(tmp_path: Path) -> None:
    """A canary's requests come between those of the champion."""
    counted = Metrics("w-1", tmp_path)
    for number in range(100):
        counted.note("flights", 2 if number % 10 == 0 else 1, REGRESSION, [2.0 if number % 10 == 0 else 1.0])

    assert medians(counted) == {"1": 1.0, "2": 2.0}


def test_a_version_that_answers_no_longer_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute after another one has taken over; the last one that answered stays."""
    now = 1000.0
    monkeypatch.setattr(metrics, "monotonic", lambda: now)
    counted = Metrics("w-1", tmp_path)
    counted.note("flights", 1, REGRESSION, [1.0])
    assert medians(counted) == {"1": 1.0}
    now += 3600
    assert medians(counted) == {"1": 1.0}
    counted.note("flights", 2, REGRESSION, [2.0])

    assert medians(counted) == {"2": 2.0}
