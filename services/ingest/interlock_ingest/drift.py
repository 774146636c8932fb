"""PSI drift: how far a file's columns have moved from the file before, by the population stability index.

Both files are known by their profiles alone. The index and its usual bounds, 0.1 and 0.25, come from credit scoring
(Siddiqi, Credit Risk Scorecards, 2006). Small files pass them by chance, so the index must also lie above what files of
one population reach: times NM / (N + M) it follows chi-square then (Yurdakul and Naranjo, Statistical properties of the
population stability index, Journal of Risk Model Validation, 2020), and with half a row more in each bin it stays below
also where bins are small. A shift that the index is too blunt for in small files is found by ranks.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from interlock_contracts.drift import ColumnDrift, DriftBin, DriftVerdict

from interlock_ingest.chi_square import chi_square_bound

MODERATE, LARGE = 0.1, 0.25
FALSE_ALARM = 0.01
"""Chance that two files of one population show any drift, over all their columns together."""

_RARE = 10
_MISSING = "missing"
_FORMAT_1_POINTS = 100
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
    index, chance, shares = _index(bins, alpha / 2 if of_numbers else alpha)
    beyond = index > chance or (of_numbers and _ranks_differ(bins, alpha / 2))
    verdict: DriftVerdict = "stable"
    if beyond and index >= MODERATE:
        verdict = "large" if index >= LARGE else "moderate"
    return ColumnDrift(
        column=name,
        verdict=verdict,
        psi=index,
        chance=chance,
        beyond_chance=beyond,
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
    chance = (1 / before + 1 / now) * chi_square_bound(len(bins) - 1, alpha) if len(bins) > 1 else 0.0
    return index, chance, [DriftBin(label=b.label, before=b.before / before, now=b.now / now) for b in bins]


def _ranks_differ(bins: list[_Bin], alpha: float) -> bool:
    """Return whether the numbers of one file are greater, by more than chance explains: the rank sum test over bins.

    The index spreads its power over every way to differ; a shift of the mean is the way that is met most often, and in
    small files it is seen by this test alone (Wilcoxon's, with the variance for ties, in its normal approximation).
    """
    numbers = [each for each in bins if each.label != _MISSING]
    before, now = sum(each.before for each in numbers), sum(each.now for each in numbers)
    total = before + now
    if len(numbers) < 2 or before < 1 or now < 1:  # noqa: PLR2004 - two bins
        return False
    ends = list(accumulate(each.before + each.now for each in numbers))
    ranks = [end - (each.before + each.now) / 2 for end, each in zip(ends, numbers, strict=True)]
    pairs = list(zip(ranks, numbers, strict=True))
    mean = sum(rank * (each.before + each.now) for rank, each in pairs) / total
    spread = sum((rank - mean) ** 2 * (each.before + each.now) for rank, each in pairs) / (total - 1)
    shift = sum((rank - mean) * each.now for rank, each in pairs)
    return shift**2 > spread * before * now / total * chi_square_bound(1, alpha)


def _of_numbers(before: dict[str, Any], now: dict[str, Any]) -> list[_Bin]:
    """Return the rows between the deciles of the file before, and those without a number.

    The first bin reaches down to any number and the last one up to any, so that a few far numbers weigh as many as they
    are. Only where the smallest number is a decile by itself, what is below it has a bin of its own.
    """
    was, is_now = _cumulative(before), _cumulative(now)
    values, rows = was["values"], was["rows"]
    bins = [_Bin("any number", was["rows"], is_now["rows"])]
    if values:
        deciles = sorted({values[bisect_left(was["at_most"], rows * tenth / 10)] for tenth in range(1, 10)})
        first, last = deciles[0], deciles[-1]
        labels = [f"up to {first:.6g}"]
        apart = first == values[0]
        if apart:
            labels = [f"below {first:.6g}", f"{first:.6g}"]
        labels += [*(f"{low:.6g} to {high:.6g}" for low, high in pairwise(deciles)), f"above {last:.6g}"]
        sides = []
        for each in (was, is_now):
            below = [_rows_up_to(each, first, itself=False)] if apart else []
            sides.append([0, *below, *(_rows_up_to(each, decile) for decile in deciles), each["rows"]])
        counts = [[high - low for low, high in pairwise(side)] for side in sides]
        bins = [_Bin(*each) for each in zip(labels, *counts, strict=True)]
    missing = _Bin(_MISSING, _missing(before, was["rows"]), _missing(now, is_now["rows"]))
    return [each for each in [*bins, missing] if each.before + each.now]


def _cumulative(column: dict[str, Any]) -> dict[str, Any]:
    """Return a distribution as the profile tells it: of ``rows``, how many are at most each of ``values``, and below.

    Profiles of format 1 do not tell how many are below: a value has what its point has beyond an equal step then.
    """
    empty: dict[str, Any] = {"rows": 0, "values": [], "at_most": [], "below": []}
    found: dict[str, Any] = column.get("cumulative", empty)
    if "below" in found:
        return found
    step = 0 if len(found["values"]) == column["distinct"] else math.ceil(found["rows"] / (_FORMAT_1_POINTS - 1))
    below = [low + max(0, min(step, high - low - 1)) if step else low for low, high in pairwise(found["at_most"])]
    return {**found, "below": [0, *below]}


def _rows_up_to(cumulative: dict[str, Any], number: float, *, itself: bool = True) -> float:
    """Return how many rows of the sample are at most ``number``; without ``itself`` those below it.

    Those between two points are taken to be spread evenly.
    """
    values, at_most, below = cumulative["values"], cumulative["at_most"], cumulative["below"]
    place = bisect_right(values, number)
    if place and values[place - 1] == number:
        return float((at_most if itself else below)[place - 1])
    if place in (0, len(values)):
        return float(cumulative["rows"] if place else 0)
    low, high = values[place - 1], values[place]
    width = high / 2 - low / 2  # halves: the whole distance may overflow
    part = (number / 2 - low / 2) / width if width else 0.5
    return float(at_most[place - 1] + part * (below[place] - at_most[place - 1]))


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
    missing = _Bin(_MISSING, before["nulls"], now["nulls"])
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
