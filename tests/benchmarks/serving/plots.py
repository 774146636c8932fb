"""The page's plots, as SVG that is the same for the same numbers."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.benchmarks.serving.store import Cell, Results

_COLORS = {"own": "#1b6ca8", "onnx": "#e08e45", "sklearn": "#9aa0a6", "hello": "#5b9a68"}
_LABELS = {"own": "Interlock", "onnx": "with ONNX Runtime", "sklearn": "with scikit-learn", "hello": "hello world"}


def draw(results: Results, folder: Path) -> list[str]:
    """Write the plots next to the page; return their names."""
    mpl.rcParams["svg.hashsalt"] = "interlock"
    mpl.rcParams["svg.fonttype"] = "none"
    titles = results.data.get("titles", {})
    cells = [cell for cell in results.medians() if cell.model in ("forest", "") and cell.target in titles]
    drawn = []
    for connections in sorted({cell.connections for cell in cells}):
        same = [cell for cell in cells if cell.connections == connections]
        drawn.append(_bars(same, titles, "per_second", f"requests per second, {connections} connections", folder))
    if cells:
        most = max(cell.connections for cell in cells)
        same = [cell for cell in cells if cell.connections == most]
        drawn.append(_bars(same, titles, "cpu_us", "processor time per request, µs", folder))
        drawn.append(_bars(same, titles, "p99_ms", f"99th percentile, ms, {most} connections", folder))
    return drawn


def _bars(cells: list[Cell], titles: dict[str, Any], measure: str, label: str, folder: Path) -> str:
    """Draw one measure as bars on a logarithmic axis, for it spans four orders of magnitude."""
    ordered = sorted(cells, key=lambda cell: getattr(cell, measure), reverse=measure != "per_second")
    values = [getattr(cell, measure) for cell in ordered]
    figure = Figure(figsize=(8, 0.28 * len(ordered) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    engines = [titles[cell.target][1] for cell in ordered]
    drawn = axes.barh(range(len(ordered)), values, color=[_COLORS[engine] for engine in engines])
    axes.bar_label(
        drawn, [f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in values], padding=3, fontsize=8
    )
    axes.set_yticks(range(len(ordered)), [titles[cell.target][0] for cell in ordered], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    present = [engine for engine in _COLORS if engine in engines]
    handles = [mpl.patches.Patch(color=_COLORS[engine], label=_LABELS[engine]) for engine in present]
    figure.legend(handles=handles, fontsize=8, frameon=False, ncols=len(handles), loc="outside upper center")
    name = f"serving-{measure}-{cells[0].connections}.svg".replace("_", "-")
    figure.savefig(folder / name, metadata={"Date": None})
    return name
