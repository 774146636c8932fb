"""`interlock rollout`: how far the newest version has come in the gateway's workers, and why no further."""

import time
from typing import Annotated

import typer
from interlock_contracts.rollout import RolloutView, WorkerServing

from interlock_cli import completion
from interlock_cli.gateway import Gateway, RefusedError, UnreachableError, connect
from interlock_cli.progress import Steps
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

POLL_SECONDS = 0.3
"""Seconds between two looks."""

ROLLOUT_SECONDS = 60.0
"""How long a roll-out may take until whoever has not converged is named; a worker that is killed counts that long."""

_UNKNOWN = 404


def rollout(
    name: Annotated[
        str, typer.Argument(help="The model, which has its pipeline's name.", autocompletion=completion.models)
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Watch until every worker has it.")] = False,
    timeout: Annotated[float, typer.Option(help="Longest wait, in seconds.")] = ROLLOUT_SECONDS,
    as_json: Json = False,
) -> None:
    """Show which gateway workers serve the version promoted last, and why others do not.

    Exit code 0 when all do, or will with their first request for the model; else 1.

    Example: interlock rollout flights-1 --wait
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if wait:
            view = follow_rollout(gateway, terminal, name, timeout=timeout)
        else:
            view = gateway.get(RolloutView, f"/models/{name}/rollout")
            terminal.echo(summary(view))
        columns = ("worker", "state", "version", "since", "why")
        rows = [(each.worker, each.state, each.version, each.since, each.failure) for each in view.by_worker]
        terminal.table(columns, rows)
        terminal.result(view)
    if not view.converged:
        raise typer.Exit(1)


def summary(view: RolloutView) -> str:
    """Return a roll-out in one line."""
    return f"{view.serving} of {view.workers} workers on version {view.version} of {view.model}"


def follow_promoted(gateway: Gateway, terminal: Terminal, model: str, version: int) -> RolloutView | None:
    """Show the roll-out of a version that was just promoted, to its end; None where the gateway tells of none.

    Raises:
        CommandError: as :func:`follow_rollout`.
    """
    try:
        return follow_rollout(gateway, terminal, model, version=version, timeout=ROLLOUT_SECONDS)
    except RefusedError as error:
        if error.status == _UNKNOWN:
            return None
        raise


def follow_rollout(
    gateway: Gateway, terminal: Terminal, model: str, *, version: int | None = None, timeout: float
) -> RolloutView:
    """Show the roll-out of a model's newest version and return it once all workers have it.

    A roll-out of ``version`` also ends when another is promoted meanwhile.

    Raises:
        CommandError: after ``timeout`` seconds some have not; it says who, and why.
    """
    with Steps(terminal) as steps:
        return _poll_until_converged(gateway, terminal, steps, model, version=version, timeout=timeout)


def _poll_until_converged(
    gateway: Gateway, terminal: Terminal, steps: Steps, model: str, *, version: int | None, timeout: float
) -> RolloutView:
    deadline = time.monotonic() + timeout
    printed: set[str] = set()
    while True:
        try:
            view = gateway.get(RolloutView, f"/models/{model}/rollout")
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
            continue
        if version is not None and view.version != version:
            terminal.echo(f"version {view.version} of {model} has been promoted meanwhile")
            return view
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
        if view.converged:
            return view
        if time.monotonic() > deadline:
            raise _not_converged(view, timeout)
        time.sleep(POLL_SECONDS)


def _not_converged(view: RolloutView, timeout: float) -> CommandError:
    behind = [each for each in view.by_worker if each.state not in ("serving", "unloaded")]
    reasons = "\n  ".join(_worker_line(each) for each in behind)
    return CommandError(
        f"after {timeout:g} s only {summary(view)}\n  {reasons}",
        hint=f"they go on trying; `interlock rollout {view.model}` shows how far they are, and"
        f" `interlock rollback {view.model}` goes back",
        details={"rollout": view.model_dump(mode="json")},
    )


def _worker_line(worker: WorkerServing) -> str:
    has = f"serves version {worker.version}" if worker.version is not None else "serves none"
    return f"worker {worker.worker} {has}: {worker.failure or 'it has said nothing of the new one yet'}"
