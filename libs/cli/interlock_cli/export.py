"""`interlock export`: a promoted version as signed files, or as what runs without Interlock."""

from pathlib import Path
from typing import Annotated

import typer
from interlock_client.operations.exports import ExportFormat

from interlock_cli.gateway import connect
from interlock_cli.models import Name
from interlock_cli.terminal import CommandError, Json, command_terminal


def export(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Default: the serving version.")] = None,
    *,
    to: Annotated[Path, typer.Option("--to", "--out", help="The folder to create; it must not exist.")],
    output_format: Annotated[
        ExportFormat,
        typer.Option("--format", help="Signed files, an ONNX graph, or the graph with a Python program that asks it."),
    ] = "signed",
    as_json: Json = False,
) -> None:
    """Export a promoted version to a folder.

    By default its stored files, with a signature that OpenSSF's `model_signing` verifies. `onnx` and `python` run
    where nothing of Interlock is installed, and give the same answers.

    Example: interlock export flights-1 3 --format python --to flights-1-3
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        try:
            number = gateway.export(name, version, to=to, format=output_format)
        except FileExistsError as error:
            raise CommandError(str(error), hint="choose a folder that does not exist") from error
        except ModuleNotFoundError as error:
            raise CommandError(f"{error.name} is not installed: install interlock-cli[export]") from error
        terminal.echo(f"version {number} of {name} is exported to {to}; {_NEXT[output_format]}", style="green")
        if output_format == "signed":
            signed = f"{to / 'model'} --signature {to / 'model.sig'} --public_key {to / 'export-key.pem'}"
            terminal.echo(f"model_signing verify key {signed}")
        terminal.result({"model": name, "version": number, "folder": str(to), "format": output_format})


_NEXT: dict[ExportFormat, str] = {
    "signed": "verify it with:",
    "onnx": "README.md says how to ask the graph",
    "python": "README.md says how to run it",
}
