"""`interlock compare`: two versions of a model side by side."""

from typing import Annotated

import typer
from interlock_contracts.comparison import ComparedMetric, ComparisonView, Difference

from interlock_cli.gateway import connect
from interlock_cli.models import Name
from interlock_cli.terminal import Json, Terminal, command_terminal

_DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "zero": "closer to zero is better"}


def compare(
    name: Name,
    a: Annotated[int, typer.Argument(min=1, metavar="A", help="The first version.")],
    b: Annotated[int, typer.Argument(min=1, metavar="B", help="The version compared with it.")],
    *,
    as_json: Json = False,
) -> None:
    """Compare two versions: metrics, data, parameters, pipeline, code and environment.

    Which one is better is shown only where both were measured on the same held-out rows.

    Example: interlock compare flights-1 3 5
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.compare(name, a, b)
        _show_metrics(terminal, found)
        datasets = [
            *(Difference(name=each[:12], a="used") for each in found.datasets.only_a),
            *(Difference(name=each[:12], b="used") for each in found.datasets.only_b),
        ]
        parts = (("datasets", datasets), ("parameters", found.parameters), ("pipeline", found.pipeline))
        for title, differences in (*parts, ("code and environment", found.environment)):
            _show_differences(terminal, found, title, differences)
        terminal.result(found)


def _show_metrics(terminal: Terminal, found: ComparisonView) -> None:
    a, b = (f"{each.version} ({each.stage})" for each in (found.a, found.b))
    terminal.echo(f"{'comparable' if found.comparable else 'not comparable'}: {found.note}")
    columns = ("metric", a, b, "difference", "better")
    rows = [_row(found, each) for each in found.metrics]
    terminal.table(columns, rows)
    together = found.measured_together
    if together is not None and not found.comparable:
        title = f"compared by the gate on the same {together.rows:,} held-out rows"
        terminal.table(columns, [_row(found, each) for each in together.metrics or [together]], title=title)


def _row(found: ComparisonView, metric: ComparedMetric) -> tuple[object, ...]:
    better = {"a": str(found.a.version), "b": str(found.b.version), "equal": "equal", None: None}[metric.better]
    direction = _DIRECTIONS[metric.direction] if metric.direction else None
    verdict = f"{better} ({direction})" if better and better != "equal" else better
    return (metric.metric, metric.a, metric.b, metric.difference, verdict)


def _show_differences(terminal: Terminal, found: ComparisonView, title: str, differences: list[Difference]) -> None:
    if not differences:
        terminal.echo(f"{title}: no differences", style="dim")
        return
    rows = [(each.name, each.a, each.b) for each in differences]
    terminal.table(("", str(found.a.version), str(found.b.version)), rows, title=title)
