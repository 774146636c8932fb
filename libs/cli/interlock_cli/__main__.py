"""The `interlock` command."""

from collections.abc import Callable
from typing import Any

import typer

from interlock_cli.datasets import datasets, ingest
from interlock_cli.dead_letters import dead_letters
from interlock_cli.demo.story import demo
from interlock_cli.exporting import export
from interlock_cli.feedback import feedback, quality
from interlock_cli.keys import audit, keys
from interlock_cli.models import approve, models, rollback, show, versions
from interlock_cli.pipelines import apply
from interlock_cli.predictions import predict
from interlock_cli.rollouts import rollout
from interlock_cli.runs import cancel, retrain, runs, watch
from interlock_cli.stack.commands import down, env, logs, status, up
from interlock_cli.tracing import trace

COMMANDS: tuple[Callable[..., Any], ...] = (
    *(up, down, status, logs, env, demo),
    *(apply, ingest, datasets),
    *(retrain, watch, runs, cancel, trace),
    *(models, versions, show, rollout, approve, rollback, export, predict, feedback, quality, audit),
)
"""In the order that `interlock --help` lists them; a function's name is the command's, its docstring the help."""

app = typer.Typer(
    name="interlock",
    help="Event-driven CI/CD for machine-learning models: a file goes in, a proven model serves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(keys, name="keys")
app.add_typer(dead_letters, name="dead-letters")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
