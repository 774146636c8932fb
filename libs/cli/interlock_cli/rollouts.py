"""`interlock rollout`: convergence of the gateway's workers to the promoted version."""

from typing import Annotated

import typer
from interlock_client import Client, NotFoundError, StillGoingError
from interlock_client.operations.models import ROLLOUT_SECONDS
from interlock_client.progress import Steps
from interlock_contracts.rollout import RolloutView, WorkerServing

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal


def rollout(
    name: Annotated[
        str, typer.Argument(help="The model; it is named like its pipeline.", autocompletion=completion.models)
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all workers have converged.")] = False,
    timeout: Annotated[float, typer.Option(help="Timeout of --wait, in seconds.")] = ROLLOUT_SECONDS,
    as_json: Json = False,
) -> None:
    """Show the roll-out of the promoted version: which gateway workers serve it, and why others do not.

    Exit code 0 if all have converged, or load it on their first request; else 1.

    Example: interlock rollout flights-1 --wait
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if wait:
            view = follow_rollout(gateway, terminal, name, timeout=timeout)
        else:
            view = gateway.rollout(name)
            terminal.echo(summary(view))
        columns = ("worker", "state", "version", "since", "reason")
        rows = [(each.worker, each.state, each.version, each.since, each.failure) for each in view.by_worker]
        terminal.table(columns, rows)
        terminal.result(view)
    if not view.converged:
        raise typer.Exit(1)


def summary(view: RolloutView) -> str:
    """Return a one-line summary of a roll-out."""
    return f"{view.serving} of {view.workers} workers on version {view.version} of {view.model}"


def follow_promoted(gateway: Client, terminal: Terminal, model: str, version: int) -> RolloutView | None:
    """Show the roll-out of a version that was just promoted until it converges; None where the gateway has none.

    Raises:
        CommandError: as :func:`follow_rollout`.
    """
    try:
        return follow_rollout(gateway, terminal, model, version=version, timeout=ROLLOUT_SECONDS)
    except NotFoundError:
        return None


def follow_rollout(
    gateway: Client, terminal: Terminal, model: str, *, version: int | None = None, timeout: float
) -> RolloutView:
    """Show the roll-out of a model's newest version and return it once all workers have converged.

    With ``version`` it also returns when another version is promoted meanwhile.

    Raises:
        CommandError: some have not converged after ``timeout`` seconds; it names them, with reasons.
    """
    printed: set[str] = set()
    with Steps(terminal.out, disable=not terminal.live) as steps:

        def look(view: RolloutView) -> None:
            if version is not None and view.version != version:
                terminal.echo(f"version {view.version} of {model} was promoted meanwhile")
                return
            steps.show(
                "roll-out",
                state="done" if view.converged else "running",
                done=view.serving,
                total=view.workers,
                note=f"version {view.version}",
            )
            counted = () if terminal.live else (summary(view),)
            for line in (*counted, *(_worker_line(each) for each in view.by_worker if each.failure)):
                if line not in printed:
                    printed.add(line)
                    terminal.echo(line)

        try:
            return gateway.converged(model, version=version, timeout=timeout, on_change=look)
        except StillGoingError as error:
            raise _not_converged(error.seen, timeout) from error


def _not_converged(view: RolloutView, timeout: float) -> CommandError:
    behind = [each for each in view.by_worker if each.state not in ("serving", "unloaded")]
    reasons = "\n  ".join(_worker_line(each) for each in behind)
    return CommandError(
        f"after {timeout:g} s only {summary(view)}\n  {reasons}",
        hint=f"they keep retrying; `interlock rollout {view.model}` shows their state, and"
        f" `interlock rollback {view.model}` reverts the promotion",
        details={"rollout": view.model_dump(mode="json")},
    )


def _worker_line(worker: WorkerServing) -> str:
    has = f"serves version {worker.version}" if worker.version is not None else "serves none"
    return f"worker {worker.worker} {has}: {worker.failure or 'it has not reported the new version yet'}"
