"""`interlock import-model`: a model that was trained elsewhere, judged by the gate as a challenger."""

from pathlib import Path
from typing import Annotated

import typer

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.runs import Timeout, show_accepted
from interlock_cli.terminal import CommandError, Json, command_terminal


def import_model(
    name: Annotated[
        str, typer.Argument(help="The pipeline whose target it predicts.", autocompletion=completion.models)
    ],
    folder: Annotated[
        Path,
        typer.Argument(help="A folder that MLflow has saved: MLmodel and its files.", exists=True, file_okay=False),
    ],
    *,
    reason: Annotated[str | None, typer.Option(help="Reason, stored with the run.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run until it ends.")] = False,
    timeout: Timeout = 3600,
    as_json: Json = False,
) -> None:
    """Import a model that MLflow saved as ONNX or XGBoost; the gate judges it like one that was trained.

    Its inputs must be features of the pipeline that are numbers, integers or booleans. It is translated and compared
    with its original, and becomes a version. Models that hold Python code or pickled objects are refused.

    Example: interlock import-model flights-1 ./model --reason "the team's own" --wait
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        try:
            accepted = gateway.import_model(name, folder, reason=reason)
        except ValueError as error:
            raise CommandError(str(error)) from error
        show_accepted(gateway, terminal, accepted, timeout=timeout if wait else None)
