"""`interlock deploy`: digests in a deployment's repository, and bundles for machines without containers."""

from pathlib import Path
from typing import Annotated

import typer

from interlock_cli.images import Checkout, Which, deployment_errors
from interlock_cli.terminal import Json, command_terminal

deploy = typer.Typer(
    help="Write image digests into a deployment's file; make bundles for machines.", no_args_is_help=True
)


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


@deploy.command()
def bundle(
    which: Which = None,
    *,
    to: Annotated[Path, typer.Option(file_okay=False, help="The folder to write to.")] = Path(".interlock/machines"),
    checkout: Checkout = Path(),
    as_json: Json = False,
) -> None:
    """Make bundles for machines: all that is installed there, as one file each, so that they need no network.

    The playbook in compose/machines installs them.

    Example: interlock deploy bundle light model
    """
    with command_terminal(as_json=as_json) as terminal, deployment_errors():
        from interlock_deployment import bundle as bundles  # noqa: PLC0415 - an extra

        made = bundles.bundle(checkout.resolve(), to, which or [], terminal.echo)
        terminal.result([str(each) for each in made])
