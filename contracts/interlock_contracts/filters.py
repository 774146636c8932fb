"""Filters of lists, as query parameters and the command line write them."""

import math
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar, get_args

from interlock_contracts.gate import MetricName
from interlock_contracts.names import near_name
from interlock_contracts.predictions import PredictionState
from interlock_contracts.refs import DatasetRole
from interlock_contracts.training_section import Window

VersionStage = Literal["registered", "passed", "refused", "champion", "retired"]
DatasetState = Literal["checking", "accepted", "rejected", "deleted"]

VERSION_STAGES: tuple[VersionStage, ...] = get_args(VersionStage)
DATASET_STATES: tuple[DatasetState, ...] = get_args(DatasetState)
PREDICTION_STATES: tuple[PredictionState, ...] = get_args(PredictionState)
DATASET_ROLES: tuple[DatasetRole, ...] = get_args(DatasetRole)
METRIC_NAMES: tuple[MetricName, ...] = get_args(MetricName)

Choice = TypeVar("Choice", bound=str)


def chosen(text: str | None, choices: Sequence[Choice]) -> list[Choice]:
    """Return the choices that are named, separated by commas; none of them where ``text`` is missing or empty.

    Raises:
        ValueError: there is no such choice; the text names it, all that are, and the one that was perhaps meant.
    """
    named = [each for each in (text or "").split(",") if each]
    if unknown := [each for each in named if each not in choices]:
        near = near_name(unknown[0], choices)
        meant = f"; did you mean {near!r}?" if near is not None else ""
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(choices)}{meant}")
    return [choice for choice in choices if choice in named]


def bounds(text: str | None) -> dict[MetricName, float]:
    """Return bounds of metrics, written as ``r2:0.8`` and separated by commas.

    Raises:
        ValueError: one is written otherwise, or of no metric; the text says what would be right.
    """
    found: dict[MetricName, float] = {}
    for each in (text or "").split(","):
        if not each:
            continue
        name, colon, number = each.partition(":")
        metrics, bound = chosen(name, METRIC_NAMES), _number(number)
        if not colon or not metrics or bound is None:
            raise ValueError(f"{each!r} is no bound of a metric; write for instance r2:0.8")
        found[metrics[0]] = bound
    return found


class MetricBound(NamedTuple):
    """What a metric must be for a run to be listed: at least, or at most, so much."""

    metric: MetricName
    comparison: Literal[">=", "<="]
    bound: float


def metric_bounds(text: str | None) -> list[MetricBound]:
    """Return bounds of metrics, written as ``r2>=0.9`` or ``rmse<=2`` and separated by commas; all must hold.

    Raises:
        ValueError: one is written otherwise, or of no metric; the text says what would be right.
    """
    return [_metric_bound(each) for each in (text or "").split(",") if each]


def _metric_bound(text: str) -> MetricBound:
    found = re.fullmatch(r"\s*(\w+)\s*(>=|<=)\s*(\S+)\s*", text)
    bound = _number(found[3]) if found else None
    if found is None or bound is None:
        raise ValueError(f"{text!r} is no bound of a metric; write for instance r2>=0.9 or rmse<=2")
    (metric,) = chosen(found[1], METRIC_NAMES)
    return MetricBound(metric, ">=" if found[2] == ">=" else "<=", bound)


class MetricOrder(NamedTuple):
    """By which metric a list is sorted; what lacks it comes last."""

    metric: MetricName
    descending: bool


def metric_order(text: str | None) -> MetricOrder | None:
    """Return the order that ``text`` names: ``rmse`` the smallest first, ``-r2`` the greatest; None without one.

    Raises:
        ValueError: it is not one metric; the text says what would be right.
    """
    if not text:
        return None
    metrics = chosen(text.removeprefix("-"), METRIC_NAMES)
    if len(metrics) != 1:
        raise ValueError(f"{text!r} is not one metric; write for instance rmse, or -r2 for the greatest first")
    return MetricOrder(metrics[0], text.startswith("-"))


def tag_filter(text: str | None) -> dict[str, str | None]:
    """Return tags that a list is filtered by, written as ``name:value`` or ``name`` and separated by commas.

    A name without a value stands for any value.
    """
    found: dict[str, str | None] = {}
    for each in (text or "").split(","):
        name, colon, value = each.partition(":")
        if name:
            found[name] = value if colon else None
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parsed_window(text: str | None) -> Window | None:
    """Return a pipeline's ``training.window`` as a query parameter has it.

    Raises:
        ValueError: it is neither all, nor latest, nor a number of at least 1.
    """
    if text is None:
        return None
    named: dict[str, Window] = {"all": "all", "latest": "latest"}
    if text in named:
        return named[text]
    if text.isascii() and text.isdecimal() and (window := int(text)) >= 1:
        return window
    raise ValueError(f"{text!r} is neither all, nor latest, nor a number of at least 1")
