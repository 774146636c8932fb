"""`interlock deploy`: what a deployment's repository says, changed by the one who may write to it."""

from pathlib import Path
from typing import Annotated

import typer

from interlock_cli.terminal import CommandError, Json, command_terminal

deploy = typer.Typer(name="deploy", no_args_is_help=True, help="Change what a deployment's repository says.")


@deploy.callback()
def group() -> None:
    """Change what a deployment's repository says."""


@deploy.command("set-image")
def set_image(
    assignments: Annotated[
        list[str],
        typer.Argument(metavar="NAME=DIGEST...", help="An image (light, model, trainer) or a service, and its digest."),
    ],
    *,
    file: Annotated[
        Path, typer.Option("--file", "-f", exists=True, dir_okay=False, help="The values file of the deployment.")
    ],
    as_json: Json = False,
) -> None:
    """Write digests of images into the values file of a deployment; nothing else of the file changes.

    The same command again changes nothing. Argo CD, or `helm upgrade`, then rolls out what the file says.

    Example: interlock deploy set-image model=sha256:... light=sha256:... --file values.yaml
    """
    with command_terminal(as_json=as_json) as terminal:
        try:
            from interlock_deployment.digests import parse, set_digest  # noqa: PLC0415 - deploying is an extra
            from interlock_deployment.errors import DeploymentError  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "interlock_deployment":
                raise
            raise CommandError("`interlock deploy` needs more packages: install interlock-cli[deploy]") from None
        try:
            text = before = file.read_bytes().decode()  # line ends stay as they are
            changes = []
            for path, digest in [parse(each) for each in assignments]:
                text, change = set_digest(text, path, digest)
                changes.append(change)
        except DeploymentError as error:
            raise CommandError(error.message, hint=error.hint) from error
        if text != before:
            file.write_bytes(text.encode())
        for each in changes:
            said = "unchanged" if each.before == each.after else f"{each.before or 'the tag'} -> {each.after}"
            terminal.echo(f"{each.path}: {said}")
        terminal.result([vars(each) for each in changes])
