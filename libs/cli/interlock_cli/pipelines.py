"""`interlock apply`: pipeline files."""

from pathlib import Path
from typing import Annotated

import typer
from interlock_contracts.http import PipelineView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import InvalidPipelineError, NotYamlError, parse_pipeline

from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError, Json, command_terminal


def apply(
    file: Annotated[Path, typer.Argument(help="The pipeline file.", exists=True, dir_okay=False)],
    *,
    as_json: Json = False,
) -> None:
    """Create or update a pipeline from its file.

    The file is validated here and again by the registry; applying an unchanged file has no effect.

    Example: interlock apply pipeline.yaml
    """
    with command_terminal(as_json=as_json) as terminal:
        pipeline = read(file)
        with connect() as gateway:
            answer = gateway.request("PUT", f"/pipelines/{pipeline.name}", content=file.read_bytes())
        view = PipelineView.model_validate(answer.json())
        done = "applied" if view.changed else "unchanged"
        terminal.echo(f"pipeline {view.name} {done}: revision {view.revision}, digest {view.digest[:12]}")
        if view.changed:
            terminal.echo(f"next: interlock ingest {view.name} <file.{view.spec.data.format}>", style="dim")
        terminal.result(view)


def read(file: Path) -> Pipeline:
    """Return the pipeline that a file declares.

    Raises:
        CommandError: it is not YAML, or not a valid pipeline; all errors are listed.
    """
    try:
        return parse_pipeline(file.read_bytes())
    except NotYamlError as error:
        raise CommandError(f"{file} is not YAML: {error}") from error
    except InvalidPipelineError as error:
        faults = [str(fault) for fault in error.faults]
        raise CommandError(
            "\n  ".join([f"{file} is not a valid pipeline:", *faults]),
            hint="docs/tutorials/your-own-pipeline.md explains every key",
            details={"faults": faults},
        ) from error
