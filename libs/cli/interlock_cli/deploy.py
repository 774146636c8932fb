"""`interlock deploy`: what a deployment's repository says, changed by the one who may write to it."""

from pathlib import Path
from typing import Annotated

import typer

from interlock_cli.images import deployment_errors
from interlock_cli.terminal import Json, command_terminal

deploy = typer.Typer(help="Change what a deployment's repository says.", no_args_is_help=True)


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
    with command_terminal(as_json=as_json) as terminal, deployment_errors():
        from interlock_deployment.digests import parse, set_digest  # noqa: PLC0415 - an extra

        text = before = file.read_bytes().decode()  # line ends stay as they are
        changes = []
        for path, digest in [parse(each) for each in assignments]:
            text, change = set_digest(text, path, digest)
            changes.append(change)
        if text != before:
            file.write_bytes(text.encode())
        for each in changes:
            said = "unchanged" if each.before == each.after else f"{each.before or 'the tag'} -> {each.after}"
            terminal.echo(f"{each.path}: {said}")
        terminal.result([vars(each) for each in changes])
