"""PSI drift: how far a file's columns have moved from the file before, by the population stability index.

Both files are known by their profiles alone. The index and its usual bounds, 0.1 and 0.25, come from credit scoring
(Siddiqi, Credit Risk Scorecards, 2006). Small files pass them by chance, so the index must also lie above what files of
one population reach: times NM / (N + M) it follows chi-square then (Yurdakul and Naranjo, Statistical properties of the
population stability index, Journal of Risk Model Validation, 2020).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from itertools import pairwise
from statistics import NormalDist
from typing import Any, NamedTuple

from interlock_contracts.drift import ColumnDrift, DriftBin, DriftVerdict

MODERATE, LARGE = 0.1, 0.25
FALSE_ALARM = 0.01
"""Chance that two files of one population show any drift, over all their columns together."""

_RARE = 10
_MAX_NEW_VALUES = 20
_SEVERITY: dict[DriftVerdict, int] = {"not_measured": 0, "stable": 1, "moderate": 2, "large": 3}


class _Bin(NamedTuple):
    """Some values of a column, and how many rows have one of them before and now."""

    label: str
    before: float
    now: float


def drift(
    before: dict[str, Any],
    now: dict[str, Any],
    *,
    key: Collection[str] = (),
    ignored: Collection[str] = (),
    expected: Collection[str] = (),
) -> list[ColumnDrift]:
    """Return how far each column of the profile ``now`` has moved from the profile ``before``.

    The columns of ``key`` are not measured, nor are times: both are new in every file by their nature. Those that are
    ``ignored`` have no bearing on any model. Those that are ``expected`` to move are marked so.
    """
    known, columns = before["columns"], now["columns"]
    return [
        _not_measured(name, reason)
        if (reason := _why_not(known.get(name), column, keyed=name in key, ignored=name in ignored))
        else _measured(name, known[name], column, alpha=FALSE_ALARM / len(columns), expected=name in expected)
        for name, column in columns.items()
    ]


def worst(columns: list[ColumnDrift]) -> DriftVerdict:
    """Return the verdict of the column that has moved most, of those that are not expected to."""
    return max(
        (column.verdict for column in columns if not column.expected), key=_SEVERITY.__getitem__, default="not_measured"
    )


def _why_not(before: dict[str, Any] | None, now: dict[str, Any], *, keyed: bool, ignored: bool) -> str | None:
    if before is None:
        return "the file before has no such column"
    both = (before, now)
    of_numbers = now["type"] in ("number", "integer")
    reasons = [
        (keyed, "part of the key, which differs in every row"),
        (ignored, "declared with the role ignore"),
        (now["type"] == "datetime", "times move on by themselves"),
        (before["type"] != now["type"], f"it was {before['type']} in the file before, and is {now['type']} now"),
        (any(not each["distinct"] + each["nulls"] for each in both), "one of both files has no rows that count"),
        (
            of_numbers and any(each["distinct"] and "cumulative" not in each for each in both),
            "the profile of one of both files tells no distribution",
        ),
    ]
    return next((reason for holds, reason in reasons if holds), None)


def _not_measured(name: str, reason: str) -> ColumnDrift:
    return ColumnDrift(column=name, verdict="not_measured", reason=reason)


def _measured(name: str, before: dict[str, Any], now: dict[str, Any], *, alpha: float, expected: bool) -> ColumnDrift:
    of_numbers = now["type"] in ("number", "integer")
    bins = _of_numbers(before, now) if of_numbers else _of_values(before, now)
    index, chance, shares = _index(bins, alpha)
    verdict: DriftVerdict = "stable"
    if index > chance and index >= MODERATE:
        verdict = "large" if index >= LARGE else "moderate"
    return ColumnDrift(
        column=name,
        verdict=verdict,
        psi=index,
        chance=chance,
        bins=shares,
        new_values=[] if of_numbers else _only_in(now, before),
        gone_values=[] if of_numbers else _only_in(before, now),
        expected=expected,
    )


def _index(bins: list[_Bin], alpha: float) -> tuple[float, float, list[DriftBin]]:
    """Return the index, the one that chance passes with probability ``alpha``, and the shares.

    Half a row is added to each bin, so that an empty one gives no infinity.
    """
    before, now = sum(each.before for each in bins), sum(each.now for each in bins)
    index = 0.0
    for each in bins:
        was = (each.before + 0.5) / (before + 0.5 * len(bins))
        is_now = (each.now + 0.5) / (now + 0.5 * len(bins))
        index += (is_now - was) * math.log(is_now / was)
    chance = (1 / before + 1 / now) * _chi_square(len(bins) - 1, 1 - alpha)
    return index, chance, [DriftBin(label=b.label, before=b.before / before, now=b.now / now) for b in bins]


def _chi_square(freedom: int, probability: float) -> float:
    """Return the quantile, by the approximation of Wilson and Hilferty; it is off by less than 2 % where it matters."""
    if not freedom:
        return 0.0
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + NormalDist().inv_cdf(probability) * math.sqrt(spread)) ** 3


def _of_numbers(before: dict[str, Any], now: dict[str, Any]) -> list[_Bin]:
    """Return the rows between the deciles of the file before, below and above all its numbers, and without one."""
    was, is_now = _cumulative(before), _cumulative(now)
    values, rows = was["values"], was["rows"]
    bins = [_Bin("any number", was["rows"], is_now["rows"])]
    if values:
        deciles = {values[bisect_left(was["at_most"], rows * tenth / 10)] for tenth in range(1, 10)}
        uppers = sorted(deciles | {values[-1]})
        lows = [values[0], *uppers]
        labels = [
            f"below {values[0]:.6g}",
            *(f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}" for low, high in pairwise(lows)),
            f"above {values[-1]:.6g}",
        ]
        sides = [
            [0, _at_most(each, values[0], below=True), *(_at_most(each, upper) for upper in uppers), each["rows"]]
            for each in (was, is_now)
        ]
        counts = [[high - low for low, high in pairwise(side)] for side in sides]
        bins = [_Bin(*each) for each in zip(labels, *counts, strict=True)]
    missing = _Bin("missing", _missing(before, was["rows"]), _missing(now, is_now["rows"]))
    return [each for each in [*bins, missing] if each.before + each.now]


def _cumulative(column: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"rows": 0, "values": [], "at_most": []}
    found: dict[str, Any] = column.get("cumulative", empty)
    return found


def _at_most(cumulative: dict[str, Any], number: float, *, below: bool = False) -> int:
    """Return how many rows of the sample are at most ``number``, or below it."""
    place = (bisect_left if below else bisect_right)(cumulative["values"], number)
    count: int = cumulative["at_most"][place - 1] if place else 0
    return count


def _missing(column: dict[str, Any], sampled: int) -> float:
    """Return how many rows without a number there are beside ``sampled`` ones with one."""
    nulls, fraction = column["nulls"], column["null_fraction"]
    return float(nulls) if fraction >= 1 or not sampled else sampled * fraction / (1 - fraction)


def _of_values(before: dict[str, Any], now: dict[str, Any]) -> list[_Bin]:
    """Return the rows with each frequent value, with a rarer one, and with none."""
    was, is_now = _counts(before, now), _counts(now, before)
    frequent = [_Bin(value, was[value], is_now[value]) for value in was if was[value] + is_now[value] >= _RARE]
    rest = _Bin(
        "all others",
        _rows(before) - sum(each.before for each in frequent),
        _rows(now) - sum(each.now for each in frequent),
    )
    missing = _Bin("missing", before["nulls"], now["nulls"])
    return [each for each in (*frequent, rest, missing) if each.before + each.now >= 0.5]  # noqa: PLR2004 - half a row


def _counts(column: dict[str, Any], beside: dict[str, Any]) -> dict[str, float]:
    """Return how many rows have each value that either profile lists.

    A value that only the profile ``beside`` lists is rarer here than any that is listed. How rare is not known: what
    fits best with the other file is taken, so that no drift is made up.
    """
    counts: dict[str, float] = {each["value"]: each["count"] for each in column["top"]}
    rarer = min(column["other"], min(counts.values(), default=0))
    scale = _rows(column) / max(1, _rows(beside))
    for each in beside["top"]:
        counts.setdefault(each["value"], min(rarer, each["count"] * scale))
    return counts


def _rows(column: dict[str, Any]) -> int:
    rows: int = sum(each["count"] for each in column["top"]) + column["other"]
    return rows


def _only_in(column: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return values that the other file is known not to have."""
    if other["other"]:
        return []
    known = {each["value"] for each in other["top"]}
    return [each["value"] for each in column["top"] if each["value"] not in known][:_MAX_NEW_VALUES]
