"""`interlock power`: how many held-out rows a gain needs to be seen."""

from math import ceil, sqrt
from statistics import NormalDist
from typing import Annotated

import typer
from interlock_client import Client
from interlock_contracts.report import GateReport
from pydantic import BaseModel

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError, Json, command_terminal

LOOKED_AT = 20
"""So many of the newest versions are looked at for a report of a comparison."""


class Power(BaseModel):
    """The rows that a gain needs, at the error that the model's next claim may have."""

    model: str
    metric: str
    gain: float
    power: float
    level: float
    rows: int
    measured_rows: int
    measured_version: int


def power(
    name: Annotated[str, typer.Argument(help="The model.", autocompletion=completion.models)],
    *,
    gain: Annotated[float, typer.Option(help="The true gain, in the unit of the metric that decides.")],
    power: Annotated[float, typer.Option(min=0.5, max=0.999, help="The chance that it is to be seen with.")] = 0.8,
    as_json: Json = False,
) -> None:
    """Show how many held-out rows a true gain needs, so that the gate sees it at the next claim's allowed error.

    The spread of a row's influence is that of the newest version that was compared with a champion; a version that
    differs less from the champion needs fewer rows.

    Example: interlock power flights-1 --gain 0.01
    """
    if gain <= 0:
        raise typer.BadParameter("a gain is above 0", param_hint="--gain")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        ledger = gateway.ledger(name)
        version, report = _compared(gateway, name)
        assert report.champion is not None, "such a one was looked for"
        assert report.champion.deviation is not None, "such a one was looked for"
        level = ledger.next_level_fresh if ledger.next_level_fresh is not None else ledger.budget
        found = Power(
            model=name,
            metric=report.metric or "",
            gain=gain,
            power=power,
            level=level,
            rows=rows_needed(
                report.champion.deviation, gain, level=level, power=power, bounded=report.champion.bounded
            ),
            measured_rows=report.rows,
            measured_version=version,
        )
        terminal.echo(
            f"a gain of {gain:g} in {found.metric} is seen with a chance of {power:.0%} on {found.rows:,} "
            f"held-out rows; version {version} was measured on {report.rows:,}"
        )
        terminal.echo(
            f"the next claim may err by {100 * level:.2g} %; "
            f"{100 * ledger.spent:.2g} % of {100 * ledger.budget:.2g} % are spent"
        )
        terminal.result(found)


def rows_needed(deviation: float, gain: float, *, level: float, power: float, bounded: bool) -> int:
    """Return the rows n for which the bound of a ``gain`` lies above 0 with the chance ``power``.

    ``deviation`` is that of one row's influence, in the gain's unit. Normal approximation; by betting (``bounded``) a
    quarter more, as measured.
    """
    normal = NormalDist()
    rows = ((normal.inv_cdf(1 - level) + normal.inv_cdf(power)) * deviation / gain) ** 2
    return ceil(rows * 1.25) if bounded else ceil(rows + 2 * sqrt(rows))


def _compared(gateway: Client, name: str) -> tuple[int, GateReport]:
    """Return the newest version that was compared with a champion, and its report."""
    for view in gateway.versions(name, limit=LOOKED_AT):
        if view.against is None:
            continue
        report = GateReport.model_validate(gateway.version(name, view.version).report or {})
        if report.champion is not None and report.champion.deviation:
            return view.version, report
    raise CommandError(
        f"none of the newest {LOOKED_AT} versions of {name!r} was compared with a champion whose answers differ; "
        f"next: interlock retrain {name}"
    )
