"""`interlock delete`: what is deleted for good."""

from typing import Annotated

import typer

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.options import parsed_version
from interlock_cli.terminal import Json, command_terminal


def delete(
    what: Annotated[
        str,
        typer.Argument(help="The version.", metavar="NAME/VERSION", autocompletion=completion.versions),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a version that does not serve, for good: it cannot be brought back, nor rolled back to.

    Its files are gone from the object store after a time of grace, apart from those that another version shares.
    The key must have the scope admin.

    Example: interlock delete flights-1/3
    """
    name, number = parsed_version(what)
    if number is None:
        raise typer.BadParameter(f"name a version, for instance {name}/2", param_hint="NAME/VERSION")
    if not yes:
        typer.confirm(f"Delete version {number} of {name} for good?", abort=True, err=True)
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.delete_version(name, number)
        gone = found.objects_gone_after.astimezone().strftime("%Y-%m-%d %H:%M")
        terminal.echo(f"version {number} of {name} is deleted; its files are gone soon after {gone}", style="green")
        terminal.result(found)
