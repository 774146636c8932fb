"""Plots of a report as inline SVG, in the colours of the page, dark or light."""

import re
from collections.abc import Callable
from io import StringIO
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from interlock_contracts.report import ConfusionMatrix, Histogram
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from interlock_cli.report.facts import Facts

COLOURS = {"#010101": "ink", "#020202": "faint", "#030303": "mark", "#040404": "proven", "#050505": "refused"}
"""Stand-ins that nothing else has, each for a variable of the page's style sheet."""

INK, FAINT, MARK, PROVEN, REFUSED = COLOURS
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "interlock",
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
}
MOST_DRAWN = 12
"""Features with a bar of their own."""

MANY = 8
"""Labels that can be told apart beside an axis without being turned."""


def draw(name: str, facts: Facts) -> str:
    """Return one of the plots that sections name, as an ``svg`` element."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        axes = figure.add_subplot()
        PLOTS[name](axes, facts)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _inline(text.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """Return the picture as an element of a page: the page's colours and font, and ids that are no other plot's."""
    svg = svg[svg.index("<svg") :]
    for stand_in, variable in COLOURS.items():
        svg = svg.replace(stand_in, f"var(--{variable})")
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 var(--font)", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", svg)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL).replace(
        "<svg ", f'<svg role="img" aria-label="{name}" ', 1
    )


def _bins(axes: Axes, histogram: Histogram, colour: Callable[[float], str]) -> None:
    edges = histogram.edges
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    widths = [high - low for low, high in pairwise(edges)]
    axes.bar(middles, histogram.counts, widths, color=[colour(each) for each in middles], linewidth=0)


def _gain(axes: Axes, facts: Facts) -> None:
    gain, bar = facts.gate.champion, facts.gate.min_improvement or 0.0
    assert gain is not None, "the section names the plot only then"
    assert gain.resampled is not None, "as above"
    _bins(axes, gain.resampled, lambda at: PROVEN if at > bar else REFUSED)
    axes.axvline(bar, color=INK, linewidth=1, linestyle=":", label="required")
    if gain.lower is not None:
        axes.axvline(gain.lower, color=INK, linewidth=1.5, label="lower bound")
    axes.set(xlabel=f"gain in {facts.gate.metric}", ylabel="resamples")
    axes.legend(frameon=False)


def _predicted(axes: Axes, facts: Facts) -> None:
    shown = facts.gate.plots.predicted
    assert shown is not None, "the section names the plot only then"
    ends = [min(shown.actual + shown.predicted), max(shown.actual + shown.predicted)]
    axes.plot(ends, ends, color=FAINT, linewidth=1)
    axes.scatter(shown.actual, shown.predicted, s=8, color=MARK, alpha=0.5, linewidth=0)
    axes.set(xlabel="actual", ylabel="predicted")


def _residuals(axes: Axes, facts: Facts) -> None:
    residuals = facts.gate.plots.residuals
    assert residuals is not None, "the section names the plot only then"
    _bins(axes, residuals, lambda _: MARK)
    axes.axvline(0, color=INK, linewidth=1, linestyle=":")
    axes.set(xlabel="predicted minus actual", ylabel="rows")


def _confusion(axes: Axes, facts: Facts) -> None:
    matrix = facts.gate.plots.confusion
    assert matrix is not None, "the section names the plot only then"
    shares = [[count / max(sum(row), 1) for count in row] for row in matrix.counts]
    axes.pcolormesh(shares, cmap=LinearSegmentedColormap.from_list("mark", ["#2f7fd100", "#2f7fd1"]), vmin=0, vmax=1)
    axes.invert_yaxis()
    at = [index + 0.5 for index in range(len(matrix.labels))]
    many = len(matrix.labels) > MANY
    axes.set_xticks(at, matrix.labels, rotation=90 if many else 0)
    axes.set_yticks(at, matrix.labels)
    axes.set(xlabel="predicted", ylabel="actual")
    _numbers(axes, matrix, size=6 if many else 9)


def _numbers(axes: Axes, matrix: ConfusionMatrix, size: int) -> None:
    for row, counts in enumerate(matrix.counts):
        for column, count in enumerate(counts):
            axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=size)


def _roc(axes: Axes, facts: Facts) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for curve in facts.gate.plots.roc:
        label = f"{curve.label} ({curve.auc:.3f})"
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, linewidth=1.5, label=label)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(frameon=False, fontsize=7, loc="lower right")


def _importance(axes: Axes, facts: Facts) -> None:
    found = facts.gate.importance
    assert found is not None, "the section names the plot only then"
    drawn = found.features[:MOST_DRAWN][::-1]
    means, deviations = [each.mean for each in drawn], [each.deviation for each in drawn]
    axes.barh(range(len(drawn)), means, xerr=deviations, color=MARK, ecolor=INK, linewidth=0)
    axes.set_yticks(range(len(drawn)), [each.feature[:30] for each in drawn])
    axes.axvline(0, color=INK, linewidth=1, linestyle=":")
    axes.set(xlabel=f"loss of {found.metric}")


def _trials(axes: Axes, facts: Facts) -> None:
    manifest = facts.manifest
    tried = manifest.trials_of_winner
    scored = {each.number: each.score for each in tried if each.score is not None}
    axes.scatter(list(scored), list(scored.values()), s=14, color=MARK, linewidth=0)
    if manifest.score is not None:
        axes.axhline(manifest.score, color=PROVEN, linewidth=1, label="chosen")
        axes.legend(frameon=False)
    axes.set(xlabel="trial", ylabel=manifest.metric or "score")


PLOTS: dict[str, Callable[[Axes, Facts], Any]] = {
    "gain": _gain,
    "predicted": _predicted,
    "residuals": _residuals,
    "confusion": _confusion,
    "roc": _roc,
    "importance": _importance,
    "trials": _trials,
}
