"""The `interlock` command."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from interlock_cli.branches.command import branches
from interlock_cli.changed import changed
from interlock_cli.comparison import compare
from interlock_cli.completion import completion
from interlock_cli.compose import compose
from interlock_cli.datasets import datasets, ingest
from interlock_cli.dead_letters import dead_letters
from interlock_cli.deletion import delete, erase
from interlock_cli.deploy import deploy
from interlock_cli.descriptions import archive, tag
from interlock_cli.events import events
from interlock_cli.experiments.command import experiments
from interlock_cli.export import export
from interlock_cli.feedback import feedback, quality
from interlock_cli.git_tags import git_tags
from interlock_cli.images import images
from interlock_cli.imports import import_model
from interlock_cli.init.command import init
from interlock_cli.keys import audit, keys
from interlock_cli.local_stack import add_local_stack
from interlock_cli.models import approve, models, rollback, show, versions
from interlock_cli.open import open_
from interlock_cli.pipelines import apply, pipelines, validate
from interlock_cli.power import power
from interlock_cli.predictions import predict
from interlock_cli.report.command import report
from interlock_cli.rollouts import rollout
from interlock_cli.runs import cancel, retrain, runs, watch
from interlock_cli.stages import promote
from interlock_cli.trace import trace
from interlock_cli.training_log import training_log

COMMANDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Pipelines and data": (init, validate, apply, pipelines, ingest, datasets),
    "Runs": (retrain, import_model, watch, runs, training_log, cancel, changed),
    "Observe": (open_, trace, events, report),
    "Models": (
        models,
        versions,
        show,
        compare,
        tag,
        rollout,
        power,
        approve,
        promote,
        rollback,
        archive,
        delete,
        export,
        git_tags,
    ),
    "Predictions": (predict, feedback, quality, erase),
    "Administration": (audit, completion),
}
"""By panel, in the order that `interlock --help` lists them after those of the local stack.

A function's name is the command's, with dashes (``open_`` because `open` is a built-in), its docstring the help.
"""

app = typer.Typer(
    name="interlock",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if wanted:
        typer.echo(f"interlock {version('interlock-cli')}")
        raise typer.Exit


@app.callback()
def interlock(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Event-driven CI/CD for machine-learning models: ingest data, train, evaluate, promote, serve."""


add_local_stack(app)
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(command.__name__.rstrip("_").replace("_", "-"), rich_help_panel=panel)(command)
app.add_typer(experiments, name="experiments", rich_help_panel="Runs")
app.add_typer(branches, name="branches", rich_help_panel="Runs")
app.add_typer(images, name="images", rich_help_panel="Deployment")
app.add_typer(deploy, name="deploy", rich_help_panel="Deployment")
app.add_typer(compose, name="compose", rich_help_panel="Deployment")
app.add_typer(keys, name="keys", rich_help_panel="Administration")
app.add_typer(dead_letters, name="dead-letters", rich_help_panel="Administration")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
