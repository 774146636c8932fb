"""`interlock compose`: what a stack of containers on one machine needs before its first start."""

from pathlib import Path
from typing import Annotated

import typer

from interlock_cli.images import deployment_errors
from interlock_cli.terminal import Json, command_terminal

compose = typer.Typer(name="compose", no_args_is_help=True, help="Prepare a stack of containers on one machine.")


@compose.callback()
def group() -> None:
    """Prepare a stack of containers on one machine."""


@compose.command("init")
def init(
    *,
    folder: Annotated[
        Path, typer.Option("--folder", file_okay=False, help="The folder of compose.yaml, in a checkout.")
    ] = Path("compose"),
    secrets: Annotated[
        Path | None, typer.Option("--secrets", file_okay=False, help="The folder of secrets; by default beside it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the secrets of compose.yaml, a file each, and .env; what is there stays as it is.

    Run it as root, so that the files belong to the user of the containers (10001) and nobody else reads them. After an
    upgrade run it again: it makes what is new.

    Example: interlock compose init --folder compose
    """
    with command_terminal(as_json=as_json) as terminal, deployment_errors():
        from interlock_deployment.compose_secrets import UID, is_theirs, prepare  # noqa: PLC0415 - an extra

        where = secrets or folder / "secrets"
        made = prepare(folder, where)
        terminal.echo(f"{len(made)} files made" if made else "all is there, nothing was changed")
        if not is_theirs(where):
            terminal.echo(f"next: sudo chown -R {UID}:{UID} {where}   (the containers' user is to read them)")
        else:
            terminal.echo(f"next: docker compose --project-directory {folder} up --detach")
        terminal.result({"made": made, "secrets": str(where)})
