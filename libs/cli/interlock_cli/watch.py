"""Following a run to its end, as bars on a terminal, else as lines."""

from collections.abc import Callable
from uuid import UUID

from interlock_client import Client, StillGoingError
from interlock_client.progress import RunSteps, best, stage
from interlock_contracts.http import RunView

from interlock_cli.datasets import newest_of
from interlock_cli.terminal import CommandError, Terminal


def newest_run(gateway: Client, model: str) -> UUID:
    """Return a model's newest run that was not coalesced; waits a moment for a first one to appear.

    Raises:
        CommandError: there is none.
    """
    run = gateway.newest_run(model)
    if run is None:
        raise CommandError(f"model {model!r} has no run", hint=f"interlock retrain {model}")
    return run.run_id


def follow_run(gateway: Client, terminal: Terminal, run: UUID, *, timeout: float) -> RunView:
    """Show a run's progress and return it once it has ended; a coalesced run is followed in the one it joined.

    Raises:
        CommandError: it has not ended after ``timeout`` seconds.
        InterlockError: it is unknown, or the gateway stays unreachable.
    """
    with RunSteps(terminal.out) if terminal.live else _ChangeLines(terminal) as show:

        def look(view: RunView) -> None:
            show(view)
            if view.into is not None:
                terminal.echo(f"run {view.run_id} was coalesced into run {view.into}, which was already queued")

        try:
            view = gateway.wait(run, timeout=timeout, progress=look, serving=False)
        except StillGoingError as error:
            hint = f"it continues; `interlock watch {run}` follows it again"
            raise CommandError(str(error), hint=hint) from error
    _print_outcome(gateway, terminal, view)
    return view


def _print_outcome(gateway: Client, terminal: Terminal, run: RunView) -> None:
    if run.version is None:
        terminal.echo(f"{run.state}: {run.reason or 'no reason given'}", style="bold red")
        return
    version = gateway.version(run.model, run.version)
    style = "green" if run.state == "succeeded" else "bold red"
    terminal.echo(f"{run.state}: version {run.version} of {run.model} is {version.stage}", style=style)
    for reason in version.reasons or ([run.reason] if run.reason else []):
        terminal.echo(f"  {reason}")
    if (newest := newest_of(gateway, run.model, version.datasets)) is not None:
        for warning in newest.warnings:
            terminal.echo(f"  warning about batch {newest.batch}: {warning.message}", style="yellow")
    if version.stage == "passed":
        terminal.echo(f"next: interlock approve {run.model} {run.version}", style="dim")


class _ChangeLines:
    """Progress as a line for every change, for logs and pipes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._last = ""

    def __enter__(self) -> Callable[[RunView], None]:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, run: RunView) -> None:
        parts = [stage(run)]
        if run.progress is not None and run.progress.trials_total:
            parts.append(f"trials {run.progress.trials_done}/{run.progress.trials_total}")
        line = ", ".join(part for part in (*parts, best(run)) if part)
        if line != self._last:
            self._last = line
            self._terminal.echo(line)
