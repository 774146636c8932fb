"""Filters of lists: read as they are written, and refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.filters import (
    METRIC_NAMES,
    VERSION_STAGES,
    MetricBound,
    MetricOrder,
    bounds,
    chosen,
    metric_bounds,
    metric_order,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.sampled_from(METRIC_NAMES), NUMBERS))
def test_bounds_are_read_as_they_are_written(wanted: dict[str, float]) -> None:
    """To the last digit."""
    assert bounds(",".join(f"{name}:{bound!r}" for name, bound in wanted.items())) == wanted


@pytest.mark.parametrize("text", ["r2", "r2:", "r2:high", "r2:nan", "r2:inf", ":0.8", "r3:0.8", "r2:0.8;rmse:2"])
def test_what_is_no_bound_is_refused_with_what_would_be_right(text: str) -> None:
    """An unknown metric with all that there are."""
    with pytest.raises(ValueError, match=r"write for instance r2:0.8|is none of r2, "):
        bounds(text)


@given(st.lists(st.builds(MetricBound, st.sampled_from(METRIC_NAMES), st.sampled_from([">=", "<="]), NUMBERS)))
def test_bounds_with_a_comparison_are_read_as_they_are_written(wanted: list[MetricBound]) -> None:
    """Also several of one metric, all of which must hold."""
    assert metric_bounds(",".join(f"{name}{comparison}{bound!r}" for name, comparison, bound in wanted)) == wanted


@pytest.mark.parametrize("text", ["r2", "r2>0.9", "r2=0.9", "r2>=", "r2<=high", "r2>=nan", ">=0.9", "r2>=0.9;rmse<=2"])
def test_what_is_no_bound_with_a_comparison_is_refused_with_what_would_be_right(text: str) -> None:
    """Never read as something else that it might have meant."""
    with pytest.raises(ValueError, match=r"is no bound of a metric; write for instance r2>=0\.9 or rmse<=2"):
        metric_bounds(text)


def test_a_misspelt_metric_is_refused_with_the_one_that_was_perhaps_meant() -> None:
    """And with all that there are."""
    with pytest.raises(ValueError, match=r"'acuracy' is none of r2, .*; did you mean 'accuracy'\?"):
        metric_bounds("acuracy>=0.9")


@given(st.lists(st.sampled_from(VERSION_STAGES)))
def test_choices_are_listed_once_and_in_their_order(named: list[str]) -> None:
    """However often one is named."""
    assert chosen(",".join(named), VERSION_STAGES) == [each for each in VERSION_STAGES if each in named]


def test_an_unknown_choice_is_refused_with_all_that_there_are() -> None:
    """As a misspelt one would be ignored in silence."""
    with pytest.raises(ValueError, match="'retierd' is none of registered, passed, refused, champion, retired"):
        chosen("passed,retierd", VERSION_STAGES)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (None, None),
        ("", None),
        ("rmse", MetricOrder("rmse", descending=False)),
        ("-r2", MetricOrder("r2", descending=True)),
    ],
)
def test_an_order_by_metric_is_read(text: str | None, order: MetricOrder | None) -> None:
    """A minus is for the greatest first."""
    assert metric_order(text) == order


@pytest.mark.parametrize("text", ["-", "--r2", "r2,rmse", "R2", "created_at"])
def test_a_wrong_order_by_metric_says_what_would_be_right(text: str) -> None:
    """Either all metrics or an example is named."""
    with pytest.raises(ValueError, match=r"is none of|write for instance"):
        metric_order(text)
