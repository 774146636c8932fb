"""`interlock training-log`: what a run's training has printed, also while it runs."""

import re
import time
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer
from interlock_client import Client
from interlock_client.operations.runs import RunLog

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.short_ids import run_id
from interlock_cli.terminal import Json, Terminal, command_terminal

POLL_SECONDS = 1.0
"""Pause between two polls of a log that is followed."""

OVERLAP = 1000
"""Characters by whose last place in a log that has lost its beginning the new part is found."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[^\S \n\t]|[\x00-\x08\x0e-\x1f\x7f-\x9f]")
"""What would change the terminal: a job may print whatever it likes."""


def training_log(
    run: Annotated[str, typer.Argument(help="The run's id, or its beginning.", autocompletion=completion.runs)],
    *,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt; default: the newest.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the training has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Print the log of a run's training: the end of what its job has printed, while it runs and afterwards.

    Example: interlock training-log 0b7c0a52 --follow
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        wanted = run_id(run)
        log = gateway.logs(wanted, attempt=attempt)
        _print(terminal, log.text)
        if follow:
            log = _follow(gateway, terminal, wanted, attempt, log)
        elif not log.complete:
            terminal.err.print("[dim]more may follow: --follow waits for it[/]")
        terminal.result(asdict(log))


def _follow(gateway: Client, terminal: Terminal, run: UUID, attempt: int | None, log: RunLog) -> RunLog:
    while not log.complete:
        time.sleep(POLL_SECONDS)
        before, log = log, gateway.logs(run, attempt=attempt)
        if log.attempt != before.attempt:
            terminal.err.print(f"[dim]attempt {log.attempt}[/]")
            before = RunLog("", log.attempt, complete=False)
        _print(terminal, added(before.text, log.text))
    return log


def _print(terminal: Terminal, text: str) -> None:
    if not terminal.as_json:
        typer.echo(_CONTROL.sub("", text), nl=False)


def added(before: str, after: str) -> str:
    """Return what a log has more than before; all of it where nothing of it was there before."""
    if after.startswith(before):
        return after[len(before) :]
    end = before[-OVERLAP:]
    place = after.rfind(end)
    return after if place < 0 else after[place + len(end) :]
